//! Finding and ending what earlier engines of a home left behind: by the control groups that they noted, and by the marks in
//! the environment of processes. Never: while a keeper of the home lives, since then every attempt is known by descent.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use windlass_core::id::AttemptKey;
use windlass_core::time::Span;

use crate::cgroups::{self, Left};
use crate::clock;
use crate::ending::{Ending, GRACE_OF_LEFTOVERS, alive};
use crate::environment::innermost_of;
use crate::os::cgroup::{self, Emptying};
use crate::os::{Host, Os as _, Pid, Process};

/// How often it is looked whether what is ended is over.
const LOOK: Duration = Duration::from_millis(10);

/// What an earlier engine left and what does not end, whatever is done to it.
#[derive(Debug, thiserror::Error)]
#[error("process {pid} of {}, which an earlier engine left, is still there after {waited}", Named(.key.as_ref()))]
pub struct LeftBehind {
    /// The process.
    pub pid: i32,
    /// The attempt that it is known as part of.
    pub key: Option<AttemptKey>,
    /// How long it was waited for.
    pub waited: Span,
}

/// An attempt, for people.
struct Named<'a>(Option<&'a AttemptKey>);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(key) => write!(f, "attempt {key}"),
            None => f.write_str("an attempt"),
        }
    }
}

/// Ends every process whose mark, or whose control group, names this home and an attempt that is not live; says how many of
/// each attempt it ended. Looks again until it finds nothing twice in a row. `say` is told once, where there is something to
/// wait for.
pub fn sweep(
    (home, home_id): (&Path, &str),
    at_most: Span,
    say: impl FnOnce(&str),
    is_live: impl Fn(&AttemptKey) -> bool,
) -> Result<BTreeMap<AttemptKey, u32>, LeftBehind> {
    let mut sweep = Sweep::new(home, home_id);
    let until = clock::monotonic() + clock::duration(at_most);
    let mut say = Some(say);
    while let Some(next_step) = sweep.step(&is_live) {
        let Some((pid, key)) = sweep.first_left() else { continue };
        if let Some(say) = say.take() {
            say(&format!("waiting for process {pid} of {} to end", Named(key.as_ref())));
        }
        if clock::monotonic() >= until {
            return Err(LeftBehind { pid, key, waited: at_most });
        }
        std::thread::sleep(next_step);
    }
    Ok(sweep.ended())
}

/// A sweep under way.
#[derive(Debug)]
pub(crate) struct Sweep {
    home: PathBuf,
    home_id: String,
    found: Vec<(Process, Option<AttemptKey>)>,
    ending: Ending,
    /// How often in a row nothing was found.
    empty_passes: u32,
    ended: BTreeMap<AttemptKey, HashSet<Process>>,
}

impl Sweep {
    pub(crate) fn new(home: &Path, home_id: &str) -> Self {
        Self {
            home: home.to_owned(),
            home_id: home_id.to_owned(),
            found: Vec::new(),
            ending: Ending::new(GRACE_OF_LEFTOVERS),
            empty_passes: 0,
            ended: BTreeMap::new(),
        }
    }

    /// Does what is due; none when nothing is left, else the time until the next step.
    pub(crate) fn step(&mut self, is_live: &impl Fn(&AttemptKey) -> bool) -> Option<Duration> {
        loop {
            let left = || alive(self.found.iter().map(|(process, _)| process));
            if !left().is_empty() {
                if self.ending.is_forceful() {
                    self.groups_elsewhere(is_live).for_each(|group| cgroup::kill(&group.folder));
                }
                let next_step = self.ending.step(left);
                // Their parents take them, and tell nobody here: so it is looked again.
                return Some(next_step.min(LOOK));
            }
            self.found = find(&self.home_id, is_live);
            self.add_what_is_in_groups(is_live);
            self.ending = Ending::new(GRACE_OF_LEFTOVERS);
            if self.found.is_empty() {
                self.empty_passes += 1;
                if self.empty_passes == 2 {
                    for group in self.groups_elsewhere(is_live) {
                        Emptying::new(group.folder).finish(Some(cgroups::END_WITHIN));
                    }
                    cgroups::tidy(&self.home, &self.home_id);
                    return None;
                }
            } else {
                self.empty_passes = 0;
            }
            for (process, key) in &self.found {
                if let Some(key) = key {
                    self.ended.entry(key.clone()).or_default().insert(*process);
                }
            }
        }
    }

