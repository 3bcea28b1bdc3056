//! `windlass init`.

use crate::desk::Desk;

#[test]
fn the_first_plan_runs_as_it_is() {
    let desk = Desk::new();
    assert_eq!(desk.windlass(&["init"]).code, Some(0));
    let done = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!(done.code, Some(0), "{}", done.all());
    assert!(done.out.contains("result    report: Looked at 1 things in this folder."), "{}", done.out);
}

#[test]
fn a_file_that_is_there_is_left_alone() {
    let desk = Desk::with("mine");
    let done = desk.windlass(&["init"]);
    assert_eq!(done.code, Some(1));
    assert!(done.err.contains("plan.yaml is there already"), "{}", done.err);
    assert_eq!(desk.read("plan.yaml"), "mine");
}

#[test]
fn the_checks_of_the_project_become_tasks() {
    let desk = Desk::new();
    desk.write("windlass.toml", "[checks]\nformat = \"echo 'a: {b}' # {{ x }}\"\n\"two words\" = \"true\"\n");
    assert_eq!(desk.windlass(&["init", "first.yaml"]).code, Some(0));
    let done = desk.windlass(&["run", "first.yaml"]);
    assert_eq!(done.code, Some(0), "{}\n{}", desk.read("first.yaml"), done.all());
    let show = desk.json(&["show", "last", "--json"]);
    let names: Vec<&str> =
        show["tasks"].as_array().expect("a list").iter().filter_map(|task| task["id"].as_str()).collect();
    assert!(names.contains(&"check_format") && names.contains(&"check_two_words"), "{names:?}");
}
