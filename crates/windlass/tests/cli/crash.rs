//! `kill -9` at any moment, then `resume`: nothing that was won is lost, and nothing that was done is done again.
//! Campaigns kill at seeded moments: after so many lines of `--json`, each of which is a record made durable; or, from the first
//! instant on, after so many reads and writes, while home, head and store are made or the journal is replayed. A
//! closed gate keeps the run from ending first, so that every kill hits.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// How many records an uninterrupted run of the plan comes to, about.
const RECORDS: u64 = 260;

/// How many links of the chain have a gate, and how often a run is killed in front of one.
const LINKS: u64 = 20;

/// What a task does that leaves its key behind as a side effect.
const WORK: &str = "echo \"$WINDLASS_KEY\" >> effects";

/// The start of a task that stands still before it did anything, unless its gate is open.
fn at_gate(name: &str) -> String {
    format!("test -e open-{name} || exec sleep 1000; {WORK}")
}

/// Fifty tasks of every kind that part of a plan may be.
fn plan() -> String {
    let mut tasks = String::new();
    let mut task = |name: &str, more: &str, run: &str| {
        writeln!(tasks, "  {name}: {{ {more}, run: '{run}' }}").expect("a text");
    };
    for link in 0..LINKS {
        let needs = if link == 0 { "needs: []".to_owned() } else { format!("needs: [chain{}]", link - 1) };
        let name = format!("chain{link}");
        task(&name, &needs, &at_gate(&name));
    }
    for wide in 0..7 {
        task(&format!("wide{wide}"), "needs: []", WORK);
        task(&format!("next{wide}"), &format!("needs: [wide{wide}, wide{}]", (wide + 1) % 7), WORK);
    }
    task("any", "needs: [next0, next1, next2], join: any", WORK);
    task("never", "needs: [wide0], when: false", WORK);
    let end = at_gate("end");
    format!(
        r#"version: 1
goal: Fifty tasks with side effects
concurrency: 4
defaults: {{ retry: {{ losses_max: 1000 }} }}
tasks:
{tasks}  list: {{ run: '{WORK}; echo "[0,1,2,3,4,5,6,7,8]"' }}
  fan:
    needs: [list]
    for_each: "{{{{ tasks.list.output }}}}"
    max_parallel: 3
    run: '{WORK}; echo "{{{{ item }}}}"'
  flaky:
    retry: {{ max_attempts: 3, initial_interval: 1ms }}
    run: '{WORK}; test -e flag || {{ touch flag; exit 1; }}'
  broken: {{ optional: true, run: '{WORK}; exit 7' }}
  end: {{ needs: [chain19, any, never, fan, flaky, broken], run: '{end}; echo "{{{{ tasks.fan.output }}}}"' }}
"#
    )
}

/// A folder of its own: the one that tasks work in, and a home beside it.
struct Site {
    folder: TempDir,
}

impl Site {
    fn new() -> Self {
        Self::with(&plan())
    }

    fn with(plan: &str) -> Self {
        let site = Self { folder: tempfile::tempdir().expect("a folder") };
        std::fs::create_dir(site.work()).expect("a folder");
        std::fs::write(site.work().join("plan.yaml"), plan).expect("a plan");
        site
    }

    fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    #[expect(clippy::disallowed_methods, reason = "the test is what starts the binary")]
    fn windlass(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_windlass"));
        command.args(args).current_dir(self.work()).env_remove("WINDLASS_OWNERS");
        command.env("WINDLASS_HOME", self.home()).env("WINDLASS_HOME_RESERVE", "1MiB");
        command.env("WINDLASS_HOME_MIN_FREE", "1MiB");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Lets tasks pass at this gate, from the next engine on.
    fn open(&self, gate: &str) {
        std::fs::write(self.work().join(format!("open-{gate}")), "").expect("a file");
    }

    /// Lets tasks pass at every gate but that before the end.
    fn open_chain(&self) {
        (0..LINKS).for_each(|link| self.open(&format!("chain{link}")));
    }

    /// Runs a command to its end.
    fn to_its_end(&self, args: &[&str]) {
        let ended = self.windlass(args).stdout(Stdio::null()).stderr(Stdio::null()).status();
        let ended = ended.expect("the binary starts");
        assert!(ended.code().is_some(), "{args:?}: {ended}");
    }

    /// Runs a command and kills it after so many lines, or when a task has started that waits at this closed gate, which
    /// it will. The run is not over then.
    fn kill(&self, args: &[&str], lines: u64, gate: &str) {
        let mut child = self.windlass(args).stderr(Stdio::null()).spawn().expect("the binary starts");
        let mut output = BufReader::new(child.stdout.take().expect("its output")).lines();
        for _ in 0..lines {
            let line = output.next().expect("it can't end").expect("a line");
            let record: Value = serde_json::from_str(&line).expect("a line of JSON");
            if record["type"] == "attempt_started" && record["task"] == *gate {
                break;
            }
        }
        child.kill().expect("it can be killed");
        child.wait().expect("it is over");
        let shown = self.ask(&["show", "last", "--json"]);
        assert!(shown[0]["run"]["ended_at"].is_null(), "it ended before it was killed");
    }

    /// Runs a command and kills it after so many reads and writes, or where it stands still at the gate. Gives how many
    /// there were.
    fn kill_after_calls(&self, args: &[&str], most: u64) -> u64 {
        let mut command = self.windlass(args);
        let mut child =
            command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary starts");
        let (account, gate) = (format!("/proc/{}/io", child.id()), self.work().join("at-gate"));
        let mut calls = 0;
        while calls < most && !gate.exists() && child.try_wait().expect("our child").is_none() {
            calls = reads_and_writes(&account);
        }
        child.kill().expect("it can be killed");
        child.wait().expect("it is over");
        calls
    }

    /// Goes on with the run, or begins it where it was not made.
    fn go_on(&self) -> &'static [&'static str] {
        let shown = self.windlass(&["show", "last"]).output().expect("the binary starts");
        if shown.status.success() { &["resume", "--json"] } else { &["run", "plan.yaml", "--json"] }
    }

    fn ask(&self, args: &[&str]) -> Vec<Value> {
        let told = self.windlass(args).output().expect("the binary starts");
        let text = String::from_utf8(told.stdout).expect("UTF-8");
        assert!(
            told.status.success(),
            "{args:?}: {}\n{}",
            told.status,
            String::from_utf8_lossy(&told.stderr)
        );
        let lines = text.lines().filter(|line| !line.is_empty());
        if args[0] == "show" {
            return vec![serde_json::from_str(&text).expect("a document")];
        }
        lines.map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
    }

    /// What the run came to, without attempts, times, fences and seqs.
    fn outcome(&self) -> Value {
        let shown = self.ask(&["show", "last", "--json"]).remove(0);
        let tasks = shown["tasks"].as_array().expect("tasks").iter();
        let kept = tasks.map(|task| {
            serde_json::json!([task["id"], task["state"], task["output"], task["error"]["kind"]])
        });
        serde_json::json!({ "state": shown["run"]["state"], "tasks": kept.collect::<Vec<_>>() })
    }

    /// One key a task is accepted, and every other key belongs to an attempt that the journal shows as over otherwise.
    fn is_exactly_once(&self) {
        let events = self.ask(&["events", "last", "--json"]);
        let mut accepted: BTreeMap<String, u64> = BTreeMap::new();
        let mut over: BTreeSet<String> = BTreeSet::new();
        let mut started: BTreeSet<String> = BTreeSet::new();
        for event in &events {
            let task = event["task"].as_str().unwrap_or_default();
            let key = format!("{}/{task}/{}", event["run"].as_str().unwrap_or_default(), event["attempt"]);
            match event["type"].as_str().expect("a type") {
                "attempt_started" => {
                    assert!(!accepted.contains_key(task), "{task} was started again after it was accepted");
                    assert!(started.insert(key.clone()), "{key} was started twice");
                }
                "task_succeeded" if event["attempt"].is_u64() => {
                    let attempt = event["attempt"].as_u64().expect("a number");
                    assert_eq!(accepted.insert(task.to_owned(), attempt), None, "{task} was accepted twice");
                }
                "attempt_lost" => {
                    over.insert(key);
                }
                "attempt_finished" if !event["error"].is_null() => {
                    over.insert(key);
                }
                _ => {}
            }
        }
        let effects = std::fs::read_to_string(self.work().join("effects")).expect("side effects");
        for key in effects.lines() {
            let (task, attempt) =
                key.split_once('/').and_then(|(_, rest)| rest.rsplit_once('/')).expect("a key");
            let is_accepted = accepted.get(task).map(u64::to_string).as_deref() == Some(attempt);
            assert!(is_accepted || over.contains(key), "nobody accounts for the side effect of {key}");
        }
        for (task, attempt) in &accepted {
            let left = effects.lines().filter(|key| key.ends_with(&format!("/{task}/{attempt}"))).count();
            assert_eq!(left, 1, "{task}/{attempt} was accepted, and did its work {left} times");
        }
    }
}

