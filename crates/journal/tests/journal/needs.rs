//! What a few tests need of the machine besides a compiler. The tests of the worker and of the binary use this file too.
//! Never: passing without it, unless a person said so.

use std::process::{Command, Stdio};

/// The variable by which a person leaves tests out: names of needs, with commas between them.
const WITHOUT: &str = "WINDLASS_TESTS_WITHOUT";
/// Set where a test runs as root of namespaces of its own.
const AMONG_ITSELF: &str = "WINDLASS_TEST_NAMESPACE";

/// Whether the test of this name, which mounts disks, may go on here. Where this user may not mount, it is run again as
/// root of namespaces of its own; where that can't be either, it fails, unless it is left out.
pub(crate) fn mounting(test: &str) -> bool {
    let folder = tempfile::TempDir::new().expect("a folder");
    if works(program("mount").args(["-t", "tmpfs", "-o", "size=64k", "none"]).arg(folder.path())) {
        assert!(works(program("umount").arg("-l").arg(folder.path())), "what was mounted can be unmounted");
        return true;
    }
    if std::env::var_os(AMONG_ITSELF).is_some() || !works(program("unshare").args(["-rm", "true"])) {
        return is_there("mount", false);
    }
    let mut again = program("unshare");
    again.arg("-rm").arg(std::env::current_exe().expect("a program")).args(["--exact", test, "--nocapture"]);
    let done = again.env(AMONG_ITSELF, "1").output().expect("it was there before");
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(
        done.status.success() && said.contains("1 passed"),
        "in namespaces of its own: {}\n{said}{}",
        done.status,
        String::from_utf8_lossy(&done.stderr)
    );
    false
}

/// Whether a test may go on that needs something. Where that is not there it fails, unless it is left out.
pub(crate) fn is_there(need: &str, there: bool) -> bool {
    let left_out = std::env::var_os(WITHOUT).unwrap_or_default();
    let left_out = left_out.to_string_lossy().split(',').any(|one| one.trim() == need);
    assert!(
        there || left_out,
        "this test needs `{need}`, which does not work here: provide it, or leave such tests out with {WITHOUT}={need}"
    );
    there
}

#[expect(clippy::disallowed_methods, reason = "tests start what they need")]
fn program(name: &str) -> Command {
    Command::new(name)
}

fn works(command: &mut Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}
