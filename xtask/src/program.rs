//! Programs that a task starts, and how their end is told. The one file of this crate that starts any.
//! Never: output caught and lost (it goes where ours goes, but for `answers`).

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A command line that can be shown as well as run.
pub(crate) struct Program {
    words: Vec<String>,
    variables: Vec<(&'static str, String)>,
    folder: PathBuf,
}

impl Program {
    /// A program with its arguments, as they would be typed: words without quotes.
    pub(crate) fn line(line: &str) -> Self {
        let words = line.split_whitespace().map(str::to_owned).collect();
        Self { words, variables: Vec::new(), folder: workspace() }
    }

    /// A program by its path.
    pub(crate) fn at(path: &Path) -> Self {
        Self { words: vec![path.to_string_lossy().into_owned()], variables: Vec::new(), folder: workspace() }
    }

    /// The same with more arguments.
    pub(crate) fn and(mut self, words: &[&str]) -> Self {
        self.words.extend(words.iter().map(|&word| word.to_owned()));
        self
    }

    /// The same with a variable set.
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.variables.push((name, value.to_owned()));
        self
    }

    /// The same in another folder than the workspace's.
    pub(crate) fn within(mut self, folder: &Path) -> Self {
        folder.clone_into(&mut self.folder);
        self
    }

    /// The line that runs it by hand.
    pub(crate) fn shown(&self) -> String {
        let set = self.variables.iter().map(|(name, value)| format!("{name}={value}"));
        set.chain(self.words.iter().cloned()).collect::<Vec<_>>().join(" ")
    }

    /// Runs it, its output where ours goes.
    pub(crate) fn run(&self) -> Result<(), String> {
        let status =
            self.command().status().map_err(|error| self.told(&format!("did not start: {error}")))?;
        if status.success() { Ok(()) } else { Err(self.told(&format!("ended with {status}"))) }
    }

    /// Runs it; gives how it ended and what it wrote to standard output. Standard error goes where ours goes.
    pub(crate) fn said(&self) -> Result<(Option<i32>, String), String> {
        let output = self.command().stderr(Stdio::inherit()).output();
        let output = output.map_err(|error| self.told(&format!("did not start: {error}")))?;
        Ok((output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned()))
    }

    /// Whether it starts and ends well. What it prints is dropped.
    pub(crate) fn answers(&self) -> bool {
        let quiet = self.command().stdout(Stdio::null()).stderr(Stdio::null()).status();
        quiet.is_ok_and(|status| status.success())
    }

    fn told(&self, end: &str) -> String {
        format!("`{}` {end}", self.shown())
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "starting programs is what this crate is for; none is an attempt"
    )]
    fn command(&self) -> Command {
        let mut command = Command::new(&self.words[0]);
        let variables = self.variables.iter().map(|(name, value)| (name, value));
        command.args(&self.words[1..]).envs(variables).current_dir(&self.folder).stdin(Stdio::null());
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
