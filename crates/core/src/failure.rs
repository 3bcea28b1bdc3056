//! The kinds of error, the same for every adapter, and what each means for attempts, retries and breakers.
//! Never: deciding what happens to a particular task (that is `policy/retry.rs`).

use serde::{Deserialize, Serialize};

use crate::planted::{Bug, is_planted};
use crate::time::Span;

/// Why an attempt or a task did not succeed.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The provider said 429, or its quota window is used up.
    RateLimited,
    /// The provider has no capacity.
    Overloaded,
    /// A key or login is missing or wrong.
    Auth,
    /// The agent declined the work.
    Refused,
    /// The output does not hold against its schema, is too large, or can't be read.
    InvalidOutput,
    /// A gate rejected the result.
    GateRejected,
    /// What it did can't be merged with what others did meanwhile.
    Conflict,
    /// It ran longer than `start_to_close`, or all its attempts longer than `schedule_to_close`.
    Timeout,
    /// It gave no sign of life for `heartbeat`.
    Stalled,
    /// It was ended by a signal that was not ours.
    Crashed,
    /// It exited with a code other than 0.
    Exit,
    /// The program, or its interpreter, does not exist.
    SpawnNotFound,
    /// The program may not be executed.
    SpawnDenied,
    /// The program is no program, or its arguments are not acceptable.
    SpawnInvalid,
    /// The working directory is missing or forbidden.
    SpawnDir,
    /// A template or expression failed at run time.
    Expression,
    /// No processes, descriptors or memory were left to start it.
    SpawnExhausted,
    /// The prompt and its context are larger than the model takes.
    ContextOverflow,
    /// It used more memory than it may.
    OutOfMemory,
    /// The engine, the keeper or the worker died, or its report was lost.
    Lost,
    /// It was stopped for no fault of its own: its engine was told to end, or its run was paused at once.
    Interrupted,
    /// The disk is full.
    DiskFull,
    /// A budget is used up.
    Budget,
    /// It was alone in flight at too many deaths of the engine.
    Poison,
    /// Nothing could have woken it any more.
    Deadlock,
    /// Nobody knows whether it was done, and it must not be done twice.
    OutcomeUnknown,
    /// What it waited for did not come in time.
    Expired,
    /// A person said no.
    Denied,
    /// One of its children is dead.
    Children,
    /// It was cancelled.
    Cancelled,
}

/// Whether, and how, a kind of error is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retried {
    /// As often as the policy allows.
    Yes,
    /// A single time, whatever the policy allows.
    Once,
    /// Never by the same agent.
    No,
}

/// What the table of DESIGN says of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Treatment {
    /// Whether the attempt counts toward `max_attempts`.
    pub charged: bool,
    /// Whether it is tried again.
    pub retried: Retried,
    /// Whether those take over that the agent names under `fallback`.
    pub falls_back: bool,
    /// What it says of the account that served the attempt.
    pub served: Served,
}

/// How an account served an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Served {
    /// It did.
    Well,
    /// It failed: its breaker counts that.
    Failed,
    /// It serves nobody until a person mends something: its breaker opens.
    Barred,
    /// It wants fewer, or later, calls.
    Limited,
    /// Nothing can be said: the attempt never reached it, or was ended from outside.
    Unknown,
}

impl ErrorKind {
    /// All kinds, in the order of the table.
    pub const ALL: [Self; 30] = [
        Self::RateLimited,
        Self::Overloaded,
        Self::Auth,
        Self::Refused,
        Self::InvalidOutput,
        Self::GateRejected,
        Self::Conflict,
        Self::Timeout,
        Self::Stalled,
        Self::Crashed,
        Self::Exit,
        Self::SpawnNotFound,
        Self::SpawnDenied,
        Self::SpawnInvalid,
        Self::SpawnDir,
        Self::Expression,
        Self::SpawnExhausted,
        Self::ContextOverflow,
        Self::OutOfMemory,
        Self::Lost,
        Self::Interrupted,
        Self::DiskFull,
        Self::Budget,
        Self::Poison,
        Self::Deadlock,
        Self::OutcomeUnknown,
        Self::Expired,
        Self::Denied,
        Self::Children,
        Self::Cancelled,
    ];

