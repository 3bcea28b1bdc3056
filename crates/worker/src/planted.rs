//! Bugs of the worker that can be switched on, so that tests can show that they would be found. Without the feature
//! `planted`, which nothing that is shipped turns on, every question is answered «no» at compile time.

/// A bug that can be planted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// The time in which the machine slept counts as silence of what runs.
    SuspendIsSilence,
    /// A run within an attempt of another marks its own in place of the marks that are there.
    MarksOverwritten,
    /// The driver of the processes panics when it is to start one.
    DriverPanics,
    /// The thread that makes long prompts ready panics.
    PreparerPanics,
    /// Who makes reports ready for the core panics.
    ClerkPanics,
    /// A monitor does not tell that its attempt has ended.
    EndUntold,
}

impl Bug {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::SuspendIsSilence,
        Self::MarksOverwritten,
        Self::DriverPanics,
        Self::PreparerPanics,
        Self::ClerkPanics,
        Self::EndUntold,
    ];

    /// Its name.
    #[rustfmt::skip]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SuspendIsSilence => "suspend-counts-as-silence",
            Self::MarksOverwritten => "marks-overwritten-by-a-nested-run",
            Self::DriverPanics => "panic-of-the-driver",
            Self::PreparerPanics => "panic-of-the-preparer",
            Self::ClerkPanics => "panic-of-the-clerk",
            Self::EndUntold => "an-end-untold",
        }
    }
}

#[cfg(feature = "planted")]
mod switch {
    use std::cell::Cell;
    use std::time::Duration;

    use super::Bug;

    thread_local! {
        static PLANTED: Cell<Option<Bug>> = const { Cell::new(None) };
        static SLEPT: Cell<Duration> = const { Cell::new(Duration::ZERO) };
    }

    /// Plants a bug on this thread and those that it starts from here on, or none.
    pub fn plant(bug: Option<Bug>) {
        PLANTED.set(bug);
    }

    /// Whether a bug is planted on this thread.
    pub fn is_planted(bug: Bug) -> bool {
        PLANTED.get() == Some(bug)
    }

    /// What a thread is to do, with the bug that is planted on this one.
    pub fn carried<T>(work: impl FnOnce() -> T) -> impl FnOnce() -> T {
        let bug = PLANTED.get();
        move || {
            plant(bug);
            work()
        }
    }

    /// Lets the machine have slept for so long, as far as this thread can tell: by the clock that counts it.
    #[cfg(test)]
    pub(crate) fn sleep(time: Duration) {
        SLEPT.set(SLEPT.get() + time);
    }

    /// How long it slept.
    pub(crate) fn slept() -> Duration {
        SLEPT.get()
    }
}

#[cfg(not(feature = "planted"))]
mod switch {
    use std::time::Duration;

    use super::Bug;

    /// Whether a bug is planted: never, in what is shipped.
    pub const fn is_planted(_: Bug) -> bool {
        false
    }

    /// What a thread is to do.
    pub const fn carried<T, W: FnOnce() -> T>(work: W) -> W {
        work
    }

    pub(crate) const fn slept() -> Duration {
        Duration::ZERO
    }
}

#[cfg(feature = "planted")]
pub use switch::plant;
#[cfg(all(test, feature = "planted"))]
pub(crate) use switch::sleep;
pub(crate) use switch::slept;
pub use switch::{carried, is_planted};
