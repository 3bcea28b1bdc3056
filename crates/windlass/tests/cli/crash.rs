//! `kill -9` at any moment, then `resume`: nothing that was won is lost, and nothing that was done is done again.
//! Each campaign kills at seeded moments: after so many lines of `--json`, each of which is a record made durable.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// How many records an uninterrupted run of the plan comes to, about.
const RECORDS: u64 = 260;

/// Fifty tasks of every kind that part of a plan may be, each of which leaves its key behind as a side effect.
fn plan() -> String {
    let mut tasks = String::new();
    let mut task = |name: &str, more: &str| {
        writeln!(tasks, "  {name}: {{ {more}, run: 'echo \"$WINDLASS_KEY\" >> effects' }}").expect("a text");
    };
    for link in 0..14 {
        let needs = if link == 0 { "needs: []".to_owned() } else { format!("needs: [chain{}]", link - 1) };
        task(&format!("chain{link}"), &needs);
    }
    for wide in 0..10 {
        task(&format!("wide{wide}"), "needs: []");
        task(&format!("next{wide}"), &format!("needs: [wide{wide}, wide{}]", (wide + 1) % 10));
    }
    task("any", "needs: [next0, next1, next2], join: any");
    task("never", "needs: [wide0], when: false");
    format!(
        r#"version: 1
goal: Fifty tasks with side effects
concurrency: 4
defaults: {{ retry: {{ losses_max: 1000 }} }}
tasks:
{tasks}  list: {{ run: 'echo "$WINDLASS_KEY" >> effects; echo "[0,1,2,3,4,5,6,7,8]"' }}
  fan:
    needs: [list]
    for_each: "{{{{ tasks.list.output }}}}"
    max_parallel: 3
    run: 'echo "$WINDLASS_KEY" >> effects; echo "{{{{ item }}}}"'
  flaky:
    retry: {{ max_attempts: 3, initial_interval: 1ms }}
    run: 'echo "$WINDLASS_KEY" >> effects; test -e flag || {{ touch flag; exit 1; }}'
  broken: {{ optional: true, run: 'echo "$WINDLASS_KEY" >> effects; exit 7' }}
  end: {{ needs: [chain13, any, never, fan, flaky, broken], run: 'echo "$WINDLASS_KEY" >> effects; echo "{{{{ tasks.fan.output }}}}"' }}
"#
    )
}

/// A folder of its own: the one that tasks work in, and a home beside it.
struct Site {
    folder: TempDir,
}

impl Site {
    fn new() -> Self {
        let site = Self { folder: tempfile::tempdir().expect("a folder") };
        std::fs::create_dir(site.work()).expect("a folder");
        std::fs::write(site.work().join("plan.yaml"), plan()).expect("a plan");
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

    /// Runs a command to its end, or kills it after so many lines. True where it came to its end.
    fn until(&self, args: &[&str], lines: Option<u64>) -> bool {
        let mut child = self.windlass(args).stderr(Stdio::null()).spawn().expect("the binary starts");
        let mut output = BufReader::new(child.stdout.take().expect("its output"));
        let mut line = String::new();
        for _ in 0..lines.unwrap_or(u64::MAX) {
            line.clear();
            if output.read_line(&mut line).expect("a line") == 0 {
                break;
            }
        }
        if lines.is_some() {
            child.kill().expect("it can be killed");
        }
        child.wait().expect("it ends").code().is_some()
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

    /// Whether a kill came before the end of the run.
    fn is_unfinished(&self) -> bool {
        self.ask(&["show", "last", "--json"])[0]["run"]["ended_at"].is_null()
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

fn uninterrupted() -> Value {
    let site = Site::new();
    assert!(site.until(&["run", "plan.yaml", "--json"], None));
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
    let (mut hit, of) = (0, seeds.end - seeds.start);
    for seed in seeds {
        let site = Site::new();
        site.until(&["run", "plan.yaml", "--json"], Some(moment(seed, RECORDS)));
        hit += u64::from(site.is_unfinished());
        assert!(site.until(&["resume", "--json"], None), "seed {seed}");
        assert_eq!(site.outcome(), expected, "seed {seed}");
        site.is_exactly_once();
    }
    assert!(2 * hit >= of, "only {hit} of {of} kills came before the end of the run");
}

fn killed_twenty_times(seed: u64) {
    let expected = uninterrupted();
    let site = Site::new();
    site.until(&["run", "plan.yaml", "--json"], Some(moment(seed, 20)));
    let mut hit = u64::from(site.is_unfinished());
    for kill in 1..20 {
        site.until(&["resume", "--json"], Some(moment(seed * 100 + kill, 24)));
        hit += u64::from(site.is_unfinished());
    }
    assert!(hit >= 5, "seed {seed}: only {hit} of 20 kills came before the end of the run");
    assert!(site.until(&["resume", "--json"], None), "seed {seed}");
    assert_eq!(site.outcome(), expected, "seed {seed}");
    site.is_exactly_once();
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
    let site = Site::new();
    assert!(site.until(&["run", "plan.yaml", "--json"], None));
    let shown = site.ask(&["show", "last", "--json"]).remove(0);
    assert_eq!(shown["tasks"].as_array().expect("tasks").len(), 50, "{}", Path::new("plan.yaml").display());
}
