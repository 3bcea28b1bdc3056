//! `windlass completions`: the few lines by which a shell asks this binary what can come next. Never: the answer itself
//! (that is `completing.rs`).

use clap::{Args, ValueEnum};
use clap_complete::env::{Bash, EnvCompleter, Fish, Zsh};

use crate::completing::VARIABLE;
use crate::desk::Desk;
use crate::error::{Outcome, print_failed};
use crate::exit::Exit;

/// Print what makes a shell complete verbs, options, runs and tasks
///
/// Bash: `source <(windlass completions bash)` in ~/.bashrc. Zsh: the same with `zsh` in ~/.zshrc, behind `compinit`.
/// Fish: `windlass completions fish | source` in ~/.config/fish/config.fish.
#[derive(Args, Debug)]
pub(crate) struct Completions {
    /// For which shell
    shell: Shell,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Shell {
    /// GNU Bash
    Bash,
    /// The Z shell
    Zsh,
    /// Fish
    Fish,
}

impl Completions {
    pub(crate) fn carry_out(self, desk: &mut Desk) -> Outcome {
        let shell: &dyn EnvCompleter = match self.shell {
            Shell::Bash => &Bash,
            Shell::Zsh => &Zsh,
            Shell::Fish => &Fish,
        };
        let mut script = Vec::new();
        // By name, as a person calls it: another build under the same name answers for itself.
        let written = shell.write_registration(VARIABLE, "windlass", "windlass", "windlass", &mut script);
        written.map_err(|error| print_failed(&error))?;
        desk.bytes(&script)?;
        Ok(Exit::Done)
    }
}
