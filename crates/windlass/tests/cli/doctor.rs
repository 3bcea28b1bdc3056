//! `windlass doctor`, and homes that are not well.

use std::fs;

use serde_json::json;

use crate::assert_shows;
use crate::desk::Desk;

#[test]
fn values_of_secrets_are_shown_nowhere() {
    let desk = Desk::with(
        "agents: { w: { adapter: command, program: cat, env: { API_TOKEN: hunter2-of-the-plan } } }\n\
         tasks: { a: { agent: w, prompt: hi }, b: { run: [curl, --header, 'X-Key: ghp_0123456789abcdef'] } }",
    );
    desk.write(
        "windlass.toml",
        "[agents.z]\nadapter = 'command'\nprogram = 'cat'\nargs = ['--key=ghp_0123456789abcdef']\n\
         [agents.z.env]\nMY_KEY = 'hunter2'\nMODE = 'fast'\n[defaults.env]\nDB_PASSWORD = 'hunter2-too'\n",
    );
    for arguments in [
        &["doctor", "--config"][..],
        &["doctor", "--config", "--json"],
        &["check", "plan.yaml"],
        &["check", "plan.yaml", "--json"],
        &["graph", "plan.yaml"],
        &["graph", "plan.yaml", "--json"],
    ] {
        let said = desk.windlass(arguments).all();
        assert!(!said.contains("hunter2") && !said.contains("ghp_"), "{arguments:?}: {said}");
    }
    let config = desk.json(&["doctor", "--config", "--json"]);
    let value = |key: &str| config["settings"][key]["value"].clone();
    assert_eq!(value("agents.z.env.MY_KEY"), "•••");
    assert_eq!(value("agents.z.args"), serde_json::json!(["--key=•••"]));
    assert_eq!(value("agents.z.env.MODE"), "fast");
}

#[test]
fn a_home_that_is_well_gets_code_0() {
    let desk = Desk::with("tasks: { a: { run: \"true\" } }");
    assert_eq!(desk.windlass(&["doctor"]).code, Some(0), "before there is one");
    desk.windlass(&["run", "plan.yaml"]);
    let done = desk.windlass(&["doctor"]);
    assert_eq!(done.code, Some(0), "{}", done.all());
    let found = desk.json(&["doctor", "--json"]);
    let about: Vec<&str> = found["findings"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|one| one["about"].as_str())
        .collect();
    for part in ["store", "engine", "agents", "machine", "environment"] {
        assert!(about.contains(&part), "{about:?}");
    }
    for means in ["subreaper: ", "pidfd: ", "marks readable: ", "control groups: "] {
        assert!(done.out.contains(means), "the level of clean-up is said: {}", done.out);
    }
}

#[test]
fn an_agent_whose_program_is_missing_is_to_be_mended() {
    let desk = Desk::new();
    desk.write("windlass.toml", "[agents.coder]\nadapter = \"command\"\nprogram = \"no-such-program\"\n");
    let done = desk.windlass(&["doctor"]);
    assert_eq!(done.code, Some(1), "{}", done.all());
    assert!(done.out.contains("no-such-program"), "{}", done.out);
}

/// A home whose journal has lost its end.
fn damaged() -> Desk {
    let desk = Desk::with("tasks: { a: { run: echo 1 } }");
    desk.windlass(&["run", "plan.yaml"]);
    let home = desk.home();
    let (store, wal) = (home.join("journal.db"), home.join("journal.db-wal"));
    let before = fs::read(&store).expect("it is there");
    let wal_before = fs::read(&wal).unwrap_or_default();
    desk.windlass(&["run", "plan.yaml"]);
    fs::write(&store, before).expect("ours");
    fs::write(&wal, wal_before).expect("ours");
    drop(fs::remove_file(home.join("journal.db-shm")));
    for snapshot in fs::read_dir(home.join("snapshots")).into_iter().flatten().flatten() {
        fs::remove_file(snapshot.path()).expect("ours");
    }
    desk
}

