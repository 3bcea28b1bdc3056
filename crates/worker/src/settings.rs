//! What a supervisor is told when it starts. Never: reading any of it from files or the environment.

use std::path::PathBuf;

/// How long an output may be, in bytes.
pub const OUTPUT_BYTES_MAX: u64 = 16 << 20;

/// What is around an engine that an attempt of another one started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owners {
    /// The value of `WINDLASS_OWNERS`: the marks of the attempts around it.
    pub marks: String,
    /// The value of `WINDLASS_NESTED`: how many levels of attempts there may be from this engine's own on.
    pub levels: u32,
}

/// The settings of a [`crate::Supervisor`].
#[derive(Clone, Debug)]
pub struct Settings {
    /// The home: logs, spool and the keeper's lock lie in it. Absolute.
    pub home: PathBuf,
    /// The name of the home in the marks of processes.
    pub home_id: String,
    /// How many attempts run at the same time; so many monitors are kept at most.
    pub slots: usize,
    /// What is around this engine, if an attempt started it.
    pub owners: Option<Owners>,
    /// The program that is started as the keeper; it must begin with [`crate::run_if_keeper`] and
    /// [`crate::run_if_scripted`]. None is this same binary.
    pub program: Option<PathBuf>,
    /// How many bytes that an attempt printed its log keeps.
    pub log_bytes_max: u64,
    /// How long an output may be.
    pub output_bytes_max: u64,
}

impl Settings {
    /// The settings of an ordinary engine.
    pub fn new(home: PathBuf, home_id: String, slots: usize) -> Self {
        Self {
            home,
            home_id,
            slots,
            owners: None,
            program: None,
            log_bytes_max: 64 << 20,
            output_bytes_max: OUTPUT_BYTES_MAX,
        }
    }

    /// The folder for outputs on their way.
    pub(crate) fn spool(&self) -> PathBuf {
        self.home.join("spool")
    }
}
