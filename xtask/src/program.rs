//! Programs that a task starts, and how their end is told. The one file of this crate that starts any.
//! Never: output caught and lost (it goes where ours goes, but for `answers`).

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A command line that can be shown as well as run.
pub(crate) struct Program {
    words: Vec<String>,
    variables: Vec<(&'static str, &'static str)>,
}

impl Program {
    /// A program with its arguments, as they would be typed: words without quotes.
    pub(crate) fn line(line: &str) -> Self {
        Self { words: line.split_whitespace().map(str::to_owned).collect(), variables: Vec::new() }
    }

    /// The same with more arguments.
    pub(crate) fn and(mut self, words: &[&str]) -> Self {
        self.words.extend(words.iter().map(|&word| word.to_owned()));
        self
    }

    /// The same with a variable set.
    pub(crate) fn with(mut self, name: &'static str, value: &'static str) -> Self {
        self.variables.push((name, value));
        self
    }

    /// The line that runs it by hand.
    pub(crate) fn shown(&self) -> String {
        let set = self.variables.iter().map(|(name, value)| format!("{name}={value}"));
        set.chain(self.words.iter().cloned()).collect::<Vec<_>>().join(" ")
    }

    /// Runs it in the workspace's folder, its output where ours goes.
    pub(crate) fn run(&self) -> Result<(), String> {
        let told = |end: String| format!("`{}` {end}", self.shown());
        let status = self.command().status().map_err(|error| told(format!("did not start: {error}")))?;
        if status.success() { Ok(()) } else { Err(told(format!("ended with {status}"))) }
    }

    /// Whether it starts and ends well. What it prints is dropped.
    pub(crate) fn answers(&self) -> bool {
        let quiet = self.command().stdout(Stdio::null()).stderr(Stdio::null()).status();
        quiet.is_ok_and(|status| status.success())
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "starting programs is what this crate is for; none is an attempt"
    )]
    fn command(&self) -> Command {
        let mut command = Command::new(&self.words[0]);
        command.args(&self.words[1..]).envs(self.variables.iter().copied()).current_dir(workspace());
        command.stdin(Stdio::null());
        command
    }
}

/// The folder of the workspace.
pub(crate) fn workspace() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().expect("this crate lies in the workspace's folder").to_owned()
}

/// The folder that cargo builds into: this program lies in `debug/` of it.
pub(crate) fn target() -> PathBuf {
    let own = std::env::current_exe().expect("a running program has a path");
    own.ancestors().nth(2).expect("cargo puts programs two folders deep").to_owned()
}