    /// Whether an attempt that ended so is charged, and whether it is tried again.
    #[rustfmt::skip]
    pub const fn treatment(self) -> Treatment {
        let (charged, retried, falls_back, served) = match self {
            Self::RateLimited     => (false, Retried::Yes,  false, Served::Limited),
            Self::Overloaded      => (true,  Retried::Yes,  false, Served::Failed),
            Self::Auth            => (true,  Retried::No,   true,  Served::Barred),
            Self::Refused         => (true,  Retried::No,   true,  Served::Well),
            Self::InvalidOutput   => (true,  Retried::Yes,  false, Served::Well),
            Self::GateRejected    => (true,  Retried::Yes,  false, Served::Well),
            Self::Conflict        => (false, Retried::Yes,  false, Served::Well),
            Self::Timeout         => (true,  Retried::Yes,  false, Served::Failed),
            Self::Stalled         => (true,  Retried::Yes,  false, Served::Failed),
            Self::Crashed         => (true,  Retried::Yes,  false, Served::Failed),
            Self::Exit            => (true,  Retried::Yes,  false, Served::Failed),
            Self::SpawnNotFound   => (true,  Retried::No,   true,  Served::Unknown),
            Self::SpawnDenied     => (true,  Retried::No,   true,  Served::Unknown),
            Self::SpawnInvalid    => (true,  Retried::No,   true,  Served::Unknown),
            Self::SpawnDir        => (true,  Retried::No,   false, Served::Unknown),
            Self::Expression      => (true,  Retried::No,   false, Served::Unknown),
            Self::SpawnExhausted  => (false, Retried::Yes,  false, Served::Unknown),
            Self::ContextOverflow => (true,  Retried::Once, true,  Served::Well),
            Self::OutOfMemory     => (true,  Retried::Once, false, Served::Unknown),
            Self::Lost            => (false, Retried::Yes,  false, Served::Unknown),
            Self::Interrupted     => (false, Retried::Yes,  false, Served::Unknown),
            Self::DiskFull        => (false, Retried::Yes,  false, Served::Unknown),
            Self::Budget          => (false, Retried::No,   false, Served::Unknown),
            Self::Poison          => (false, Retried::No,   false, Served::Unknown),
            Self::Deadlock        => (false, Retried::No,   false, Served::Unknown),
            Self::OutcomeUnknown  => (false, Retried::No,   false, Served::Unknown),
            Self::Expired         => (false, Retried::No,   false, Served::Unknown),
            Self::Denied          => (false, Retried::No,   false, Served::Unknown),
            Self::Children        => (false, Retried::No,   false, Served::Unknown),
            Self::Cancelled       => (false, Retried::No,   false, Served::Unknown),
        };
        Treatment { charged, retried, falls_back, served }
    }

    /// How the account of its agent served an attempt that ended so.
    pub fn served(self) -> Served {
        self.treatment().served
    }

    /// Whether an attempt that ended so counts toward `max_attempts`.
    pub fn is_charged(self) -> bool {
        let planted = (self == Self::Lost && is_planted(Bug::EngineDeathCharged))
            || (self == Self::RateLimited && is_planted(Bug::RateLimitCharged));
        self.treatment().charged || planted
    }

