//! What this machine offers to hold processes, for `doctor`. Never: leaving any of it changed.

use crate::os::{Host, Os as _};

/// How surely everything that an attempt started is found when it has to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Containment {
    /// By the marks in the environment alone: orphans of a dead keeper may escape.
    Marks,
    /// By descent from its monitor as well, whatever it does to its environment and session. Where engine and keeper
    /// are killed both at once, a program that is in a session of its own and has cleared its mark survives.
    Descent,
    /// By a control group of its own as well, also where engine, keeper and monitors are killed all at once.
    Cgroup,
}

/// Facts about this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine {
    /// What is reached here.
    pub containment: Containment,
    /// Whether processes can be held by a descriptor, so that none is taken for another.
    pub has_pidfd: bool,
    /// Whether the kernel lists the children of a process (else all processes are looked through).
    pub has_children_file: bool,
    /// Whether the marks of processes can be read: those of a dead engine are found by them.
    pub reads_marks: bool,
    /// How many files may be open at once: now, and at most.
    pub descriptors_max: (u64, u64),
    /// How many processes this user may have; none is no limit.
    pub processes_max: Option<u64>,
    /// Bytes of memory: available, and in all.
    pub memory_bytes: Option<(u64, u64)>,
}

/// Looks at this machine.
pub fn machine() -> Machine {
    Host::machine()
}

impl Containment {
    /// What it means, in a sentence.
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Marks => {
                "what an attempt starts is found by marks in the environment only: this kernel gives no subreapers"
            }
            Self::Descent => {
                "what an attempt starts is found by descent, whatever it does to its environment or session; if engine and \
                 keeper are both killed at once, a program in a session of its own that cleared its mark survives: no \
                 control group can be made here"
            }
            Self::Cgroup => {
                "each attempt gets a control group of its own: what it starts is found whatever it does to its environment \
                 or session, and the next start ends it also if engine and keeper are both killed at once"
            }
        }
    }
}
