//! Errands under strace, which sees their calls or kills them at one. Never: passing without it, unless a person said so.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use windlass_core::errand::Errand;

use super::Field;
use crate::needs;
use crate::stage::PAWL;

#[expect(clippy::disallowed_methods, reason = "a test looks at system calls")]
fn strace() -> Command {
    Command::new("strace")
}

pub(super) fn can_trace() -> bool {
    let traced = strace().args(["-o", "/dev/null", "true"]).stderr(Stdio::null()).status();
    needs::is_there("strace", traced.is_ok_and(|status| status.success()))
}

impl Field {
    /// An errand and all that it starts, under strace with these arguments.
    pub(super) fn traced(&self, errand: &Errand, log: &Path, arguments: &[&str]) -> Output {
        let program = self.path("windlass-errand");
        if !program.exists() {
            symlink(PAWL, &program).expect("ours");
        }
        self.write("errand.json", serde_json::to_string(errand).expect("plain data"));
        // Found by its name, which is what makes it an errand.
        let others = std::env::var_os("PATH").expect("a PATH").into_string().expect("of text");
        let path = format!("{}:{others}", self.path("").display());
        let mut strace = strace();
        strace.args(["-f", "-qq"]).args(arguments).arg("-o").arg(log).arg("windlass-errand");
        strace.env("PATH", path).env("HOME", self.path("nobody"));
        let input = fs::File::open(self.path("errand.json")).expect("it was just written");
        strace.stdin(input).output().expect("it is there")
    }
}
