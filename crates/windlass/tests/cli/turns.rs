//! Whose turn it is, and what is not needed any more, as a user meets it.

use crate::desk::{Desk, is_alive};

#[test]
fn what_a_join_was_met_without_is_stopped_and_the_run_succeeds() {
    let desk = Desk::with(
        r#"
tasks:
  slow: { run: "echo $$ > pid; echo up > said; cat gate" }
  quick: { run: "cat said" }
  race: { needs: [slow, quick], join: any, cancel_rest: true, run: "true" }
  all: { needs: [slow, race], run: "echo {{ tasks.slow.state }} > proof" }
"#,
    );
    desk.gate("gate");
    desk.gate("said");
    let done = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!(done.code, Some(0), "{}", done.all());
    assert!(
        done.out.contains("cancel    slow  not needed any more: the join of race was met"),
        "{}",
        done.all()
    );
    assert!(!done.out.contains("failed"), "{}", done.all());
    assert_eq!(desk.read("proof"), "cancelled\n");
    assert!(!is_alive(desk.read("pid").trim().parse().expect("a number")));
    let show = desk.json(&["show", "last", "--json"]);
    assert_eq!(show["tasks"][0]["state"], "cancelled");
    assert_eq!(show["tasks"][0]["spared_by"], "race");
    let shown = desk.windlass(&["show", "last", "slow"]);
    assert!(shown.out.contains("the join of race was met without it"), "{}", shown.all());
}