#[test]
fn a_damaged_journal_is_code_4_everywhere_and_nothing_is_changed() {
    let desk = damaged();
    let before = fs::read(desk.home().join("journal.db")).expect("it is there");
    for arguments in [
        &["run", "plan.yaml"][..],
        &["resume"],
        &["ps"],
        &["show"],
        &["graph", "last"],
        &["doctor"],
        &["cancel", "last"],
    ] {
        let done = desk.windlass(arguments);
        assert_eq!(done.code, Some(4), "{arguments:?}: {}", done.all());
    }
    assert_eq!(fs::read(desk.home().join("journal.db")).expect("it is there"), before);
    assert_shows!(
        desk,
        desk.windlass(&["ps"])
            .all()
            .replace(&desk.home().file_name().expect("a name").to_string_lossy().into_owned(), "[home]")
    );
}

#[test]
fn a_person_may_accept_the_loss_and_go_on() {
    let desk = damaged();
    let accepted = desk.windlass(&["doctor", "--accept-loss"]);
    assert_eq!(accepted.code, Some(0), "{}", accepted.all());
    assert!(accepted.out.contains("Copies of what was there lie in"), "{}", accepted.out);
    assert!(desk.home().join("damaged").exists());
    assert_eq!(desk.windlass(&["doctor"]).code, Some(0));
    assert_eq!(desk.windlass(&["run", "plan.yaml"]).code, Some(0));
    let again = desk.windlass(&["doctor", "--accept-loss"]);
    assert!(again.out.contains("Nothing was wrong"), "{}", again.all());
}

#[test]
fn what_is_given_up_is_told_to_programs_too() {
    let desk = damaged();
    let told = desk.json(&["doctor", "--accept-loss", "--json"]);
    assert!(told["journal"]["goes_on_after"].is_u64(), "{told}");
    assert!(told["journal"]["copies"].as_str().expect("a path").contains("damaged"), "{told}");
    assert_eq!(told["blobs"], serde_json::json!([]));
    let again = desk.json(&["doctor", "--accept-loss", "--json"]);
    assert_eq!(again["journal"], serde_json::Value::Null);
}

#[test]
fn of_two_things_to_do_neither_is_dropped_without_a_word() {
    let desk = damaged();
    for both in [["--accept-loss", "--why-slow"], ["--accept-loss", "--config"], ["--config", "--why-slow"]] {
        let refused = desk.windlass(&["doctor", both[0], both[1]]);
        assert_eq!(refused.code, Some(2), "{both:?}: {}", refused.all());
        assert!(refused.err.contains(both[0]) && refused.err.contains(both[1]), "{}", refused.all());
    }
    assert_eq!(desk.windlass(&["doctor"]).code, Some(4), "nothing was accepted");
}

#[test]
fn every_setting_says_its_value_and_where_it_came_from() {
    let desk = Desk::new();
    desk.write("windlass.toml", "[checks]\nformat = \"true\"\n[defaults]\ntimeout = \"5m\"\n");
    let user = desk.config("windlass/windlass.toml");
    std::fs::create_dir_all(user.parent().expect("a folder")).expect("ours");
    std::fs::write(
        &user,
        "[limits]\ntasks = 5\n[defaults.timeout]\nstart_to_close = \"1m\"\ngrace = \"3s\"\n",
    )
    .expect("ours");
    let mut command = desk.command(&["doctor", "--config", "--json", "--home", "elsewhere"]);
    let output =
        command.env("WINDLASS_HOME_RESERVE", "1MiB").env("WINDLASS_SLOTS", "3").output().expect("it starts");
    let config: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one JSON document");
    let settings = config["settings"].as_object().expect("a map");
    for (key, value, layer, origin) in [
        ("checks.format", json!("true"), "project", "project/windlass.toml"),
        ("defaults.timeout.start_to_close", json!("5m"), "project", "project/windlass.toml"),
        ("defaults.timeout.grace", json!("3s"), "user", "config/windlass/windlass.toml"),
        ("limits.tasks", json!(5), "user", "config/windlass/windlass.toml"),
        ("limits.depth", json!(3), "built_in", "built in"),
        ("defaults.retry.max_attempts", json!({ "run": 1, "prompt": 5 }), "built_in", "built in"),
        ("home.reserve", json!("1MiB"), "environment", "WINDLASS_HOME_RESERVE"),
        ("slots", json!(3), "environment", "WINDLASS_SLOTS"),
        ("home", json!(desk.work().canonicalize().expect("it is there").join("elsewhere")), "flag", "--home"),
    ] {
        let setting = settings.get(key).unwrap_or_else(|| panic!("no {key} in {config}"));
        assert_eq!((&setting["value"], &setting["layer"]), (&value, &json!(layer)), "{key}");
        assert!(setting["origin"].as_str().is_some_and(|told| told.ends_with(origin)), "{key}: {setting}");
    }
    assert!(!settings.contains_key("defaults.timeout"), "a bare value is one of the limits");
    let printed = desk.windlass(&["doctor", "--config"]).out;
    let line =
        printed.lines().find(|line| line.starts_with("defaults.retry.max_attempts")).expect("it is there");
    assert!(line.contains("run: 1, prompt: 5") && line.ends_with("built in"), "{line}");
    assert!(!desk.has_home(), "nothing was made");
}

