//! `windlass doctor --accept-loss`, wherever the part that is kept ends: what is left of a run comes to its end.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use rustix::process::Signal;

use crate::desk::{Desk, Done};

/// What a record in the store begins with.
const RECORD: &[u8] = b"{\"at\":";

const PLAN: &str = r#"
defaults: { retry: { initial_interval: 1ms, jitter: none } }
tasks:
  one: { run: "echo 1" }
  again: { run: "test $WINDLASS_ATTEMPT -ge 2", retry: { max_attempts: 3 } }
  vote: { run: "echo {{ index }}", replicas: 3, select: first }
  within: { plan: within.yaml, inputs: { n: "{{ tasks.one.output }}" }, needs: [one] }
  each: { run: "echo {{ item }}", for_each: [a, b] }
  rounds: { run: "echo {{ index }}", repeat: { max: 2, until: "{{ index == 1 }}" } }
  quick: { run: "true" }
  slow: { run: "sleep 600" }
  either: { needs: [quick, slow], join: any, cancel_rest: true, run: "true" }
  spare: { run: "exit 3", optional: true, retry: { max_attempts: 1 } }
  never: { run: "echo once", rerun: never }
  say: { needs: [one], emit: { topic: t, data: 7 } }
  hear: { wait_for: { topic: t } }
  last:
    needs: [again, vote, within, each, rounds, either, spare, never, hear]
    run: "echo {{ tasks.one.output }} {{ tasks.within.output.y }} {{ tasks.hear.output }}"
"#;

pub(crate) const WITHIN: &str = r#"
inputs: { n: { type: number } }
tasks:
  x: { run: "echo {{ inputs.n }}" }
  y: { needs: [x], run: "echo {{ tasks.x.output }}" }
"#;

#[test]
fn a_run_comes_to_its_end_behind_whichever_record_its_journal_was_cut() {
    let desk = Desk::with(PLAN);
    desk.write("within.yaml", WITHIN);
    let whole = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!(whole.code, Some(0), "{}", whole.all());
    let home = desk.home();
    let store = fs::read(home.join("journal.db")).expect("it is there");
    let records = store.windows(RECORD.len()).enumerate().filter(|(_, bytes)| *bytes == RECORD);
    let cuts: BTreeSet<u64> = records.filter_map(|(record, _)| cut(&desk, &store, record)).collect();
    let events = desk.windlass(&["events", "last", "--json"]).lines();
    let last = events.last().and_then(|event| event["seq"].as_u64()).expect("it is over");
    assert_eq!(cuts, (0..last).collect(), "it was cut behind every record");
}

/// Damages a record, accepts that, and goes on. Gives the last record that was kept, if that was a loss.
fn cut(desk: &Desk, store: &[u8], record: usize) -> Option<u64> {
    let home = desk.work().join("cut");
    drop(fs::remove_dir_all(&home));
    copy(&desk.home(), &home);
    let mut damaged = store.to_vec();
    damaged[record + 2] ^= 1;
    fs::write(home.join("journal.db"), damaged).expect("ours");
    let at = home.to_str().expect("plain letters");
    let accepted = desk.windlass(&["doctor", "--accept-loss", "--home", at]);
    assert_eq!(accepted.code, Some(0), "{}", accepted.all());
    // What was left over from before a page was split is no record.
    if accepted.out.contains("Nothing was wrong") {
        return None;
    }
    let kept = kept(&accepted.out);
    let resumed = desk.windlass(&["resume", "last", "--home", at]);
    let ended = match resumed.code {
        Some(2) => {
            assert!(
                kept <= 1 && resumed.err.contains("there are no runs"),
                "behind {kept}: {}",
                resumed.all()
            );
            return Some(kept);
        }
        // Nobody knows whether what is not to run again has run.
        Some(3) => {
            let settled = desk.windlass(&["settle", "last", "never", "--done", "--home", at]);
            assert_eq!(settled.code, Some(0), "behind {kept}: {}\n{}", resumed.all(), settled.all());
            desk.windlass(&["resume", "last", "--home", at])
        }
        _ => resumed,
    };
    assert_eq!(ended.code, Some(0), "behind {kept}: {}", ended.all());
    let shown = desk.json(&["show", "last", "last", "--json", "--home", at]);
    assert_eq!(shown["tasks"][0]["output"], "1 1 7", "behind {kept}: {shown}");
    Some(kept)
}

