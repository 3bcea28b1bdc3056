//! `windlass init`: writes a first plan that runs as it is, without a key. Never: over a file that is there.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::PathBuf;

use clap::Args;

use crate::calling;
use crate::config::Config;
use crate::desk::Desk;
use crate::error::{Outcome, Report};
use crate::exit::Exit;

/// Write a first plan, which runs as it is
#[derive(Args, Debug)]
pub(crate) struct Init {
    /// Where to
    #[arg(default_value = "plan.yaml")]
    path: PathBuf,
}

impl Init {
    pub(crate) fn carry_out(self, desk: &mut Desk) -> Outcome {
        let config = Config::load(desk)?;
        let path = desk.place.folder.join(&self.path);
        let shown = self.path.display();
        let mut file = File::options().write(true).create_new(true).open(&path).map_err(|error| {
            if error.kind() == io::ErrorKind::AlreadyExists {
                return Report::new(Exit::Failed, format!("{shown} is there already"))
                    .hint(format!("give another path: `{}`", calling::command("init").with("other.yaml")));
            }
            Report::usage(format!("{shown} can't be written")).cause(error.to_string())
        })?;
        let checks: Vec<(&String, &String)> = config.settings.checks.iter().collect();
        file.write_all(first_plan(&checks).as_bytes())
            .map_err(|error| Report::usage(format!("{shown} can't be written")).cause(error.to_string()))?;
        let (check, run) = (calling::command("check").with(&shown), calling::command("run").with(&shown));
        desk.line(&format!("Wrote {shown}. `{check}` looks at it, `{run}` runs it."))?;
        Ok(Exit::Done)
    }
}

/// A plan that shows tasks side by side, a list that becomes children, and one that waits for them all.
fn first_plan(checks: &[(&String, &String)]) -> String {
    let mut plan = String::from(HEAD);
    let mut needs = vec!["size".to_owned()];
    for (name, command) in checks {
        let task = task_name(name, &needs);
        // JSON's texts are YAML's, whatever is in them; a template in one would be taken for ours.
        let command = serde_json::Value::from(command.replace("{{", "{{ '{{' }}")).to_string();
        writeln!(plan, "\n  {task}:\n    run: {command}").expect("a String takes it");
        needs.push(task);
    }
    let needs = needs.join(", ");
    plan.push_str(&TAIL.replace("NEEDS", &needs));
    plan
}

/// A task's name for a check, which may be called anything.
fn task_name(check: &str, taken: &[String]) -> String {
    let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '_' };
    let name: String = check.chars().map(plain).take(40).collect();
    let name = format!("check_{name}");
    let others = (2..).map(|number| format!("{name}_{number}"));
    std::iter::once(name.clone()).chain(others).find(|name| !taken.contains(name)).expect("numbers don't end")
}

const HEAD: &str = "\
# A first plan: tasks that run side by side, one for each item of a list, and one that waits for all of them.
#
#   windlass check plan.yaml     what would start, in order
#   windlass run plan.yaml       run it
#   windlass show last           look at it
version: 1
goal: Look at this folder

tasks:
  list:
    run: ls -A | head -n 5
    output: { schema: { type: string } }

  # One child for each line of the list: size.0, size.1 …
  size:
    needs: [list]
    for_each: \"{{ tasks.list.output | lines }}\"
    run: [du, -sh, \"{{ item }}\"]
";

const TAIL: &str = "
  # A list is a program with its arguments; each value that is filled in stays one argument.
  report:
    needs: [NEEDS]
    run: [echo, \"Looked at {{ tasks.size.output | length }} things in this folder.\"]
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_with_the_same_letters_become_different_tasks() {
        let taken = ["check_a_b".to_owned()];
        assert_eq!(task_name("a b", &[]), "check_a_b");
        assert_eq!(task_name("a-b", &taken), "check_a_b_2");
    }
}
