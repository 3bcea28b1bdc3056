//! A disk that is full, or has become read-only, at each append of a run: what had been told is there, the reserve is
//! given up where there is one, and once there is room again `resume` ends the run.

use std::fs;

use crate::desk::{Desk, Done, Running, can_trace};
use crate::full_disk::on_a_small_disk;
use crate::needs::mounting;

/// Which of the writes are made to fail: all of a run of two tasks are more than a test has time for.
const STEP: usize = 3;

const TWO: &str = "tasks: { a: { run: 'true' }, b: { needs: [a], run: echo b >> got } }";

/// A run of which these calls fail. None where none came to that.
struct Failed {
    desk: Desk,
    home: String,
    done: Done,
}

impl Failed {
    fn run(reserve: &str, inject: &[String]) -> Option<Self> {
        let desk = Desk::with(TWO);
        let [log, home] =
            ["log", "other/home"].map(|name| desk.work().with_file_name(name).display().to_string());
        let files = ["journal.db", "journal.db-wal", "head"].map(|name| format!("{home}/{name}"));
        let injected = inject.iter().flat_map(|inject| ["-e", inject]);
        let paths = files.iter().chain([&home]).flat_map(|path| ["-P", path.as_str()]);
        let options: Vec<&str> = injected.chain(paths).chain(["-o", &log]).collect();
        let arguments = ["run", "plan.yaml", "--json", "--home", &home];
        let done = Running::of(desk.traced(&options, &arguments).env("WINDLASS_HOME_RESERVE", reserve)).end();
        let log = fs::read_to_string(log).expect("it was traced");
        log.contains("(INJECTED)").then_some(Self { desk, home, done })
    }

    fn windlass(&self, arguments: &[&str]) -> Done {
        self.desk.windlass(&[arguments, &["--home", &self.home]].concat())
    }

    /// What was told is there, and the run comes to its end.
    fn go_on(&self, said: &str) {
        let there = self.windlass(&["events", "--json"]);
        assert!(there.out.contains(&self.done.out), "{said}: {}\nthen: {}", self.done.all(), there.all());
        let resumed = self.windlass(&["resume", "last"]);
        let is_gone = resumed.code == Some(2) && resumed.err.contains("there are no runs");
        let ended = if is_gone { self.windlass(&["run", "plan.yaml"]) } else { resumed };
        assert_eq!(ended.code, Some(0), "{said}: {}\nthen: {}", self.done.all(), ended.all());
        assert_eq!(self.desk.read("got").lines().last(), Some("b"), "{said}: {}", ended.all());
        assert_eq!(self.windlass(&["doctor"]).code, Some(0), "{said}");
    }
}

fn full(when: &str) -> Vec<String> {
    vec!["trace=pwrite64".into(), format!("inject=pwrite64:error=ENOSPC:when={when}")]
}

/// Calls something for some of the writes of a run, until there is none of that number.
fn each_write(first: usize, mut fails: impl FnMut(usize) -> bool) {
    let failed = (first..).step_by(STEP).take_while(|nth| fails(*nth)).count();
    assert!(failed * STEP > 12, "{failed} writes failed");
}

#[test]
fn a_reserve_carries_a_run_over_whichever_of_its_writes_meets_a_full_disk() {
    if !can_trace() {
        return;
    }
    each_write(1, |nth| {
        let Some(failed) = Failed::run("1MiB", &full(&nth.to_string())) else { return false };
        assert_eq!(failed.done.code, Some(0), "{nth}: {}", failed.done.all());
        assert_eq!(failed.desk.read("got"), "b\n", "{nth}");
        failed.go_on(&nth.to_string());
        true
    });
}

