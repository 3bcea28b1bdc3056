//! Homes of other builds: those of earlier ones, as they were left half-done, are gone on with to the end; one of a later
//! build is refused with its name. Never: a home that is kept (each test has a copy).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, params};
use serde_json::{Value, json};

use crate::desk::{Desk, Done};
use crate::golden::{KEPT, lay};

/// A copy of a home that is kept.
struct Left {
    desk: Desk,
    home: PathBuf,
    shown: Vec<Value>,
}

impl Left {
    fn by(version: &str) -> Self {
        let (desk, shown) = lay(version);
        Self { home: desk.work().with_file_name("golden"), desk, shown }
    }

    fn windlass(&self, words: &[&str]) -> Done {
        let home = self.home.display().to_string();
        self.desk.windlass(&[words, &["--home", &home]].concat())
    }

    fn json(&self, words: &[&str]) -> Value {
        let done = self.windlass(&[words, &["--json"]].concat());
        assert_eq!(done.code, Some(0), "{}", done.all());
        serde_json::from_str(&done.out).expect("a document")
    }

    /// The run with this goal.
    fn run(&self, goal: &str) -> &str {
        let shown = self.shown.iter().find(|shown| shown["run"]["goal"] == goal).expect("a run");
        shown["run"]["id"].as_str().expect("its name")
    }

    /// How each run stands now, by its goal.
    fn states(&self) -> BTreeMap<String, String> {
        let listed = self.json(&["ps"]);
        let runs = listed["runs"].as_array().expect("a list").iter();
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        runs.map(|run| (text(&run["goal"]), text(&run["state"]))).collect()
    }
}

/// Where what was said is not what is said: fields are only ever added.
fn first_difference(was: &Value, is: &Value, path: &str) -> Option<String> {
    match (was, is) {
        (Value::Object(was), Value::Object(_)) => {
            was.iter().find_map(|(key, was)| first_difference(was, &is[key], &format!("{path}.{key}")))
        }
        (Value::Array(was), Value::Array(now)) if was.len() == now.len() => {
            let pairs = was.iter().zip(now).enumerate();
            pairs.into_iter().find_map(|(at, (was, is))| first_difference(was, is, &format!("{path}[{at}]")))
        }
        _ => (was != is).then(|| format!("{path} was {was} and is {is}")),
    }
}

#[test]
fn what_an_earlier_build_left_is_shown_as_it_was() {
    for (version, _) in KEPT {
        let left = Left::by(version);
        for was in &left.shown {
            let mut was = was.clone();
            let is = left.json(&["show", was["run"]["id"].as_str().expect("a name")]).to_string();
            let is = is.replace(&left.home.display().to_string(), "[home]");
            let is: Value = serde_json::from_str(&is).expect("a document");
            let tasks = was["tasks"].as_array_mut().expect("a list");
            // What is large was not kept twice.
            let cut = |task: &Value| task["state"] == "succeeded" && task["output"].is_null();
            for task in tasks.iter_mut().filter(|task| cut(task)) {
                task.as_object_mut().expect("an object").remove("output");
            }
            assert_eq!(first_difference(&was, &is, "show"), None, "{version}");
        }
    }
}

#[test]
fn what_an_earlier_build_left_half_done_comes_to_its_end() {
    for (version, _) in KEPT {
        let left = Left::by(version);
        let succeeded: Vec<(&str, &Value)> = left
            .shown
            .iter()
            .flat_map(|shown| {
                let run = shown["run"]["id"].as_str().expect("a name");
                shown["tasks"].as_array().expect("a list").iter().map(move |task| (run, task))
            })
            .filter(|(_, task)| task["state"] == "succeeded")
            .collect();
        assert!(succeeded.len() > 4, "{succeeded:?}");
        let said = left.windlass(&["emit", left.run("topics"), "out", "1"]);
        assert_eq!(said.code, Some(0), "{}", said.all());
        let resumed = left.windlass(&["resume", "--yes"]);
        assert_eq!(resumed.code, Some(3), "{}", resumed.all());
        for words in [
            &["settle", left.run("never again"), "once", "--done"][..],
            &["resume", left.run("never again")],
            &["resume", left.run("paused")],
            &["resume", left.run("budget"), "--budget", "attempts=+5"],
        ] {
            let done = left.windlass(words);
            assert_eq!(done.code, Some(0), "{words:?}: {}", done.all());
        }
        for (goal, state) in left.states() {
            let expected = if goal == "ended" { "failed" } else { "succeeded" };
            assert_eq!(
                state,
                expected,
                "{version}: {goal}: {}",
                left.windlass(&["show", left.run(&goal)]).all()
            );
        }
        for (run, task) in succeeded {
            let now = left.json(&["show", run]);
            let now = now["tasks"].as_array().expect("a list").iter().find(|now| now["id"] == task["id"]);
            assert_eq!(now.expect("it is there")["attempts"], task["attempts"], "{version}: {run}");
        }
        let looked = left.json(&["doctor"]);
        let store =
            looked["findings"].as_array().expect("a list").iter().filter(|found| found["about"] == "store");
        assert!(
            store.clone().count() > 0 && store.clone().all(|found| found["health"] != "wrong"),
            "{looked:#}"
        );
    }
}

