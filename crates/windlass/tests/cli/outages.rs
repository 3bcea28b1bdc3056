//! The power is cut after each call of a run with whatever a run writes: what anybody had been told is there, nothing is
//! taken for damaged, and the run comes to its end.

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use windlass_core::event::{Event, Record};
use windlass_core::id::Seq;
use windlass_engine::engine::BUILD;
use windlass_engine::reading::Reading;
use windlass_journal::Journal as _;
use windlass_journal::home::{Home, HomeSettings};
use windlass_journal::inspect::{Closeness, inspect};
use windlass_journal::lock::Lock;
use windlass_journal::sqlite::SqliteJournal;

use crate::desk::{Desk, can_trace};
use crate::losses::WITHIN;
use crate::power::cuts::{Image, Keep, Recording};
use crate::power::disk::Disk;
use crate::power::tape::{self, Call};

/// After how many changes of the disk each the binary goes on with what may be left of it.
const SAMPLE_EVERY: usize = 31;

/// What leaves its key behind, as a side effect.
const WORK: &str = "echo \"$WINDLASS_KEY\" >> effects";

/// A plan with each part of which something else is written; `then` is what comes of `flag`.
fn plan(then: &str) -> String {
    format!(
        r#"
goal: All that is written
concurrency: 3
defaults: {{ retry: {{ initial_interval: 1ms, jitter: none }} }}
agents: {{ reads: {{ adapter: command, program: wc }} }}
tasks:
  one: {{ run: '{WORK}; echo 1' }}
  large: {{ run: '{WORK}; seq 40000' }}
  read: {{ needs: [large], agent: reads, prompt: "{{{{ tasks.large.output }}}}" }}
  again: {{ run: '{WORK}; test $WINDLASS_ATTEMPT -ge 2', retry: {{ max_attempts: 3 }} }}
  vote: {{ run: "echo {{{{ index }}}}", replicas: 2, select: first }}
  within: {{ plan: within.yaml, inputs: {{ n: "{{{{ tasks.one.output }}}}" }}, needs: [one] }}
  each: {{ run: "echo {{{{ item }}}}", for_each: [a, b] }}
  rounds: {{ run: "echo {{{{ index }}}}", repeat: {{ max: 2, until: "{{{{ index == 1 }}}}" }} }}
  spare: {{ run: "exit 3", optional: true, retry: {{ max_attempts: 1 }} }}
  skipped: {{ when: false, run: "true" }}
  say: {{ needs: [one], emit: {{ topic: t, data: 7 }} }}
  hear: {{ wait_for: {{ topic: t }} }}
  later: {{ wait_for: {{ after: 10ms }} }}
  ask: {{ needs: [one], approval: {{ text: "Shall it?", show: [one] }} }}
  told: {{ wait_for: {{ topic: outside, external: true }} }}
  shout: {{ run: 'windlass emit "${{WINDLASS_KEY%%/*}}" outside 1 --json' }}
  nested: {{ run: 'windlass run called.yaml' }}
  flag: {{ needs: [ask], run: '{WORK}; {then}', retry: {{ max_attempts: 1 }} }}
  last:
    needs: [read, again, vote, within, each, rounds, spare, hear, later, told, nested, flag]
    run: '{WORK}; echo {{{{ tasks.one.output }}}} {{{{ tasks.within.output.y }}}} {{{{ tasks.hear.output }}}}'
"#
    )
}

/// What is done with it: it stops at the question, fails, goes on by another plan, and comes to its end.
const LINES: &str = r#"
windlass run --json plan.yaml | tee told
windlass approve last ask --id "$(sed -n 's/.*approval_requested.*"id":"\([0-9a-f]*\)".*/\1/p' told)"
windlass resume last --json
windlass revise last second.yaml
windlass dlq requeue last flag
windlass resume last --json
"#;

/// What commands that print no records say when they have done what is asked, and the first event that says so.
const SAID: [(&str, &str); 3] = [
    ("is approved", "approval_given"),
    ("goes on by version 2", "plan_revised"),
    ("is tried anew", "task_requeued"),
];

/// All that was done on a desk, and the journal that came of it.
struct Recorded {
    desk: Desk,
    calls: Vec<Call>,
    records: Vec<Record>,
    /// Where each attempt begins, by its key.
    begun: BTreeMap<String, u64>,
    /// Where it stands first that something was done which a command says in other words.
    said: BTreeMap<&'static str, u64>,
}

