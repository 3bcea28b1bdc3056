//! Finding and ending what earlier engines of a home left behind, by the marks in the environment of processes.
//! Never: while a keeper of the home lives, since then every attempt is known by descent.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use windlass_core::id::AttemptKey;

use crate::ending::{Ending, GRACE_OF_LEFTOVERS};
use crate::environment::OWNERS_SEPARATOR;
use crate::os::{Host, Os as _, Pid, Process};

/// How often it is looked whether what is ended is over.
const LOOK: Duration = Duration::from_millis(10);

/// Ends every process whose mark names this home and an attempt that is not live; says how many of each attempt it
/// ended. Looks again until it finds nothing twice in a row.
pub fn sweep(home_id: &str, is_live: impl Fn(&AttemptKey) -> bool) -> BTreeMap<AttemptKey, u32> {
    let mut ended: BTreeMap<AttemptKey, HashSet<Process>> = BTreeMap::new();
    let mut empty_passes = 0;
    while empty_passes < 2 {
        let found = find(home_id, &is_live);
        if found.is_empty() {
            empty_passes += 1;
            continue;
        }
        empty_passes = 0;
        for (process, key) in &found {
            ended.entry(key.clone()).or_default().insert(*process);
        }
        end(&found.into_iter().map(|(process, _)| process.pid).collect::<Vec<_>>());
    }
    ended
        .into_iter()
        .map(|(key, processes)| (key, u32::try_from(processes.len()).unwrap_or(u32::MAX)))
        .collect()
}

fn find(home_id: &str, is_live: &impl Fn(&AttemptKey) -> bool) -> Vec<(Process, AttemptKey)> {
    let own = own_line();
    let others = Host::all().into_iter().filter(|pid| !own.contains(pid));
    let marked = others.filter_map(|pid| {
        let marks = Host::variable(pid, "WINDLASS_OWNERS")?;
        let key = last_of_home(&String::from_utf8_lossy(&marks), home_id)?;
        let look = Host::look_at(pid).filter(|look| !look.over)?;
        Some((look.process, key))
    });
    marked.filter(|(_, key)| !is_live(key)).collect()
}

/// This process and those that it descends from: they are marked where a run starts another in the same home.
fn own_line() -> HashSet<Pid> {
    let mut line = HashSet::new();
    let mut next = Some(rustix::process::getpid());
    while let Some(pid) = next.filter(|pid| line.insert(*pid)) {
        next = Host::look_at(pid).filter(|look| look.parent > 0).and_then(|look| Pid::from_raw(look.parent));
    }
    line
}

/// The innermost attempt of this home in a list of marks.
fn last_of_home(marks: &str, home_id: &str) -> Option<AttemptKey> {
    let of_home = |mark: &str| mark.strip_prefix(home_id)?.strip_prefix('|')?.parse().ok();
    marks.rsplit(OWNERS_SEPARATOR).find_map(of_home)
}

fn end(pids: &[Pid]) {
    let mut ending = Ending::new(GRACE_OF_LEFTOVERS);
    let alive = || {
        let lives = |pid: &Pid| Host::look_at(*pid).is_some_and(|look| !look.over);
        pids.iter().copied().filter(lives).collect::<Vec<_>>()
    };
    while !alive().is_empty() {
        let next_step = ending.step(alive);
        // Their parents take them, and tell nobody here: so it is looked again.
        std::thread::sleep(next_step.min(LOOK));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_mark_of_this_home_counts() {
        let marks = "h1|aaaaaa/x/1,h2|bbbbbb/y/2,h1|cccccc/z/3,h10|dddddd/w/4";
        assert_eq!(last_of_home(marks, "h1"), "cccccc/z/3".parse().ok());
        assert_eq!(last_of_home(marks, "h2"), "bbbbbb/y/2".parse().ok());
        assert_eq!(last_of_home(marks, "h3"), None);
    }
}
