//! Orders to the outside: what each record asks for (`react`), and what is outstanding (`pending`).
//! Never: carrying them out, or choosing while they are carried out.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::errand::Errand;
use crate::id::{AttemptKey, Digest, Fence};
use crate::output::RawOutput;
use crate::plan::Agent;
use crate::template::PromptPart;
use crate::time::Span;

/// An order. ARCHITECTURE.md has a row for each: who asks, how its outcome is learned after a crash, what settles it.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Start the processes of an attempt.
    SpawnAttempt(Box<Assignment>),
    /// Learn what became of an attempt of a lower epoch: wait for the old keeper, sweep, report it lost.
    LearnAttempt {
        /// The attempt.
        key: AttemptKey,
        /// Its fence.
        fence: Fence,
    },
    /// End the processes of an attempt: SIGTERM, grace, SIGKILL, until none is left.
    StopAttempt {
        /// The attempt.
        key: AttemptKey,
        /// Its fence.
        fence: Fence,
        /// From the polite stop to the hard one.
        grace: Span,
    },
    /// Parse a large output, check it, cut the extracts.
    SettleOutput {
        /// The attempt.
        key: AttemptKey,
        /// Its fence.
        fence: Fence,
        /// Where it lies.
        raw: RawOutput,
        /// What to do with it.
        settle: Settle,
    },
    /// Do something for an attempt besides its own program, unless that is done already.
    RunErrand(Box<ErrandOrder>),
}

/// An errand with what it is carried out under.
#[derive(Clone, Debug, PartialEq)]
pub struct ErrandOrder {
    /// The attempt that it is for.
    pub key: AttemptKey,
    /// The record that asked for it, by which its report is known.
    pub fence: Fence,
    /// The blob with the variables of the run's surroundings.
    pub env_base: Digest,
    /// What is to be done.
    pub errand: Errand,
}

impl ErrandOrder {
    /// The same as work for a process of its own.
    pub fn assignment(&self) -> Assignment {
        let anywhere = || "/".to_owned();
        Assignment {
            key: self.key.clone(),
            fence: self.fence,
            program: Program::Errand(Box::new(self.errand.clone())),
            folder: anywhere(),
            workspace: anywhere(),
            env_base: self.env_base,
            env: BTreeMap::new(),
            pass: Vec::new(),
            start_to_close: None,
            heartbeat: None,
            grace: Span::from_secs(10),
            memory_bytes_max: None,
            settle: Settle::default(),
            around: Vec::new(),
            elsewhere: None,
            feedback: None,
        }
    }
}

/// All that a driver needs to carry out one attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Assignment {
    /// The attempt: the key of all its side effects.
    pub key: AttemptKey,
    /// Its fence.
    pub fence: Fence,
    /// What to start.
    pub program: Program,
    /// The working directory: absolute.
    pub folder: String,
    /// The folder that the working directory must lie in.
    pub workspace: String,
    /// The blob with the variables of the run's surroundings.
    pub env_base: Digest,
    /// Variables of the task and the agent, rendered.
    pub env: BTreeMap<String, String>,
    /// Globs of names of surrounding variables that are let through.
    pub pass: Vec<String>,
    /// The longest an attempt may take.
    pub start_to_close: Option<Span>,
    /// The longest silence.
    pub heartbeat: Option<Span>,
    /// From the polite stop to the hard one, when a limit is overrun.
    pub grace: Span,
    /// The most memory, in bytes.
    pub memory_bytes_max: Option<u64>,
    /// What to do with the output.
    pub settle: Settle,
    /// The attempts that started the runs that it is in, the outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub around: Vec<AttemptKey>,
    /// How deep runs may start runs in other homes, this run's own attempts being 1; none where it may start none there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elsewhere: Option<u32>,
    /// What was wrong with the attempt before, for `WINDLASS_FEEDBACK`.
    pub feedback: Option<String>,
}

/// What to do with an output once it is there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Settle {
    /// The JSON Schema that it must hold against.
    pub schema: Option<serde_json::Value>,
    /// The JSON pointers that expressions of the plan name; the empty one is the whole.
    pub extracts: Vec<String>,
}

/// What an attempt starts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Program {
    /// A program with its arguments.
    Argv(Vec<String>),
    /// A line for `/bin/sh -c`.
    Shell(String),
    /// An agent with a prompt.
    Agent {
        /// The agent, resolved.
        agent: Agent,
        /// Its name, for messages.
        name: String,
        /// What is asked.
        prompt: Vec<PromptPart>,
    },
    /// An errand of ours.
    Errand(Box<Errand>),
}