/// Changes the blob of the plan of a run, and takes the snapshots away, which have it too.
fn without_plan(desk: &Desk, goal: &str) {
    let mut found = Vec::new();
    for shard in fs::read_dir(desk.home().join("blobs")).expect("there are some").flatten() {
        for blob in fs::read_dir(shard.path()).expect("a folder").flatten() {
            if fs::read_to_string(blob.path()).is_ok_and(|body| body.contains(goal)) {
                found.push(blob.path());
            }
        }
    }
    let [plan] = &found[..] else { panic!("one blob has the goal: {found:?}") };
    fs::write(plan, "damaged").expect("ours");
    drop(fs::remove_dir_all(desk.home().join("snapshots")));
}

#[test]
fn a_run_whose_plan_is_gone_is_lost_alone() {
    let desk = Desk::with("goal: first of all\ntasks: { a: { run: \"true\" } }");
    desk.windlass(&["run", "plan.yaml"]);
    let lost = desk.json(&["ps", "--json"])["runs"][0]["id"].as_str().expect("an id").to_owned();
    desk.write("plan.yaml", "tasks: { b: { run: \"true\" } }");
    desk.windlass(&["run", "plan.yaml"]);
    without_plan(&desk, "first of all");

    let listed = desk.windlass(&["ps"]);
    assert_eq!(listed.code, Some(0), "{}", listed.all());
    assert!(
        listed.all().contains(&format!("run {lost} can't be read: its plan is gone")),
        "{}",
        listed.all()
    );
    assert_eq!(desk.json(&["ps", "--json"])["runs"].as_array().map(Vec::len), Some(1));
    let shown = desk.windlass(&["show", &lost]);
    assert_eq!(shown.code, Some(4), "{}", shown.all());
    assert!(shown.all().contains("its plan is gone"), "{}", shown.all());
    let looked = desk.windlass(&["doctor"]);
    assert_eq!(looked.code, Some(4), "{}", looked.all());
    assert!(looked.out.contains(&format!("the plan of run {lost}")), "{}", looked.out);
    assert!(looked.out.contains("the chain holds"), "{}", looked.out);
    assert!(looked.out.contains("--accept-loss"), "{}", looked.out);
    assert_eq!(desk.windlass(&["run", "plan.yaml"]).code, Some(0), "new work goes on");
    assert_eq!(desk.json(&["ps", "--json"])["runs"].as_array().map(Vec::len), Some(2));

    let accepted = desk.windlass(&["doctor", "--accept-loss"]);
    assert_eq!(accepted.code, Some(0), "{}", accepted.all());
    assert!(
        accepted.out.contains(&format!("Run {lost} is given up: its plan is gone.")),
        "{}",
        accepted.all()
    );
    let looked = desk.windlass(&["doctor"]);
    assert_eq!(looked.code, Some(0), "{}", looked.all());
    assert!(
        looked.out.contains("remark") && looked.out.contains(&format!("run {lost} is lost")),
        "{}",
        looked.out
    );
    assert_eq!(desk.windlass(&["show", &lost]).code, Some(4), "nothing can be said of it");
    let again = desk.windlass(&["doctor", "--accept-loss"]);
    assert!(again.out.contains("Nothing was wrong"), "{}", again.all());

    desk.write("plan.yaml", "goal: first of all\ntasks: { a: { run: \"true\" } }");
    desk.windlass(&["run", "plan.yaml"]);
    assert_eq!(
        desk.json(&["ps", "--json"])["runs"].as_array().map(Vec::len),
        Some(4),
        "with its plan it is back"
    );
}