impl Recorded {
    fn new() -> Self {
        let desk = Desk::with(&plan("exit 5"));
        desk.write("second.yaml", &plan("true"));
        desk.write("within.yaml", WITHIN);
        desk.write("called.yaml", &format!("tasks: {{ c: {{ run: '{WORK}; echo called' }} }}"));
        let log = desk.work().with_file_name("tape");
        let done = on_tape(&desk, &log);
        assert!(done.status.success(), "{done:?}");
        let calls = tape::read(&fs::read_to_string(log).expect("it was recorded"));
        let root = disk_of(&desk);
        for (path, bytes) in Disk::after(&root, &calls).live() {
            let is_missed = !is_index(&path) && fs::read(root.join(&path)).expect("it was recorded") != bytes;
            assert!(!is_missed, "the recording misses something of {}", path.display());
        }
        let records = records(&desk.home()).expect("nothing is wrong with it");
        let events = desk.windlass(&["events", "--json"]).lines();
        let begun = events.iter().filter(|event| event["type"] == "attempt_started");
        let begun = begun.map(|event| (key(event), seq(event))).collect();
        let first = |(said, name)| Some((said, seq(events.iter().find(|event| event["type"] == name)?)));
        let said: BTreeMap<_, _> = SAID.into_iter().filter_map(first).collect();
        assert_eq!(said.len(), SAID.len(), "all of it was done: {}", String::from_utf8_lossy(&done.stderr));
        Self { desk, calls, records, begun, said }
    }

