//! The names by which runs, tasks, attempts, records and blobs are known. Every id is a type of its own, so that
//! one is never taken for another. Never: making ids up (randomness comes in with the commands).

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The place of a record in the journal of a home: 1, 2, 3 … without a gap. 0 is «before the first record».
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(transparent)]
pub struct Seq(pub u64);

impl Seq {
    /// The place after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// The number of an opening of the journal for writing; an append with an epoch that is not the newest fails.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(transparent)]
pub struct Epoch(pub u64);

/// The number that makes an old claim on a task harmless: the [`Seq`] of its `attempt_started`.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(transparent)]
pub struct Fence(pub u64);

impl From<Seq> for Fence {
    fn from(seq: Seq) -> Self {
        Self(seq.0)
    }
}

macro_rules! shown_as_its_number {
    ($($id:ty),*) => { $(impl fmt::Display for $id {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { self.0.fmt(f) }
    })* };
}
shown_as_its_number!(Seq, Epoch, Fence);

/// What is wrong with a text that should have been an id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Runs are six lower-case letters and digits.
    #[error("`{0}` is no run id: six lower-case letters and digits")]
    Run(String),
    /// Tasks are names, numbers of children behind a dot, and the tasks of sub-plans behind a slash.
    #[error("`{0}` is no task id: a name, `name.0` for a child, `name/name` in a sub-plan")]
    Task(String),
    /// Digests are 64 hexadecimal digits.
    #[error("`{0}` is no digest: 64 hexadecimal digits")]
    Digest(String),
    /// Keys are `run/task/attempt`.
    #[error("`{0}` is no attempt key: run/task/attempt")]
    Key(String),
}

/// A run: six lower-case letters and digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId([u8; 6]);

impl RunId {
    const ALPHABET: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz023456789";

    /// The id that a random number stands for.
    pub fn from_random(mut random: u64) -> Self {
        Self(std::array::from_fn(|_| {
            let letter = Self::ALPHABET[usize::try_from(random % 32).expect("below 32")];
            random /= 32;
            letter
        }))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("letters and digits only")
    }
}

impl FromStr for RunId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let bytes: [u8; 6] = text.as_bytes().try_into().map_err(|_| IdError::Run(text.into()))?;
        let fits = bytes.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        fits.then_some(Self(bytes)).ok_or_else(|| IdError::Run(text.into()))
    }
}

/// A task of a run: `fix`, its child `fix.0`, a sub-plan's task `fix/check`. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(Arc<str>);

impl TaskId {
    /// The longest name of a task, in bytes; the published pattern is `[A-Za-z_][A-Za-z0-9_-]{0,63}`.
    pub const NAME_BYTES_MAX: usize = 64;

    /// Whether a text is a task's name as a plan writes it.
    pub fn is_name(text: &str) -> bool {
        let mut bytes = text.bytes();
        text.len() <= Self::NAME_BYTES_MAX
            && bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
            && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
    }

    /// The child with this number: `fix.0`.
    #[must_use]
    pub fn child(&self, index: u32) -> Self {
        Self(format!("{self}.{index}").into())
    }

    /// The task of this name in the sub-plan that this one is: `fix/check`.
    #[must_use]
    pub fn inside(&self, name: &Self) -> Self {
        Self(format!("{self}/{name}").into())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TaskId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let one = |part: &str| {
            let mut pieces = part.split('.');
            pieces.next().is_some_and(Self::is_name)
                && pieces.all(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
        };
        let fits = text.split('/').all(one);
        fits.then(|| Self(text.into())).ok_or_else(|| IdError::Task(text.into()))
    }
}

/// One try at a task, by its number from 1: what `WINDLASS_KEY` holds, and the key of every side effect.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AttemptKey {
    /// The run of the task.
    pub run: RunId,
    /// The task.
    pub task: TaskId,
    /// The attempt's number, from 1, never used twice within a task.
    pub attempt: u32,
}

impl fmt::Display for AttemptKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.run, self.task, self.attempt)
    }
}

impl FromStr for AttemptKey {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let wrong = || IdError::Key(text.into());
        let (run, rest) = text.split_once('/').ok_or_else(wrong)?;
        let (task, attempt) = rest.rsplit_once('/').ok_or_else(wrong)?;
        Ok(Self { run: run.parse()?, task: task.parse()?, attempt: attempt.parse().map_err(|_| wrong())? })
    }
}

/// The name that a client gives to a command, so that asking twice is asking once.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(transparent)]
pub struct CommandId(#[schemars(with = "String")] pub Arc<str>);

/// The name of an agent, as plans and settings use it.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(transparent)]
pub struct AgentName(#[schemars(with = "String")] pub Arc<str>);

impl fmt::Display for AgentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The name of what agents have in common that are served by one provider: its breaker, its rate, its pauses.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(transparent)]
pub struct AccountName(#[schemars(with = "String")] pub Arc<str>);

impl fmt::Display for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The BLAKE3 digest of a blob: its name and the proof of its content.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Each start of an attempt names one: the machinery that formats numbers would cost more than all that it leads to.
        const LETTERS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0; 64];
        for (pair, byte) in text.chunks_exact_mut(2).zip(self.0) {
            pair[0] = LETTERS[usize::from(byte >> 4)];
            pair[1] = LETTERS[usize::from(byte & 15)];
        }
        f.write_str(std::str::from_utf8(&text).expect("letters and digits only"))
    }
}

impl FromStr for Digest {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let hash = blake3::Hash::from_hex(text).map_err(|_| IdError::Digest(text.into()))?;
        Ok(Self(*hash.as_bytes()))
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

macro_rules! written_as_text {
    ($($id:ty),*) => { $(
        impl fmt::Debug for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { fmt::Display::fmt(self, f) }
        }
        impl Serialize for $id {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> { to.collect_str(self) }
        }
        impl<'de> Deserialize<'de> for $id {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )* };
}
written_as_text!(RunId, TaskId, Digest);

macro_rules! texts_of_a_pattern {
    ($($id:ty: $pattern:literal),*) => { $(
        impl schemars::JsonSchema for $id {
            fn schema_name() -> std::borrow::Cow<'static, str> { stringify!($id).into() }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "pattern": $pattern })
            }
        }
    )* };
}
texts_of_a_pattern! {
    RunId: "^[a-z0-9]{6}$",
    TaskId: r"^[A-Za-z_][A-Za-z0-9_-]{0,63}(\.[0-9]+)*(/[A-Za-z_][A-Za-z0-9_-]{0,63}(\.[0-9]+)*)*$",
    Digest: "^[0-9a-f]{64}$"
}