#[test]
fn where_the_last_run_is_lost_nothing_takes_another_for_it_or_says_that_there_is_none() {
    let desk = Desk::with("goal: an old one\ntasks: { a: { run: \"true\" } }");
    let old = desk.windlass(&["run", "plan.yaml"]).run();
    desk.write("plan.yaml", "goal: the last one\ntasks: { a: { run: \"true\" } }");
    let lost = desk.windlass(&["run", "plan.yaml"]).run();
    without_plan(&desk, "the last one");
    let says = |arguments: &[&str], part: &str| {
        let done = desk.windlass(arguments);
        assert_eq!(done.code, Some(4), "{arguments:?}: {}", done.all());
        assert!(done.err.contains(part), "{arguments:?}: {}", done.all());
    };
    let about_last =
        [&["resume", "last"][..], &["show", "last"], &["show"], &["cancel", "last"], &["pause", "last"]];
    for arguments in about_last {
        says(arguments, &format!("run {lost} can't be read: its plan is gone"));
    }
    assert_eq!(desk.windlass(&["show", &old]).code, Some(0), "the other is there");
    without_plan(&desk, "an old one");
    for arguments in about_last.into_iter().chain([&["resume"][..], &["pause"]]) {
        says(arguments, &format!("run {lost} can't be read: its plan is gone"));
    }
    let listed = desk.windlass(&["ps"]);
    assert!(!listed.err.contains("no runs yet"), "{}", listed.all());
    let letters = desk.windlass(&["dlq", "list"]);
    assert!(letters.err.contains(&format!("run {old} can't be read")), "{}", letters.all());
}

#[test]
fn what_was_accepted_once_and_is_lost_anew_is_wrong_again() {
    let plan = "goal: first of all\ntasks: { a: { run: \"true\" } }";
    let desk = Desk::with(plan);
    desk.windlass(&["run", "plan.yaml"]);
    without_plan(&desk, "first of all");
    assert_eq!(desk.windlass(&["doctor", "--accept-loss"]).code, Some(0));
    desk.windlass(&["run", "plan.yaml"]);
    assert_eq!(desk.windlass(&["doctor"]).code, Some(0));
    without_plan(&desk, "first of all");
    assert_eq!(desk.windlass(&["doctor"]).code, Some(4));
}

#[test]
fn an_output_that_is_gone_may_be_given_up() {
    let desk = Desk::with("tasks: { a: { run: \"head -c 200000 /dev/zero | tr '\\\\0' x\" } }");
    desk.windlass(&["run", "plan.yaml"]);
    for shard in fs::read_dir(desk.home().join("blobs")).expect("there are some").flatten() {
        for blob in fs::read_dir(shard.path()).expect("a folder").flatten() {
            if blob.metadata().is_ok_and(|found| found.len() == 200_000) {
                fs::remove_file(blob.path()).expect("ours");
            }
        }
    }
    assert_eq!(desk.windlass(&["doctor"]).code, Some(4));
    let shown = desk.windlass(&["show", "last"]);
    assert_eq!(shown.code, Some(4), "nobody has given it up: {}", shown.all());
    assert!(shown.out.contains("its output is gone or damaged"), "{}", shown.all());
    let accepted = desk.windlass(&["doctor", "--accept-loss"]);
    assert!(accepted.out.contains("1 output or environment is given up"), "{}", accepted.all());
    let looked = desk.windlass(&["doctor"]);
    assert_eq!(looked.code, Some(0), "{}", looked.all());
    assert!(looked.out.contains("remark"), "{}", looked.out);
    let shown = desk.windlass(&["show", "last"]);
    assert_eq!(shown.code, Some(0), "what is left is shown: {}", shown.all());
    assert!(shown.out.contains("its output is gone, as was accepted"), "{}", shown.all());
    let shown = desk.windlass(&["show", "last", "a"]);
    assert_eq!(shown.code, Some(0), "{}", shown.all());
    assert!(shown.out.contains("its output is gone, as was accepted"), "{}", shown.all());
    let shown = desk.json(&["show", "last", "--json"]);
    assert_eq!(shown["tasks"][0]["output_gone"], "accepted", "{shown}");
}