/// Adds records to a store as a later build would: those of its opening, and this one.
fn add_records_of_a_later_build(home: &Path, record: &str) {
    let store = Connection::open(home.join("journal.db")).expect("a store");
    let end = "SELECT seq, epoch, link FROM record ORDER BY seq DESC LIMIT 1";
    let (seq, epoch, mut link): (i64, i64, Vec<u8>) =
        store.query_row(end, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).expect("an end");
    let opening = json!({ "at": 1, "v": 1, "event": { "engine_started": {
        "epoch": epoch + 1, "role": "engine", "build": "9.9.9" } } });
    for (number, bytes) in [(1, opening.to_string()), (2, record.to_owned())] {
        let salt = [0; 16];
        let digest = blake3::hash(&[&salt[..], bytes.as_bytes()].concat());
        link = blake3::hash(&[&link[..], &digest.as_bytes()[..]].concat()).as_bytes().to_vec();
        let row = params![seq + number, epoch + 1, &salt[..], bytes.as_bytes(), &link];
        let insert = "INSERT INTO record (seq, epoch, salt, bytes, link) VALUES (?1, ?2, ?3, ?4, ?5)";
        store.execute(insert, row).expect("it is taken");
    }
}

/// Every command that would build on the home refuses it with these words, and changes nothing.
fn is_refused_by_all(left: &Left, words: &str) {
    let store = || std::fs::read(left.home.join("journal.db")).expect("a store");
    let before = store();
    for command in [
        &["ps"][..],
        &["show", "last"],
        &["events", "--json"],
        &["resume"],
        &["cancel", "last"],
        &["doctor"],
        &["doctor", "--accept-loss"],
    ] {
        let done = left.windlass(command);
        assert_eq!(done.code, Some(4), "{command:?}: {}", done.all());
        assert!(format!("{}{}", done.out, done.err).contains(words), "{command:?}: {}", done.all());
    }
    left.desk.write("plan.yaml", "tasks: { a: { run: touch made } }");
    let run = left.windlass(&["run", "plan.yaml"]);
    assert_eq!(run.code, Some(4), "{}", run.all());
    assert!(!left.desk.work().join("made").exists());
    assert!(before == store(), "the store was changed");
}

#[test]
fn a_kind_of_event_that_only_a_later_build_knows_is_refused_with_its_name() {
    let left = Left::by(KEPT[0].0);
    add_records_of_a_later_build(&left.home, r#"{"at":1,"v":1,"event":{"foo_happened":{}}}"#);
    is_refused_by_all(&left, "(`foo_happened`, v1) was written by Windlass 9.9.9");
}

#[test]
fn a_later_version_of_an_event_is_refused_with_the_build_that_wrote_it() {
    let left = Left::by(KEPT[0].0);
    add_records_of_a_later_build(
        &left.home,
        r#"{"at":1,"v":99,"event":{"clock_jumped":{"by_ms":1,"suspended_ms":0}}}"#,
    );
    is_refused_by_all(&left, "(`clock_jumped`, v99) was written by Windlass 9.9.9");
}

#[test]
fn a_later_layout_of_the_store_is_refused() {
    let left = Left::by(KEPT[0].0);
    let store = Connection::open(left.home.join("journal.db")).expect("a store");
    store.pragma_update(None, "user_version", 2).expect("it is taken");
    drop(store);
    is_refused_by_all(&left, "use the newer Windlass that made it");
}
