//! The working directories of tasks, which stay inside the folder of the run whatever links there are.
//! Never: what a task does by itself once it has begun.

use std::fs;
use std::os::unix::fs::symlink;

use crate::desk::Desk;

/// A folder with a link that leads out of it, and one that stays inside.
fn with_links(plan: &str) -> Desk {
    let desk = Desk::with(plan);
    let outside = desk.work().with_file_name("outside");
    fs::create_dir(&outside).expect("ours");
    fs::create_dir_all(desk.work().join("deep/er")).expect("ours");
    symlink("deep/er", desk.work().join("inner")).expect("ours");
    symlink(outside, desk.work().join("out")).expect("ours");
    desk
}

#[test]
fn a_dir_that_a_link_leads_out_of_the_folder_is_refused_before_anything_starts() {
    let desk = with_links("tasks: { a: { run: touch proof }, b: { dir: out, run: touch proof } }");
    desk.write("around.yaml", "tasks: { inner: { plan: plan.yaml } }");
    for arguments in [&["check", "plan.yaml"][..], &["run", "plan.yaml"], &["check", "around.yaml"]] {
        let done = desk.windlass(arguments);
        assert_eq!(done.code, Some(2), "{}", done.all());
        assert!(
            done.err.contains("`dir` stays inside the run's folder, and `out` leads to /"),
            "{}",
            done.err
        );
    }
    assert!(!desk.work().join("proof").exists() && !desk.work().join("out/proof").exists());
    desk.write("plan.yaml", "defaults: { dir: out }\ntasks: { a: { run: touch proof } }");
    assert_eq!(desk.windlass(&["check", "plan.yaml"]).code, Some(2));
}

#[test]
fn a_dir_may_be_a_link_that_stays_inside() {
    let desk = with_links("tasks: { a: { dir: inner, run: 'pwd; touch here' } }");
    let done = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!(done.code, Some(0), "{}", done.all());
    assert!(desk.work().join("deep/er/here").exists());
}

#[test]
fn a_link_that_appears_after_the_check_is_refused_when_the_attempt_starts() {
    let desk = with_links(
        "
tasks:
  link: { run: 'ln -s ../outside late; mkdir -p there/below; echo out' }
  late: { needs: [link], dir: late, run: touch proof, optional: true }
  named: { needs: [link], dir: '{{ tasks.link.output }}', run: touch proof, optional: true }
  gone: { needs: [link], dir: no/such, run: touch proof, optional: true }
  fine: { needs: [link], dir: there/below, run: touch proof }
",
    );
    let done = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!(done.code, Some(0), "{}", done.all());
    let tasks = desk.json(&["show", "last", "--json"])["tasks"].clone();
    for (place, why) in [(1, "which is not inside"), (2, "which is not inside"), (3, "does not exist")] {
        let error = &tasks[place]["error"];
        assert_eq!(error["kind"], "spawn_dir", "{error}");
        assert!(error["message"].as_str().is_some_and(|message| message.contains(why)), "{error}");
    }
    assert!(desk.work().join("there/below/proof").exists());
    assert!(!desk.work().with_file_name("outside").join("proof").exists());
}

#[test]
fn a_dir_whose_steps_lead_back_into_the_folder_is_as_good_as_a_straight_one() {
    let desk = with_links(
        "
tasks:
  back: { dir: deep/../deep/er, run: 'pwd; touch back' }
  round: { dir: ../project/inner, run: touch round }
  link: { dir: inner/.., run: 'pwd; touch link' }
  told: { run: 'echo deep/../deep' }
  named: { needs: [told], dir: '{{ tasks.told.output }}', run: touch named }
  out: { needs: [told], dir: '{{ tasks.told.output }}/../../outside', run: touch proof, optional: true }
",
    );
    let done = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!(done.code, Some(0), "{}", done.all());
    for file in ["deep/er/back", "deep/er/round", "deep/link", "deep/named"] {
        assert!(desk.work().join(file).exists(), "{file}");
    }
    let tasks = desk.json(&["show", "last", "--json"])["tasks"].clone();
    let real = desk.work().canonicalize().expect("it is there");
    assert_eq!(tasks[0]["output"], real.join("deep/er").display().to_string());
    assert_eq!(tasks[2]["output"], real.join("deep").display().to_string());
    assert_eq!(tasks[5]["error"]["kind"], "spawn_dir", "{}", tasks[5]);
    for (dir, why) in [
        ("../outside", "leads to /"),
        ("deep/../../gone", "leads out of it"),
        ("../{{ run.id }}", "leads out of it"),
    ] {
        desk.write("plan.yaml", &format!("tasks: {{ a: {{ dir: '{dir}', run: touch proof }} }}"));
        let refused = desk.windlass(&["run", "plan.yaml"]);
        assert_eq!(refused.code, Some(2), "{}", refused.all());
        assert!(refused.err.contains(&format!("and `{dir}` {why}")), "{}", refused.err);
    }
}
