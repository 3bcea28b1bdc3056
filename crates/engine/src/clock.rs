//! The one place of the engine that asks what time it is, and the clock that an engine goes by: it follows the wall
//! clock, and neither stands nor goes back where that does. Never: deciding what a jump means (the core does).

use std::time::Duration;

use rustix::time::{ClockId, Timespec, clock_gettime};
use windlass_core::input::Report;
use windlass_core::planted::{Bug, is_planted};
use windlass_core::time::Time;

/// How far the wall clock may be from an engine's before that counts as a step, in milliseconds. What is less is made
/// up for little by little.
const STEP_MS_MIN: i64 = 5_000;
/// How much longer the time since boot may grow than the time awake before that counts as a suspend, in milliseconds.
const SUSPEND_MS_MIN: i64 = 1_000;
/// In how many milliseconds an engine's clock comes one closer to the wall clock.
const SLEW_ONE_IN_MS: i64 = 10;
/// How long it may take to read three clocks, in milliseconds: what was read over a longer time belongs not together.
const READ_WITHIN_MS: i64 = 10;

/// What the machine's clocks show at a moment, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Shown {
    /// The time of day.
    pub wall_ms: i64,
    /// How long ago the machine was started.
    pub boot_ms: i64,
    /// How much of that it was awake.
    pub awake_ms: i64,
}

/// The clock of an engine.
#[derive(Clone, Debug)]
#[expect(clippy::struct_field_names, reason = "units stand last")]
pub struct Clock {
    /// Its time less the time since boot.
    ahead_ms: i64,
    /// Up to when, since boot, it has made up for its distance from the wall clock.
    slewed_to_ms: i64,
    /// For how long the machine has slept, as far as that was noticed.
    slept_ms: i64,
}

/// What was found when the clocks were compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Jump {
    /// By how much the wall clock was set.
    pub by_ms: i64,
    /// How long the machine slept.
    pub suspended_ms: u64,
}

impl From<Jump> for Report {
    fn from(Jump { by_ms, suspended_ms }: Jump) -> Self {
        Self::ClockJumped { by_ms, suspended_ms }
    }
}

/// What the clocks show.
pub fn shown() -> Shown {
    loop {
        let boot_ms = millis(ClockId::Boottime);
        let (wall_ms, awake_ms) = (millis(ClockId::Realtime), millis(ClockId::Monotonic));
        if millis(ClockId::Boottime) - boot_ms <= READ_WITHIN_MS {
            return Shown { wall_ms, boot_ms, awake_ms };
        }
    }
}

/// The wall clock's time, for what is shown.
pub fn now() -> Time {
    Time::from_ms(millis(ClockId::Realtime))
}

/// How long the machine has been awake: for spans that are measured and never journaled.
pub fn awake() -> Duration {
    let shown = clock_gettime(ClockId::Monotonic);
    Duration::new(u64::try_from(shown.tv_sec).unwrap_or(0), u32::try_from(shown.tv_nsec).unwrap_or(0))
}

impl Clock {
    /// The clock of an engine whose journal ends at this time. A wall clock that shows a time well before that was set
    /// back while no engine was alive.
    pub fn start(last: Time, shown: Shown) -> (Self, Option<Jump>) {
        let behind_ms = last.ms - shown.wall_ms;
        let goes_on = if (0..STEP_MS_MIN).contains(&behind_ms) { last.ms } else { shown.wall_ms };
        let clock = Self {
            ahead_ms: goes_on - shown.boot_ms,
            slewed_to_ms: shown.boot_ms,
            slept_ms: shown.boot_ms - shown.awake_ms,
        };
        let jumped = Jump { by_ms: -behind_ms, suspended_ms: 0 };
        (clock, (behind_ms >= STEP_MS_MIN).then_some(jumped))
    }

    /// Compares the clocks: a wall clock that is far from this one was set, and from then on this one shows its time; more
    /// time since boot than awake tells a suspend.
    pub fn compare(&mut self, shown: Shown) -> Option<Jump> {
        let by_ms = self.distance_ms(shown);
        let slept_ms = shown.boot_ms - shown.awake_ms - self.slept_ms;
        let by_ms = if by_ms.abs() >= STEP_MS_MIN { by_ms } else { 0 };
        let slept_ms = if slept_ms >= SUSPEND_MS_MIN { slept_ms } else { 0 };
        if by_ms == 0 && slept_ms == 0 {
            return None;
        }
        self.ahead_ms += by_ms;
        self.slept_ms += slept_ms;
        Some(Jump { by_ms, suspended_ms: u64::try_from(slept_ms).unwrap_or(0) })
    }

    /// Its time: it goes by the time since boot, a little faster or slower while the wall clock is a little away. A step
    /// counts once it was found by [`Clock::compare`].
    pub fn now(&mut self, shown: Shown) -> Time {
        let distance_ms = self.distance_ms(shown);
        let room_ms = (shown.boot_ms - self.slewed_to_ms) / SLEW_ONE_IN_MS;
        self.slewed_to_ms += room_ms * SLEW_ONE_IN_MS;
        if is_planted(Bug::TimeStands) && (-STEP_MS_MIN..0).contains(&distance_ms) {
            return Time::from_ms(shown.wall_ms);
        }
        if distance_ms.abs() < STEP_MS_MIN {
            self.ahead_ms += distance_ms.clamp(-room_ms, room_ms);
        }
        Time::from_ms(shown.boot_ms + self.ahead_ms)
    }

