//! The example does what it says, in a home of its own. Never: a home of the machine's user.

use std::process::Command;

#[test]
#[expect(clippy::disallowed_methods, reason = "the example is a program")]
fn a_program_of_twenty_lines_runs_a_plan_and_leaves_a_journal() {
    let folder = tempfile::tempdir().expect("a temp folder can be made");
    let home = folder.path().join("home");
    let run = || {
        let done =
            Command::new(env!("CARGO_BIN_EXE_windlass-embed-example")).arg(&home).output().expect("it runs");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).expect("text")
    };
    for _ in 0..2 {
        let said = run();
        assert!(
            said.starts_with("run ") && said.ends_with("Succeeded: 50 is the sum of [9,16,25]\n"),
            "{said}"
        );
    }
    assert!(home.join("journal.db").exists());
}
