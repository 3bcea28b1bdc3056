//! The shipped agent that follows the script in its prompt: how it is started, and how its end is read.
//! Never: doing anything that a foreign agent could not do.

use std::path::{Path, PathBuf};

use windlass_core::effect::PromptPart;
use windlass_core::plan::Agent;

use super::{Conclusion, End, Reading, Recipe, by_exit};

/// The name under which this binary is the scripted agent.
const NAME: &str = "windlass-scripted";

/// How it is started: it is this same binary.
pub(super) fn recipe(agent: &Agent, prompt: &[PromptPart], notes: PathBuf) -> Recipe {
    let argv = std::iter::once(NAME.to_owned()).chain(agent.args.iter().cloned()).collect();
    let env = vec![("WINDLASS_SCRIPTED", notes.display().to_string())];
    Recipe {
        program: "/proc/self/exe".to_owned(),
        argv,
        prompt: prompt.to_vec(),
        env,
        reading: Reading::Notes(notes),
    }
}

pub(super) fn conclude(_notes: &Path, end: &End<'_>) -> Conclusion {
    Conclusion { error: by_exit(end), ..Conclusion::default() }
}