    /// How far ahead the wall clock is.
    fn distance_ms(&self, shown: Shown) -> i64 {
        shown.wall_ms - (shown.boot_ms + self.ahead_ms)
    }
}

fn millis(clock: ClockId) -> i64 {
    let Timespec { tv_sec, tv_nsec } = clock_gettime(clock);
    tv_sec * 1000 + tv_nsec / 1_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine that was started an hour before its wall clock showed this.
    const BEGUN_MS: i64 = 1_700_000_000_000;

    /// What it shows after so long awake, and so long asleep, with its wall clock set by so much.
    fn shown(awake_ms: i64, slept_ms: i64, set_ms: i64) -> Shown {
        let boot_ms = 3_600_000 + awake_ms + slept_ms;
        Shown { wall_ms: BEGUN_MS + awake_ms + slept_ms + set_ms, boot_ms, awake_ms: 3_600_000 + awake_ms }
    }

    fn started() -> Clock {
        let (clock, jumped) = Clock::start(Time::default(), shown(0, 0, 0));
        assert_eq!(jumped, None);
        clock
    }

    /// The engine's time at each of these moments, and how far the wall clock is from it at last.
    fn times(clock: &mut Clock, every_ms: usize, until_ms: i64, set_ms: i64) -> (Vec<i64>, i64) {
        let moments = (1..=until_ms).step_by(every_ms);
        let times = moments.map(|at| clock.now(shown(at, 0, set_ms)).ms).collect();
        (times, clock.distance_ms(shown(until_ms, 0, set_ms)))
    }

    #[test]
    fn a_small_step_back_neither_stops_time_nor_sets_it_back() {
        for every_ms in [1, 7, 10, 1000] {
            let mut clock = started();
            assert_eq!(clock.compare(shown(0, 0, -4_999)), None);
            let (times, away_ms) = times(&mut clock, every_ms, 50_000, -4_999);
            let step = i64::try_from(every_ms).expect("small");
            let goes_on = |span: &[i64]| span[20] - span[0] >= 20 * step * 9 / 10 - 1;
            assert!(times.windows(21).all(goes_on), "time stands, looked at every {every_ms} ms");
            assert!(times.is_sorted(), "time falls, looked at every {every_ms} ms");
            assert!(
                away_ms.abs() <= 101,
                "after 50 s it is {away_ms} ms away, looked at every {every_ms} ms"
            );
        }
    }

    #[test]
    fn a_small_step_forward_is_made_up_for_little_by_little() {
        let mut clock = started();
        assert_eq!(clock.compare(shown(0, 0, 4_000)), None);
        let (times, away_ms) = times(&mut clock, 10, 60_000, 4_000);
        assert!(times.windows(2).all(|pair| (10..=11).contains(&(pair[1] - pair[0]))));
        assert_eq!(away_ms, 0);
    }

    #[test]
    fn a_drift_of_days_is_no_step() {
        let mut clock = started();
        for minute in 0..10_000 {
            let shown = shown(minute * 60_000, 0, minute * 5);
            assert_eq!(clock.compare(shown), None, "after {minute} minutes");
            assert!(clock.now(shown).ms - shown.wall_ms <= 0, "after {minute} minutes");
        }
    }

    #[test]
    fn a_step_is_told_once_and_time_follows_only_then() {
        for by_ms in [-3_600_000, -5_000, 5_000, 86_400_000] {
            let mut clock = started();
            assert_eq!(clock.now(shown(100, 0, by_ms)).ms, BEGUN_MS + 100, "nobody has looked");
            let told = Jump { by_ms, suspended_ms: 0 };
            assert_eq!(clock.compare(shown(200, 0, by_ms)), Some(told));
            assert_eq!(clock.compare(shown(200, 0, by_ms)), None);
            assert_eq!(clock.now(shown(300, 0, by_ms)).ms, BEGUN_MS + 300 + by_ms);
        }
    }

    #[test]
    fn a_suspend_is_told_with_the_step_that_came_with_it() {
        let mut clock = started();
        assert_eq!(clock.compare(shown(0, 999, 0)), None);
        let told = Jump { by_ms: -60_000, suspended_ms: 28_800_000 };
        assert_eq!(clock.compare(shown(10, 28_800_000, -60_000)), Some(told));
        assert_eq!(clock.now(shown(10, 28_800_000, -60_000)).ms, BEGUN_MS + 10 + 28_800_000 - 60_000);
    }

    #[test]
    fn an_engine_goes_on_from_the_end_of_its_journal() {
        let after = |ms| Time::from_ms(BEGUN_MS + ms);
        let (mut clock, jumped) = Clock::start(after(-1_000), shown(0, 0, 0));
        assert_eq!((clock.now(shown(0, 0, 0)), jumped), (after(0), None), "nobody was alive for a second");
        let (mut clock, jumped) = Clock::start(after(4_000), shown(0, 0, 0));
        assert_eq!((clock.now(shown(1, 0, 0)), jumped), (after(4_001), None), "a small step is made up for");
        assert_eq!(clock.now(shown(60_000, 0, 0)), after(60_000));
        let (mut clock, jumped) = Clock::start(after(5_000), shown(0, 0, 0));
        let told = Jump { by_ms: -5_000, suspended_ms: 0 };
        assert_eq!((clock.now(shown(0, 0, 0)), jumped), (after(0), Some(told)));
    }
}
