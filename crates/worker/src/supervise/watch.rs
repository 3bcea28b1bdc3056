//! The limits of an attempt that are watched where it runs: its length, its silence, its memory. Each is told once, a
//! silence once until something is heard again; while the attempt waits for what it started its silence is none.
//! Never: ending an attempt (the core orders that).

use std::collections::VecDeque;
use std::time::Duration;

use windlass_core::effect::Assignment;
use windlass_core::event::StopWhy;
use windlass_core::time::Span;

use super::meter::Measured;
use crate::clock::{self, Moment};

/// How often what runs is measured.
pub(super) const TICK: Duration = Duration::from_secs(1);
/// How many samples of the processor make up the window of a heartbeat.
const SAMPLES: u32 = 20;

/// What is watched of an attempt.
#[derive(Debug)]
pub(super) struct Watch {
    began: Moment,
    start_to_close: Option<Span>,
    heartbeat: Option<Span>,
    memory_max: Option<u64>,
    last_output: Moment,
    /// Time of processors used so far, at moments within the last window.
    samples: VecDeque<(Moment, Duration)>,
    told: Told,
    /// Whether it waits for a run that it started, as its engine says.
    waits: bool,
    memory: u64,
    memory_peak: u64,
    processes_peak: u32,
}

#[derive(Debug, Default)]
struct Told {
    stalled: bool,
    memory: bool,
}

impl Watch {
    /// A watch of an attempt that begins now.
    pub(super) fn new(assignment: &Assignment) -> Self {
        let now = clock::monotonic();
        Self {
            began: now,
            start_to_close: assignment.start_to_close,
            heartbeat: assignment.heartbeat,
            memory_max: assignment.memory_bytes_max,
            last_output: now,
            samples: VecDeque::new(),
            told: Told::default(),
            waits: false,
            memory: 0,
            memory_peak: 0,
            processes_peak: 0,
        }
    }

    /// It begins only now, since it had to wait for a monitor.
    pub(super) fn begins(&mut self) {
        self.began = clock::monotonic();
        self.last_output = self.began;
    }

    /// It printed something.
    pub(super) const fn heard(&mut self, now: Moment) {
        self.last_output = now;
        self.told.stalled = false;
    }

    /// It waits from here on for a run that it started, or no more: then its silence begins anew.
    pub(super) fn waits(&mut self, waits: bool, now: Moment) {
        self.waits = waits;
        self.heard(now);
        self.samples.clear();
    }

    /// When it will have run too long.
    pub(super) fn deadline(&self) -> Option<Moment> {
        self.start_to_close.map(|span| self.began + clock::duration(span))
    }

    /// How often it has to be measured: a short heartbeat more often than others.
    pub(super) fn tick(&self) -> Duration {
        let window = self.heartbeat.map_or(TICK, |span| clock::duration(span) / SAMPLES);
        window.clamp(Duration::from_millis(20), TICK)
    }

    /// Whether it has run long enough to be worth a measurement.
    pub(super) fn is_due(&self, now: Moment) -> bool {
        // A tick that comes a moment early still counts.
        now.since(self.began) + Duration::from_millis(5) >= self.tick()
    }

    /// Whether nothing was heard of it for so long that it will be told of if it did no work either.
    pub(super) fn seems_silent(&self, now: Moment) -> bool {
        !self.waits && self.heartbeat.is_some_and(|span| now.since(self.last_output) >= clock::duration(span))
    }

    /// Above how many bytes an exact measurement of its memory matters.
    pub(super) fn memory_of_interest(&self) -> u64 {
        self.memory_max.map_or(self.memory_peak, |max| max.min(self.memory_peak))
    }

    /// The memory it had when it was measured last.
    pub(super) fn memory(&self) -> u64 {
        self.memory
    }

    pub(super) fn memory_peak(&self) -> u64 {
        self.memory_peak
    }

    pub(super) fn processes_peak(&self) -> u32 {
        self.processes_peak
    }

    /// What is said when its deadline has passed.
    pub(super) fn timed_out(&self) -> Option<(StopWhy, String)> {
        let span = self.start_to_close?;
        Some((StopWhy::Timeout, format!("it ran longer than {span} (start_to_close)")))
    }

    /// Takes a measurement, and says once for each limit that it is overrun.
    pub(super) fn measured(&mut self, now: Moment, measured: Measured) -> Vec<(StopWhy, String)> {
        self.memory = measured.memory;
        self.memory_peak = self.memory_peak.max(measured.memory);
        self.processes_peak = self.processes_peak.max(measured.processes);
        self.too_large().into_iter().chain(self.silent(now, measured.cpu)).collect()
    }

    fn too_large(&mut self) -> Option<(StopWhy, String)> {
        let max = self.memory_max.filter(|max| self.memory > *max)?;
        let text =
            || format!("its processes use {} of memory, {} are allowed", in_mib(self.memory), in_mib(max));
        (!std::mem::replace(&mut self.told.memory, true)).then(|| (StopWhy::Memory, text()))
    }