#[test]
fn without_a_head_nobody_knows_what_is_lost_and_the_logs_say_what_was_there() {
    let desk = Desk::with("tasks: { a: { run: echo 1 } }");
    desk.windlass(&["run", "plan.yaml"]);
    let lost = desk.json(&["ps", "--json"])["runs"][0]["id"].as_str().expect("an id").to_owned();
    for name in ["head", "journal.db", "journal.db-wal", "journal.db-shm"] {
        drop(fs::remove_file(desk.home().join(name)));
    }
    fs::write(desk.home().join("journal.db"), "no store").expect("ours");
    let accepted = desk.windlass(&["doctor", "--accept-loss"]);
    assert_eq!(accepted.code, Some(0), "{}", accepted.all());
    assert!(accepted.out.contains("after record 0; how many came after it nobody knows"), "{}", accepted.out);
    assert!(accepted.out.contains(&format!("still shows: {lost}.")), "{}", accepted.out);
}

#[test]
fn free_space_has_one_meaning() {
    let desk = Desk::with("tasks: { a: { run: \"true\" } }");
    let mut run = desk.command(&["run", "plan.yaml"]);
    run.env("WINDLASS_HOME_RESERVE", "256MiB").output().expect("it starts");
    let said = |arguments: &[&str]| -> u64 {
        let mut command = desk.command(arguments);
        command.env("WINDLASS_HOME_RESERVE", "256MiB").env("WINDLASS_HOME_MIN_FREE", "9223372036854775807");
        let output = command.output().expect("it starts");
        assert_eq!(output.status.code(), Some(4));
        let all = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        let line = all.lines().find_map(|line| line.split_once(" MiB free")?.0.rsplit(' ').next());
        line.unwrap_or_else(|| panic!("it says how much: {all}")).parse().expect("a number")
    };
    let (refused, found) = (said(&["run", "plan.yaml"]), said(&["doctor"]));
    // Others write to the disk, too; the reserve would make the difference.
    assert!(refused.abs_diff(found) < 128, "{refused} and {found}");
}

#[test]
fn what_made_a_run_slow_is_told_with_what_to_change() {
    let desk = Desk::with("concurrency: 1\ntasks: { a: { run: cat gate }, b: { run: cat gate } }");
    desk.gate("gate");
    let mut running = desk.start(&["run", "plan.yaml", "--slots", "4"]);
    running.wait_for("started   a");
    desk.open_gate("gate");
    running.wait_for("started   b");
    desk.open_gate("gate");
    assert_eq!(running.end().code, Some(0));
    let told = desk.json(&["doctor", "--why-slow", "last", "--json"]);
    assert_eq!(told["limits"][0]["limit"], "concurrency 1 of the plan", "{told}");
    assert_eq!(told["limits"][0]["tasks_max"], 1);
    let waited = |key: &str| told["limits"][0][key].as_u64().expect("a number");
    assert!(
        waited("waited_ms") >= waited("lasted_ms") && waited("alone_ms") >= waited("gain_ms_max"),
        "{told}"
    );
    let printed = desk.windlass(&["doctor", "--why-slow"]);
    assert_eq!(printed.code, Some(0), "{}", printed.all());
    for part in ["was worked on for", "critical path", "GAIN AT MOST", "raise `concurrency` of the plan"] {
        assert!(printed.out.contains(part), "{part}: {}", printed.out);
    }
    assert_eq!(desk.windlass(&["doctor", "--why-slow", "zzzzzz"]).code, Some(2));
}