/// How often a process has read and written.
fn reads_and_writes(account: &str) -> u64 {
    let text = std::fs::read_to_string(account).unwrap_or_default();
    let counts = text.lines().filter_map(|line| {
        line.strip_prefix("syscr: ").or_else(|| line.strip_prefix("syscw: "))?.parse::<u64>().ok()
    });
    counts.sum()
}

fn uninterrupted() -> Value {
    let site = Site::new();
    site.open_chain();
    site.open("end");
    site.to_its_end(&["run", "plan.yaml", "--json"]);
    site.is_exactly_once();
    site.outcome()
}

/// A number from 1 to `most` for each seed (`SplitMix64`).
fn moment(seed: u64, most: u64) -> u64 {
    let mut mixed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    1 + (mixed ^ (mixed >> 31)) % most
}

fn killed_once(seeds: std::ops::Range<u64>) {
    let expected = uninterrupted();
    for seed in seeds {
        let site = Site::new();
        site.open_chain();
        site.kill(&["run", "plan.yaml", "--json"], moment(seed, RECORDS), "end");
        site.open("end");
        site.to_its_end(&["resume", "--json"]);
        assert_eq!(site.outcome(), expected, "seed {seed}");
        site.is_exactly_once();
    }
}

fn killed_twenty_times(seed: u64) {
    let expected = uninterrupted();
    let site = Site::new();
    for kill in 0..LINKS {
        let arguments = if kill == 0 { &["run", "plan.yaml", "--json"][..] } else { &["resume", "--json"] };
        let gate = format!("chain{kill}");
        site.kill(arguments, moment(seed * 100 + kill, 24), &gate);
        site.open(&gate);
    }
    site.open("end");
    site.to_its_end(&["resume", "--json"]);
    assert_eq!(site.outcome(), expected, "seed {seed}");
    site.is_exactly_once();
}

/// A few tasks, and a gate that tells when somebody stands in front of it.
fn small_plan() -> String {
    format!(
        "defaults: {{ retry: {{ losses_max: 1000 }} }}\ntasks:\n  first: {{ run: '{WORK}' }}\n  beside: {{ run: '{WORK}' }}\n  \
         end: {{ needs: [first, beside], run: 'touch at-gate; {}' }}\n",
        at_gate("end")
    )
}

/// Kills the start of a run, and of what goes on with it, each after so many reads and writes.
fn killed_from_the_first_instant_on(seeds: std::ops::Range<u64>) {
    let plan = small_plan();
    let whole = Site::with(&plan);
    let most = whole.kill_after_calls(&["run", "plan.yaml", "--json"], u64::MAX);
    whole.open("end");
    whole.to_its_end(&["resume", "--json"]);
    let expected = whole.outcome();
    for seed in seeds {
        let site = Site::with(&plan);
        site.kill_after_calls(&["run", "plan.yaml", "--json"], moment(seed, most));
        for kill in 1..4 {
            std::fs::remove_file(site.work().join("at-gate")).unwrap_or_default();
            site.kill_after_calls(site.go_on(), moment(seed * 100 + kill, most));
        }
        site.open("end");
        site.to_its_end(site.go_on());
        assert_eq!(site.outcome(), expected, "seed {seed}");
        site.is_exactly_once();
    }
}

#[test]
fn killed_while_it_begins_or_goes_on_a_run_still_ends_as_if_nothing_had_happened() {
    killed_from_the_first_instant_on(0..25);
}

#[test]
fn killed_at_other_moments_of_its_beginning_it_does_too() {
    killed_from_the_first_instant_on(25..50);
}

macro_rules! campaign {
    ($($name:ident: $from:literal),*) => { $(
        #[test]
        fn $name() {
            killed_once($from..$from + 20);
        }
    )* };
}

mod killed_once_and_resumed_a_run_ends_as_if_nothing_had_happened {
    use super::killed_once;

    campaign! {
        seeds_from_0: 0, seeds_from_20: 20, seeds_from_40: 40, seeds_from_60: 60, seeds_from_80: 80,
        seeds_from_100: 100, seeds_from_120: 120, seeds_from_140: 140, seeds_from_160: 160, seeds_from_180: 180
    }
}

#[test]
fn killed_twenty_times_a_run_still_ends_as_if_nothing_had_happened() {
    (1..=5).for_each(killed_twenty_times);
}

#[test]
fn killed_twenty_times_other_runs_still_end_as_if_nothing_had_happened() {
    (6..=10).for_each(killed_twenty_times);
}

#[test]
fn the_plan_has_fifty_tasks() {
    assert_eq!(uninterrupted()["tasks"].as_array().expect("tasks").len(), 50);
}