    /// Calls something with all cuts that can be made, where these files are of no account.
    fn with<T>(
        &self,
        is_left_out: &(dyn Fn(&Path) -> bool + Sync),
        then: impl FnOnce(Recording<'_>) -> T,
    ) -> T {
        let (root, told) = (disk_of(&self.desk), |call: &Call| self.told(call));
        then(Recording { calls: &self.calls, root: &root, is_left_out, told: &told, seeds: 1 })
    }

    /// The last record that somebody is told of by a call: a client by a line, whoever looks by what an attempt does.
    fn told(&self, call: &Call) -> Option<u64> {
        if call.name != "write" {
            return None;
        }
        let text = String::from_utf8_lossy(&call.bytes(1)).into_owned();
        if call.file(0).ends_with("project/effects") {
            return Some(self.begun[text.trim_end()]);
        }
        let said = self.said.iter().filter(|(said, _)| text.contains(**said)).map(|(_, seq)| *seq);
        let records = text.lines().filter_map(|line| line.strip_prefix("{\"seq\":"));
        said.chain(records.filter_map(|rest| rest.split([',', '}']).next()?.parse().ok())).max()
    }

    /// Whether a home is sound and has a beginning of the journal. Says how much of it.
    fn check(&self, home: Option<&Path>) -> Result<u64, String> {
        let Some(home) = home else { return Ok(0) };
        let seen = inspect(home, Closeness::Sound).map_err(|failed| format!("{failed}: {failed:?}"))?;
        let is_whole = seen.damage.is_none() && seen.foreign.is_none() && !seen.is_head_slot_torn;
        if !is_whole || !seen.dangling.is_empty() || !seen.unsound.is_empty() {
            return Err(format!("{seen:?}"));
        }
        Reading::open(home).map_err(|failed| format!("{failed}: {failed:?}"))?;
        let records = records(home)?;
        let is_beginning = self.records.starts_with(&records);
        if is_beginning { Ok(records.len() as u64) } else { Err(format!("{} other records", records.len())) }
    }

    /// Goes on with what a disk holds, by the binary, up to the end of the run.
    fn go_on(&self, image: &Image) {
        let disk = image.lay_out();
        let Some(home) = home_on(disk.path()) else { return };
        let at = home.to_str().expect("plain letters").to_owned();
        let windlass = |arguments: &[&str]| self.desk.windlass(&[arguments, &["--home", &at]].concat());
        let before = records(&home).expect("it was looked at");
        drop(fs::remove_file(self.desk.work().join("effects")));
        let doctor = windlass(&["doctor"]);
        assert_eq!(doctor.code, Some(0), "{}", doctor.all());
        let is_begun = before.iter().any(|record| record.event.name() == "run_created");
        let shown = windlass(&["show", "last"]);
        assert_eq!(shown.code, Some(if is_begun { 0 } else { 2 }), "{}", shown.all());
        if !is_begun {
            assert!(shown.err.contains("there are no runs"), "{}", shown.all());
            return;
        }
        let logs = windlass(&["logs", "last", "large"]);
        assert_eq!(logs.code, Some(0), "{}", logs.all());
        let mut all = String::new();
        for arguments in [
            &["resume", "last", "--yes"][..],
            &["revise", "last", "second.yaml"],
            &["resume", "last", "--yes"],
            &["dlq", "requeue", "last", "flag"],
            &["resume", "last", "--yes"],
        ] {
            all += &windlass(arguments).all();
        }
        let shown = windlass(&["show", "last", "last"]);
        assert!(shown.out.contains("1 1 7"), "{} records: {all}\n{}", before.len(), shown.all());
        let again = self.desk.read("effects");
        let done =
            before.iter().filter_map(succeeded).find(|done| again.lines().any(|key| key.starts_with(done)));
        assert_eq!(done, None, "it had succeeded: {again}");
        let doctor = windlass(&["doctor"]);
        assert_eq!(doctor.code, Some(0), "{}", doctor.all());
    }
}

/// What the keys of the attempts of a task begin with that a record says has succeeded.
fn succeeded(record: &Record) -> Option<String> {
    let Event::TaskSucceeded { run, task, .. } = &record.event else { return None };
    Some(format!("{run}/{task}/"))
}

/// What may be on a disk at some moments, each in another way.
fn samples(recording: &Recording<'_>) -> Vec<Image> {
    let mut disk = Disk::new(recording.root);
    let (mut changes, mut images) = (0, Vec::new());
    for call in recording.calls {
        changes += usize::from(disk.take(call));
        if changes == SAMPLE_EVERY {
            changes = 0;
            let keep =
                [Keep::Nothing, Keep::Some(images.len() as u64), Keep::Contents, Keep::Half, Keep::Names];
            images.push(recording.image(&disk, call, keep[images.len() % keep.len()]));
        }
    }
    images
}

#[expect(clippy::disallowed_methods, reason = "tests start the built binary, here under strace")]
fn on_tape(desk: &Desk, log: &Path) -> Output {
    let sealed = desk.command(&[]);
    let binary = Path::new(sealed.get_program()).parent().expect("it is in a folder");
    let mut strace = Command::new("strace");
    strace.args(tape::options(log)).args(["sh", "-c", LINES]).current_dir(desk.work()).env_clear();
    strace.envs(sealed.get_envs().filter_map(|(name, value)| Some((name, value?))));
    strace.env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", binary.display()));
    strace.stdin(Stdio::null()).output().expect("it starts")
}

/// What stands for a disk: the folder in which the homes of a desk are made.
fn disk_of(desk: &Desk) -> PathBuf {
    desk.work().with_file_name("state").canonicalize().expect("it is there")
}

/// The home on a disk, if there is one.
fn home_on(disk: &Path) -> Option<PathBuf> {
    Some(fs::read_dir(disk.join("windlass")).ok()?.next()?.expect("it can be read").path())
}

/// The index of the log, which whoever needs it makes anew.
fn is_index(path: &Path) -> bool {
    path.ends_with("journal.db-shm")
}

/// What a journal is not made of, or may lose its end.
fn is_beside(path: &Path) -> bool {
    let beside = ["logs", "spool", "keeper.lock", "cgroups", "cgroups.new"];
    is_index(path) || beside.iter().any(|name| path.ends_with(name))
}

/// All records of a home, by an opening as an engine's.
fn records(home: &Path) -> Result<Vec<Record>, String> {
    let settings = HomeSettings { reserve: 0, min_free: 0, force: true };
    let home = Home::open(home, settings).map_err(|failed| failed.to_string())?;
    let lock = Lock::take(home.path(), None).map_err(|failed| failed.to_string())?;
    let mut records = Vec::new();
    let mut take = |record| {
        records.push(record);
        ControlFlow::Continue(())
    };
    let opened = SqliteJournal::open(&home, &lock, BUILD);
    let replayed = opened.and_then(|mut journal| journal.replay(Seq(0), &mut take));
    replayed.map_err(|failed| format!("{failed}: {failed:?}"))?;
    Ok(records)
}

fn seq(event: &Value) -> u64 {
    event["seq"].as_u64().expect("a number")
}

fn key(event: &Value) -> String {
    let text = |name: &str| event[name].as_str().expect("a text").to_owned();
    format!("{}/{}/{}", text("run"), text("task"), event["attempt"])
}

#[test]
fn wherever_the_power_is_cut_all_that_was_told_is_there_and_the_run_comes_to_its_end() {
    if !can_trace() {
        return;
    }
    let recorded = Recorded::new();
    let outcome = recorded.with(&is_beside, |recording| {
        let check = |image: &Image| recorded.check(home_on(image.lay_out().path()).as_deref());
        recording.cut_all(2, || check)
    });
    assert!(outcome.moments > 400 && outcome.broken.is_empty(), "{outcome:#?}");
    let samples = recorded.with(&is_index, |recording| samples(&recording));
    for image in &samples {
        recorded.go_on(image);
    }
}
