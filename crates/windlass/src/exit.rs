//! The exit codes, as INTERFACES promises them. Never: a code that is not in this table.

use std::process::ExitCode;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Done; the run succeeded.
    Done = 0,
    /// The run failed, was cancelled or deadlocked; a command was refused; a check found something.
    Failed = 1,
    /// Wrong usage or plan; no such run or task.
    Usage = 2,
    /// Paused by a person, or only people are left.
    Paused = 3,
    /// Paused or ended by the environment: the disk, or a store that is locked or damaged.
    Environment = 4,
    /// A bug of ours.
    Bug = 70,
    /// After SIGHUP.
    HungUp = 129,
    /// After Ctrl-C, gentle or not.
    Interrupted = 130,
    /// After SIGTERM.
    Terminated = 143,
}

impl Exit {
    /// The number that the shell sees.
    pub(crate) const fn code(self) -> u8 {
        self as u8
    }

    /// The way to end that a code of ours stands for; any other is a bug.
    pub(crate) const fn of_code(code: i32) -> Self {
        match code {
            0 => Self::Done,
            1 => Self::Failed,
            2 => Self::Usage,
            3 => Self::Paused,
            4 => Self::Environment,
            129 => Self::HungUp,
            130 => Self::Interrupted,
            143 => Self::Terminated,
            _ => Self::Bug,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