/// The last record that was kept, by what the doctor says.
fn kept(said: &str) -> u64 {
    let number =
        said.strip_prefix("The journal goes on after record ").and_then(|rest| rest.split(';').next());
    number.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("it says what is kept: {said}"))
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("ours");
    for entry in fs::read_dir(from).expect("it is there") {
        let (from, name) = entry.map(|entry| (entry.path(), entry.file_name())).expect("it is readable");
        if from.is_dir() {
            copy(&from, &to.join(name));
        } else {
            fs::copy(&from, to.join(name)).expect("ours");
        }
    }
}

const STANDS: &str = r#"
tasks:
  large: { run: "seq 20000" }
  many: { for_each: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16], run: "true" }
  stands: { needs: [large, many], run: "test -e open || exec sleep 600" }
  after: { needs: [stands], run: "echo the end" }
"#;

/// A desk whose run was killed twice in the middle, so that there are records in the store, and others in its log.
fn killed_twice() -> Desk {
    let desk = Desk::with(STANDS);
    for arguments in [["run", "plan.yaml"], ["resume", "last"]] {
        let mut running = desk.start(&arguments);
        running.wait_for("started   stands");
        running.signal(Signal::KILL);
        drop(running.end());
    }
    desk.write("open", "");
    desk
}

/// Something that can happen to the files of a home, with its name.
type Harm = (&'static str, fn(&Path));

const HARMS: [Harm; 12] = [
    ("no head", |home| remove(&home.join("head"))),
    ("both slots of the head torn", |home| flip(&home.join("head"), &[60, 4096 + 60])),
    ("what is no head", |home| write(&home.join("head"), b"no head")),
    ("an empty head", |home| write(&home.join("head"), b"")),
    ("no store", |home| remove(&home.join("journal.db"))),
    ("what is no store", |home| write(&home.join("journal.db"), b"no store")),
    ("half a store", |home| halve(&home.join("journal.db"))),
    ("a page of the store", |home| flip(&home.join("journal.db"), &[8192, 8195])),
    ("a byte of the store", |home| flip(&home.join("journal.db"), &[12000])),
    ("no log", |home| remove(&home.join("journal.db-wal"))),
    ("half a log", |home| halve(&home.join("journal.db-wal"))),
    ("a byte of the log", |home| flip(&home.join("journal.db-wal"), &[32 + 24 + 4000])),
];

fn remove(path: &Path) {
    fs::remove_file(path).expect("it is there");
}

fn write(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).expect("ours");
}

fn halve(path: &Path) {
    let bytes = fs::read(path).expect("it is there");
    write(path, &bytes[..bytes.len() / 2]);
}

fn flip(path: &Path, places: &[usize]) {
    let mut bytes = fs::read(path).expect("it is there");
    for place in places {
        bytes[*place] ^= 1;
    }
    write(path, &bytes);
}

#[test]
fn after_each_kind_of_damage_looking_changes_nothing_and_what_is_left_of_a_killed_run_goes_on() {
    let desk = killed_twice();
    for (name, harm) in HARMS {
        let home = desk.work().with_file_name("harmed");
        drop(fs::remove_dir_all(&home));
        copy(&desk.home(), &home);
        let at = home.to_str().expect("plain letters");
        let windlass = |arguments: &[&str]| desk.windlass(&[arguments, &["--home", at]].concat());
        assert_eq!(windlass(&["doctor"]).code, Some(0), "nothing is wrong before");
        harm(&home);
        // SQLite makes an empty log where there is none.
        let read = |name| fs::read(home.join(name)).unwrap_or_default();
        let files = || ["head", "journal.db", "journal.db-wal"].map(read);
        let (before, first, second) = (files(), windlass(&["doctor"]), windlass(&["doctor"]));
        assert_eq!(first.code, Some(4), "{name}: {}", first.all());
        // What is said of the machine changes with it.
        let of_the_store = |said: &Done| said.out.split("engine\n").next().map(str::to_owned);
        assert_eq!(of_the_store(&first), of_the_store(&second), "{name}: a second look says the same");
        let refused = windlass(&["resume", "last"]);
        assert_eq!(refused.code, Some(4), "{name}: {}", refused.all());
        assert!(files() == before, "{name}: looking changes nothing");
        let accepted = windlass(&["doctor", "--accept-loss"]);
        assert_eq!(accepted.code, Some(0), "{name}: {}", accepted.all());
        let resumed = windlass(&["resume", "last"]);
        let is_gone = resumed.code == Some(2) && resumed.err.contains("there are no runs");
        let ended = if is_gone { windlass(&["run", "plan.yaml"]) } else { resumed };
        assert_eq!(ended.code, Some(0), "{name}: {}{}", accepted.all(), ended.all());
        assert!(ended.out.contains("after: the end"), "{name}: {}", ended.all());
        assert_eq!(windlass(&["doctor"]).code, Some(0), "{name}");
    }
}