    /// The name on the wire and in plans: `spawn_not_found`.
    #[rustfmt::skip]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RateLimited     => "rate_limited",
            Self::Overloaded      => "overloaded",
            Self::Auth            => "auth",
            Self::Refused         => "refused",
            Self::InvalidOutput   => "invalid_output",
            Self::GateRejected    => "gate_rejected",
            Self::Conflict        => "conflict",
            Self::Timeout         => "timeout",
            Self::Stalled         => "stalled",
            Self::Crashed         => "crashed",
            Self::Exit            => "exit",
            Self::SpawnNotFound   => "spawn_not_found",
            Self::SpawnDenied     => "spawn_denied",
            Self::SpawnInvalid    => "spawn_invalid",
            Self::SpawnDir        => "spawn_dir",
            Self::Expression      => "expression",
            Self::SpawnExhausted  => "spawn_exhausted",
            Self::ContextOverflow => "context_overflow",
            Self::OutOfMemory     => "out_of_memory",
            Self::Lost            => "lost",
            Self::Interrupted     => "interrupted",
            Self::DiskFull        => "disk_full",
            Self::Budget          => "budget",
            Self::Poison          => "poison",
            Self::Deadlock        => "deadlock",
            Self::OutcomeUnknown  => "outcome_unknown",
            Self::Expired         => "expired",
            Self::Denied          => "denied",
            Self::Children        => "children",
            Self::Cancelled       => "cancelled",
        }
    }

    /// What to do about it, where nobody knows better.
    #[rustfmt::skip]
    pub const fn hint(self) -> &'static str {
        match self {
            Self::RateLimited     => "it goes on by itself once the provider lets it; fewer at a time: the agent's `concurrency`",
            Self::Overloaded      => "the provider has no capacity: wait, or give the task to another agent",
            Self::Auth            => "log the agent in, or let its key through by `pass`",
            Self::Refused         => "ask otherwise, or give the task to another agent",
            Self::InvalidOutput   => "`windlass logs` shows what was printed; change the prompt, the program or `output.schema`",
            Self::GateRejected    => "`windlass logs` shows what the gate found",
            Self::Conflict        => "let one of the tasks that change the same files need the other",
            Self::Timeout         => "`windlass logs` shows how far it came; the limits stand under `timeout` in the plan",
            Self::Stalled         => "`windlass logs` shows its last line; how long it may be silent is `timeout.heartbeat` in the plan",
            Self::Crashed         => "`windlass logs` shows its last lines",
            Self::Exit            => "`windlass logs` shows what it printed",
            Self::SpawnNotFound   => "install the program, or name it with its folder",
            Self::SpawnDenied     => "make the program executable for the user that runs Windlass",
            Self::SpawnInvalid    => "look at the program and its arguments in the plan",
            Self::SpawnDir        => "make the folder, or name another under `dir`",
            Self::Expression      => "mend the template in the plan; `windlass show` has the outputs that it saw",
            Self::SpawnExhausted  => "it is tried again; fewer at a time: `--slots` or `concurrency`",
            Self::ContextOverflow => "make the prompt shorter, or split the task",
            Self::OutOfMemory     => "let it use less, or raise `memory` in the plan",
            Self::Lost            => "it is tried again by itself once an engine works on its run",
            Self::Interrupted     => "it starts anew, uncharged, when `windlass resume` goes on with its run",
            Self::DiskFull        => "free some space; `windlass resume` goes on",
            Self::Budget          => "`windlass retry` begins with all of the task's `budget` again",
            Self::Poison          => "look at its log for what kills its surroundings; then `windlass retry`",
            Self::Deadlock        => "look at what the tasks wait for, and take one of these needs away",
            Self::OutcomeUnknown  => "find out whether it was done, then `windlass settle`",
            Self::Expired         => "`windlass retry` asks again",
            Self::Denied          => "`windlass retry` asks again",
            Self::Children        => "`windlass retry` the child that failed, and this task comes back with it",
            Self::Cancelled       => "`windlass retry` brings it back",
        }
    }

    /// The kind with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl std::fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// What went wrong with an attempt or a task, in words for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Failure {
    /// The kind, which decides what happens next.
    pub kind: ErrorKind,
    /// What happened, without a period at the end.
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The task or the program that is behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// The shortest wait before another try that the provider asked for.
    #[serde(default, rename = "retry_after_ms", skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<Span>,
}

/// How long a text of a failure may be, in bytes.
const WORDS_BYTES_MAX: usize = 8 * 1024;

fn cut(text: &mut String) {
    if text.len() > WORDS_BYTES_MAX {
        text.truncate(text.floor_char_boundary(WORDS_BYTES_MAX));
        text.push('…');
    }
}

impl Failure {
    /// A failure with nothing but its kind and message.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None, cause: None, retry_after: None }
    }

    /// The same as it goes into a record: with the hint of its kind where there is none closer, and its words cut to
    /// what a record may carry.
    #[must_use]
    pub fn recorded(mut self) -> Self {
        cut(&mut self.message);
        cut(self.hint.get_or_insert_with(|| self.kind.hint().to_owned()));
        self.cause.as_mut().map(cut);
        self
    }

    /// The same, with a hint.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// The same, of what is written under a key of the plan.
    #[must_use]
    pub fn within(self, key: &str) -> Self {
        Self { message: format!("in `{key}`: {}", self.message), ..self }
    }

    /// The same, with the task or program behind it.
    #[must_use]
    pub fn cause(self, cause: impl Into<String>) -> Self {
        Self { cause: Some(cause.into()), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_each_kind_is_its_name_on_the_wire() {
        for kind in ErrorKind::ALL {
            assert_eq!(serde_json::to_value(kind).expect("a text"), kind.name());
            assert_eq!(ErrorKind::from_name(kind.name()), Some(kind));
        }
    }
}
