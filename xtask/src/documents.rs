//! The plans that the documents show: each is checked by the built binary. Never: a plan that only looks right.

use std::fs;
use std::path::Path;

use crate::program::{Program, target, workspace};

/// Checks every plan under `examples/`, and every one that stands in a page.
pub(crate) fn check_plans() -> Result<(), String> {
    let root = workspace();
    let desk = target().join("documents");
    fs::create_dir_all(&desk).map_err(|error| format!("{}: {error}", desk.display()))?;
    let mut checked = 0;
    for path in files(&root)? {
        let shown = path.strip_prefix(&root).unwrap_or(&path).display().to_string();
        if shown.starts_with("examples/") && path.file_stem().is_some_and(|stem| stem == "plan") {
            check(&path, &shown)?;
            checked += 1;
        }
        if path.extension().is_some_and(|ending| ending == "md") {
            let text = fs::read_to_string(&path).map_err(|error| format!("{shown}: {error}"))?;
            for (line, plan) in plans(&text) {
                let copy = desk.join(name(&plan));
                fs::write(&copy, plan).map_err(|error| format!("{}: {error}", copy.display()))?;
                check(&copy, &format!("{shown}, line {line}"))?;
                checked += 1;
            }
        }
    }
    println!("{checked} plans are good");
    if checked == 0 { Err("no plan was found, so none was checked".to_owned()) } else { Ok(()) }
}

/// Holds the page of commands to what the binary says of itself.
pub(crate) fn check_commands() -> Result<(), String> {
    let page = workspace().join("docs/reference/cli.md");
    let text = fs::read_to_string(&page).map_err(|error| format!("{}: {error}", page.display()))?;
    let (_, help) = Program::at(&target().join("debug/windlass")).and(&["--help"]).said()?;
    let missing: Vec<&str> =
        commands(&help).into_iter().filter(|command| !text.contains(&format!("| `{command}"))).collect();
    match missing.as_slice() {
        [] => Ok(()),
        missing => Err(format!("docs/reference/cli.md has no row for {}", missing.join(", "))),
    }
}

/// The commands that a help names.
fn commands(help: &str) -> Vec<&str> {
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let names = listed
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help").collect()
}

/// What the file of a plan is called in its page: others there may name it.
fn name(plan: &str) -> &str {
    let first = plan.lines().next().and_then(|line| line.strip_prefix("# "));
    first.filter(|name| !name.contains(' ') && name.ends_with("yaml")).unwrap_or("plan.yaml")
}

fn check(plan: &Path, place: &str) -> Result<(), String> {
    let check = Program::at(&target().join("debug/windlass")).and(&["check", &plan.to_string_lossy()]);
    match check.said()? {
        (Some(0), _) => Ok(()),
        (code, said) => Err(format!("the plan in {place} is refused ({code:?}):\n{said}")),
    }
}

/// The blocks of YAML that have tasks, each with the line it begins at.
fn plans(text: &str) -> Vec<(usize, String)> {
    let mut plans = Vec::new();
    let mut block: Option<(usize, String)> = None;
    for (index, line) in text.lines().enumerate() {
        match &mut block {
            Some(_) if line.starts_with("```") => plans.extend(block.take()),
            Some((_, plan)) => {
                plan.push_str(line);
                plan.push('\n');
            }
            None if line == "```yaml" => block = Some((index + 2, String::new())),
            None => {}
        }
    }
    plans.retain(|(_, plan)| plan.lines().any(|line| line == "tasks:"));
    plans
}

/// Every file of the workspace but what is built or belongs to git.
fn files(root: &Path) -> Result<Vec<std::path::PathBuf>, String> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let told = |error: std::io::Error| format!("{}: {error}", folder.display());
        for entry in fs::read_dir(&folder).map_err(told)? {
            let path = entry.map_err(told)?.path();
            let is_ours = path.file_name().is_some_and(|name| name != "target" && name != ".git");
            if path.is_dir() && is_ours && !path.is_symlink() {
                folders.push(path);
            } else if path.is_file() {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_and_commands_are_found_among_other_lines() {
        let page =
            "a\n```yaml\nversion: 1\ntasks:\n  a: {}\n```\n```yaml\nno: plan\n```\n```toml\ntasks:\n```\n";
        let help = "Runs.\n\nCommands:\n  init   Write\n           more\n  ps     List\n  help   Print\n\nOptions:\n  -h\n";
        assert_eq!(commands(help), ["init", "ps"]);
        assert_eq!(plans(page), [(3, "version: 1\ntasks:\n  a: {}\n".to_owned())]);
    }
}