    fn silent(&mut self, now: Moment, cpu: Duration) -> Option<(StopWhy, String)> {
        let span = self.heartbeat?;
        let window = clock::duration(span);
        // A process that dies while it is looked at may be missed once: what was used never grows less.
        let cpu = self.samples.back().map_or(cpu, |(_, before)| cpu.max(*before));
        if self.samples.back().is_none_or(|(at, _)| now.since(*at) >= window / SAMPLES) {
            self.samples.push_back((now, cpu));
        }
        // The newest sample that is at least a window old is what the window is measured from.
        while self.samples.get(1).is_some_and(|(at, _)| now.since(*at) >= window) {
            self.samples.pop_front();
        }
        let (since, before) = *self.samples.front()?;
        let whole = now.since(self.began) >= window && self.seems_silent(now);
        let measured = now.since(since);
        let used = cpu.saturating_sub(before);
        // Until a whole window was sampled, what was used before the first sample counts as none.
        let idle = measured + window / SAMPLES * 2 >= window && used < measured / 100;
        (whole && idle && !std::mem::replace(&mut self.told.stalled, true)).then(|| {
            let text = format!("no output and less than 1 % of a processor for {span} (heartbeat)");
            (StopWhy::Stalled, text)
        })
    }

    /// The machine has no memory left, and this one is the largest.
    pub(super) fn has_to_go(&mut self, available: u64) -> Option<(StopWhy, String)> {
        (!std::mem::replace(&mut self.told.memory, true)).then(|| {
            let (used, left) = (in_mib(self.memory), in_mib(available));
            (
                StopWhy::Memory,
                format!("the machine has {left} of memory left, and this attempt uses the most ({used})"),
            )
        })
    }

    /// Whether it was told that it uses too much memory.
    pub(super) fn goes_for_memory(&self) -> bool {
        self.told.memory
    }
}

fn in_mib(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use windlass_core::effect::{Program, Settle};
    use windlass_core::id::{Digest, Fence};

    use super::*;
    use crate::planted::{Bug, plant, sleep};

    /// A watch of an attempt that begins now, with an hour for each of its limits.
    fn watch() -> Watch {
        let hour = Some(Span::from_secs(3600));
        Watch::new(&Assignment {
            key: "abcdef/fix/1".parse().expect("a key"),
            fence: Fence(1),
            program: Program::Shell("sleep 1000".to_owned()),
            folder: "/".to_owned(),
            workspace: "/".to_owned(),
            env_base: Digest::of(b""),
            env: BTreeMap::new(),
            pass: Vec::new(),
            start_to_close: hour,
            heartbeat: hour,
            grace: Span::from_secs(10),
            memory_bytes_max: None,
            settle: Settle::default(),
            around: Vec::new(),
            elsewhere: None,
            feedback: None,
        })
    }

    /// What is told of a quiet attempt after the machine has slept for longer than each of its limits.
    fn told_after_a_sleep(bug: Option<Bug>) -> Vec<StopWhy> {
        let quiet = || Measured { cpu: Duration::ZERO, memory: 0, processes: 1, monitor_held: false };
        plant(bug);
        let mut watch = watch();
        let before = watch.measured(clock::monotonic(), quiet());
        sleep(Duration::from_hours(8));
        let after = watch.measured(clock::monotonic(), quiet());
        let is_late = watch.deadline().is_some_and(|deadline| deadline <= clock::monotonic());
        let late = watch.timed_out().filter(|_| is_late);
        plant(None);
        before.into_iter().chain(after).chain(late).map(|(why, _)| why).collect()
    }

    /// After how many minutes it is told that an attempt is silent which uses so many seconds of a processor in each, and
    /// prints in those that are named.
    fn silent_after(seconds: u64, prints: impl Fn(u64) -> bool) -> Vec<u64> {
        let mut watch = watch();
        let began = clock::monotonic();
        let mut told = Vec::new();
        for minute in 0..=180 {
            let now = began + Duration::from_mins(minute);
            if prints(minute) {
                watch.heard(now);
            }
            let cpu = Duration::from_secs(seconds * minute);
            let measured =
                watch.measured(now, Measured { cpu, memory: 0, processes: 1, monitor_held: false });
            told.extend(measured.iter().map(|_| minute));
        }
        told
    }

    #[test]
    fn silence_begins_anew_when_what_was_waited_for_is_over_also_where_it_was_told_of_before() {
        for told_before in [false, true] {
            let mut watch = watch();
            let began = clock::monotonic();
            let silent = |watch: &mut Watch, minute: u64| {
                let quiet = Measured { cpu: Duration::ZERO, memory: 0, processes: 1, monitor_held: false };
                !watch.measured(began + Duration::from_mins(minute), quiet).is_empty()
            };
            let begins = if told_before { 70 } else { 50 };
            let told: Vec<u64> = (0..begins).filter(|minute| silent(&mut watch, *minute)).collect();
            assert_eq!(told, if told_before { vec![60] } else { Vec::new() });
            watch.waits(true, began + Duration::from_mins(begins));
            assert!(!(begins..300).any(|minute| silent(&mut watch, minute)), "it waits");
            watch.waits(false, began + Duration::from_hours(5));
            let told: Vec<u64> = (300..500).filter(|minute| silent(&mut watch, *minute)).collect();
            assert_eq!(told, [360]);
        }
    }

    #[test]
    fn silence_is_told_of_but_neither_output_nor_work_is_silence() {
        assert_eq!(silent_after(0, |_| false), [60]);
        assert_eq!(silent_after(0, |minute| minute == 30), [90]);
        assert!(silent_after(0, |minute| minute % 59 == 0).is_empty());
        assert!(silent_after(1, |_| false).is_empty());
    }

    #[test]
    fn a_sleep_of_the_machine_is_neither_silence_nor_length_and_a_clock_that_counts_it_is_found() {
        assert_eq!(told_after_a_sleep(None), []);
        assert_eq!(told_after_a_sleep(Some(Bug::SuspendIsSilence)), [StopWhy::Stalled, StopWhy::Timeout]);
    }
}
