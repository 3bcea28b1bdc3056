//! The shipped agent that follows the script in its prompt: how it is started, and how its end is read. It leaves
//! word in a file that its environment names, a JSON text a line. Never: following the script (that is `act.rs`).

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use windlass_core::failure::Failure;
use windlass_core::plan::Agent;
use windlass_core::template::PromptPart;

use super::{Conclusion, End, Reading, Recipe, by_exit};
use crate::os::{Host, Os as _};

/// The name under which this binary is the scripted agent.
pub(super) const NAME: &str = "windlass-scripted";
/// The variable that names the file for its notes.
pub(super) const NOTES: &str = "WINDLASS_SCRIPTED";

/// What it tells besides its output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Note {
    /// It ends with this failure.
    Fail(Failure),
    /// It used this much more.
    Usage {
        /// Tokens.
        tokens: u64,
        /// Millionths of a dollar.
        usd_micro: u64,
    },
}

/// How it is started: it is this same binary.
pub(super) fn recipe(agent: &Agent, prompt: &[PromptPart], notes: PathBuf) -> Recipe {
    let argv = std::iter::once(NAME.to_owned()).chain(agent.args.iter().cloned()).collect();
    let env = vec![(NOTES, notes.display().to_string())];
    Recipe {
        program: Host::OWN_PROGRAM.to_owned(),
        argv,
        prompt: prompt.to_vec(),
        env,
        reading: Reading::Notes(notes),
    }
}

/// Reads its notes, and takes its exit where they say nothing of a failure.
pub(super) fn conclude(path: &Path, end: &End<'_>) -> Conclusion {
    let text = fs::read_to_string(path).unwrap_or_default();
    // Read once and for all; one that is not there was never written.
    drop(fs::remove_file(path));
    let mut conclusion = Conclusion::default();
    // The last line may be torn where the agent was killed.
    for note in text.lines().filter_map(|line| serde_json::from_str(line).ok()) {
        match note {
            Note::Fail(failure) => conclusion.error = Some(failure),
            Note::Usage { tokens, usd_micro } => {
                conclusion.tokens = Some(conclusion.tokens.unwrap_or(0) + tokens);
                conclusion.usd_micro = Some(conclusion.usd_micro.unwrap_or(0) + usd_micro);
            }
        }
    }
    conclusion.error = conclusion.error.or_else(|| by_exit(end));
    conclusion
}