#[test]
fn whichever_write_meets_a_disk_that_stays_full_the_engine_ends_and_what_it_had_told_is_there() {
    if !can_trace() {
        return;
    }
    for (first, reserve) in [(2, "0"), (3, "1MiB")] {
        each_write(first, |nth| {
            let Some(failed) = Failed::run(reserve, &full(&format!("{nth}+"))) else { return false };
            let (said, done) = (format!("{nth} of {reserve}"), &failed.done);
            if done.out.contains("run_finished") && done.code == Some(0) {
                // What found no room then is in the log all the same.
                failed.go_on(&said);
                return true;
            }
            assert_eq!(done.code, Some(4), "{said}: {}", done.all());
            assert!(done.err.contains("is full"), "{said}: {}", done.all());
            assert!(done.err.contains("hint: free some space"), "{said}: {}", done.all());
            failed.go_on(&said);
            true
        });
    }
}

#[test]
fn whichever_write_meets_a_disk_that_has_become_read_only_the_engine_ends_and_names_that() {
    if !can_trace() {
        return;
    }
    // By the ninth the store is set up. After that the folder is opened only by who asks whether a file can be made in it.
    each_write(9, |nth| {
        let writes = format!("inject=pwrite64:error=EROFS:when={nth}+");
        let makes = "inject=openat:error=EROFS:when=10+".to_owned();
        let inject = ["trace=pwrite64,openat".into(), writes, makes];
        let Some(failed) = Failed::run("0", &inject) else { return false };
        let done = &failed.done;
        assert_eq!(done.code, Some(4), "{nth}: {}", done.all());
        assert!(done.err.contains("has become read-only"), "{nth}: {}", done.all());
        assert!(done.err.contains("mount it for writing again, then resume"), "{nth}: {}", done.all());
        failed.go_on(&nth.to_string());
        true
    });
}

/// It leaves so many pages of the disk, in which the home then meets the end, and says what came of it.
const FILLS: &str = "tasks: { fill: { run: \"head -c 99M /dev/zero > $XDG_STATE_HOME/full; \
    truncate -s -$(($(cat pages) * 4096)) $XDG_STATE_HOME/full\" }, b: { needs: [fill], run: echo b >> got } }";

#[test]
fn however_little_is_left_of_a_disk_its_run_is_paused_or_ended_and_goes_on_when_there_is_room() {
    let name = "full_appends::however_little_is_left_of_a_disk_its_run_is_paused_or_ended_and_goes_on_when_there_is_room";
    if !mounting(name) {
        return;
    }
    for reserve in ["16KiB", "128KiB"] {
        let desk = Desk::with(FILLS);
        let lines = format!(
            "export WINDLASS_HOME_RESERVE={reserve}; for pages in 0 1 2 3 4 5 6 7; do echo $pages > pages; rm -f got; \
             windlass run --json plan.yaml > told; cat told; test -e $XDG_STATE_HOME/windlass/*/reserve || echo >> spent; rm $XDG_STATE_HOME/full; \
             windlass events last --json > there; grep -v '^code' told | while read -r line; do \
             grep -qxF \"$line\" there || echo lost \"$line\"; done; \
             test -s got && echo begun; windlass resume last > resumed; tail -n 1 resumed; cat got; windlass doctor | tail -n 1; \
             echo pages $pages; done"
        );
        let output = on_a_small_disk(&desk, &lines);
        let out = String::from_utf8_lossy(&output.stdout);
        let all = format!("{reserve}: {out}\n--- err\n{}", String::from_utf8_lossy(&output.stderr));
        let ended = ["code 4", "code 0", "b", "code 0"];
        let is_said = |line: &&str| !line.starts_with('{');
        let mut rounds: Vec<Vec<&str>> = vec![Vec::new()];
        for line in out.lines().filter(is_said) {
            if line.starts_with("pages ") {
                rounds.push(Vec::new());
            } else {
                rounds.last_mut().expect("there is one").push(line);
            }
        }
        rounds.pop();
        assert_eq!(rounds, vec![ended.to_vec(); 8], "{all}");
        assert!(out.contains("disk_low") && desk.work().join("spent").exists(), "{all}");
    }
}
