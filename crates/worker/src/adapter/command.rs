//! Any program as an agent: the prompt on standard input, the answer on standard output or in the file that
//! `WINDLASS_OUTPUT` names. Never: reading more into its end than its exit says.

use windlass_core::failure::{ErrorKind, Failure};
use windlass_core::plan::Agent;
use windlass_core::template::PromptPart;

use super::{Reading, Recipe};

/// How such an agent is started.
pub(super) fn recipe(agent: &Agent, name: &str, prompt: &[PromptPart]) -> Result<Recipe, Failure> {
    let program = agent.program.clone().filter(|program| !program.is_empty()).ok_or_else(|| {
        Failure::new(ErrorKind::SpawnInvalid, format!("agent {name} names no program"))
            .hint(format!("set agents.{name}.program"))
    })?;
    let argv = std::iter::once(&program).chain(&agent.args).cloned().collect();
    Ok(Recipe { program, argv, prompt: prompt.to_vec(), env: Vec::new(), reading: Reading::Exit })
}