    /// The control groups of attempts that are not live.
    fn groups(&self, is_live: &impl Fn(&AttemptKey) -> bool) -> impl Iterator<Item = Left> {
        let all = Left::all(&self.home, &self.home_id).into_iter();
        all.filter(move |group| !group.key.as_ref().is_some_and(is_live))
    }

    /// Those of them that may be ended as a whole: what makes others faster than they can be counted does not get away.
    fn groups_elsewhere(&self, is_live: &impl Fn(&AttemptKey) -> bool) -> impl Iterator<Item = Left> {
        self.groups(is_live).filter(|group| !group.is_around_us())
    }

    /// What is in a control group belongs to its attempt, whatever it is marked as.
    fn add_what_is_in_groups(&mut self, is_live: &impl Fn(&AttemptKey) -> bool) {
        let own = own_line();
        let known: HashSet<Process> = self.found.iter().map(|(process, _)| *process).collect();
        let mut fresh = Vec::new();
        for group in self.groups(is_live) {
            let others = cgroup::processes(&group.folder).into_iter().filter(|pid| !own.contains(pid));
            let looks = others.filter_map(Host::look_at).filter(|look| !look.over);
            // One that is gone by now may have left its number to another.
            let still = cgroup::processes(&group.folder);
            let there =
                looks.filter(|look| still.contains(&look.process.pid) && !known.contains(&look.process));
            fresh.extend(there.map(|look| (look.process, group.key.clone())));
        }
        self.found.extend(fresh);
    }

    /// One that is still to end.
    pub(crate) fn first_left(&self) -> Option<(i32, Option<AttemptKey>)> {
        let (process, key) = self.found.iter().find(|(process, _)| !alive([process]).is_empty())?;
        Some((process.pid.as_raw_nonzero().get(), key.clone()))
    }

    /// How many processes of each attempt were ended.
    pub(crate) fn ended(&self) -> BTreeMap<AttemptKey, u32> {
        let count = |processes: &HashSet<Process>| u32::try_from(processes.len()).unwrap_or(u32::MAX);
        self.ended.iter().map(|(key, processes)| (key.clone(), count(processes))).collect()
    }
}

fn find(home_id: &str, is_live: &impl Fn(&AttemptKey) -> bool) -> Vec<(Process, Option<AttemptKey>)> {
    let ended = marked(home_id).into_iter().filter(|(_, key)| !is_live(key));
    ended.map(|(process, key)| (process, Some(key))).collect()
}

/// What is marked as part of an attempt of this home, but for this process and those that it descends from.
pub(crate) fn marked(home_id: &str) -> Vec<(Process, AttemptKey)> {
    let own = own_line();
    let others = Host::all().into_iter().filter(|pid| !own.contains(pid));
    let marked = others.filter_map(|pid| {
        key_of(pid, home_id)?;
        let look = Host::look_at(pid).filter(|look| !look.over)?;
        // What was marked may be gone, and its number another's: that one is asked for its own mark.
        let key = key_of(pid, home_id)?;
        Host::look_at(pid).filter(|again| again.process == look.process)?;
        Some((look.process, key))
    });
    marked.collect()
}

/// The attempt of this home that a process is marked as part of.
fn key_of(pid: Pid, home_id: &str) -> Option<AttemptKey> {
    innermost_of(home_id, &String::from_utf8_lossy(&Host::variable(pid, "WINDLASS_OWNERS")?))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a process that nobody marked")]
    fn what_has_the_number_of_one_that_is_gone_is_left_alone() {
        let mut other = std::process::Command::new("sleep").arg("1000").spawn().expect("a process");
        let look = Pid::from_raw(other.id().cast_signed()).and_then(Host::look_at).expect("it lives");
        let gone = Process { began: look.process.began - 1, ..look.process };
        let mut sweep = Sweep::new(Path::new("/no/such/home"), "a home that marked nothing");
        sweep.found.push((gone, "aaaaaa/x/1".parse().ok()));
        while sweep.step(&|_| false).is_some() {}
        assert_eq!(other.try_wait().expect("our child"), None);
        other.kill().and_then(|()| other.wait()).expect("our child");
    }
}
