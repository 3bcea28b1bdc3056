//! The work of an attempt on top of the target, as one commit that no branch points to. Merged without a checkout, so that
//! nobody's files change. Never: the target itself.

use std::path::Path;

use windlass_core::errand::{Done, ObjectId, PrepareMerge};
use windlass_core::failure::Failure;

use super::git::{EMAIL, Git, NAME, parts};
use super::heads::{self, Was};
use super::{durable, message, target, worktrees};

/// How much of what git says of a conflict goes into a record.
const TEXT_BYTES_MAX: usize = 4096;
/// How many files of one.
const FILES_MAX: usize = 100;

pub(super) fn carry_out(asked: &PrepareMerge) -> Result<Done, Failure> {
    let git = Git::within(Path::new(&asked.repository))?;
    let common = worktrees::shared_dir(&git)?;
    for commit in [&asked.base, &asked.work] {
        if heads::commit(&git, &commit.0)?.is_none() {
            return Err(super::look::without_base(commit));
        }
    }
    let base = target::tip(&git, &common, &asked.target, &asked.start)?;
    // Somebody put the same work there by hand: a second commit with its key never lands.
    if let Some(commit) = heads::carrier(&git, &asked.start, &base, &asked.key)? {
        return Ok(Done::Landed { commit });
    }
    let tree = match merged(&git, &base, &asked.work)? {
        Ok(tree) => tree,
        Err((files, text)) => return Ok(Done::Conflict { base, files, text }),
    };
    let new_tip = commit(&git, asked, &tree, &base)?;
    // Nothing else names it, and somebody's `git gc` would take it. It is never removed here: to remove a ref git locks all
    // packed ones.
    let name = format!("refs/windlass/prepared/{}/{}@{}", asked.key.run, asked.key.task, asked.key.attempt);
    heads::shift(&git, &common, &name, &new_tip, Was::Anything)?;
    durable::objects(&git, &common, &new_tip, &[&base])?;
    durable::objects(&git, &common, &asked.work, &[&base])?;
    durable::reference(&common, &name)?;
    Ok(Done::MergePrepared { base, new_tip, tree })
}

type Clash = (Vec<String>, String);

/// The tree of both, or what stands against it.
fn merged(git: &Git, tip: &ObjectId, work: &ObjectId) -> Result<Result<ObjectId, Clash>, Failure> {
    let arguments = ["merge-tree", "--write-tree", "-z", "--name-only", "--messages", &tip.0, &work.0];
    let said = git.ask(&arguments)?;
    let all: Vec<String> = parts(&said.out).map(|part| String::from_utf8_lossy(part).into_owned()).collect();
    match (said.code, all.split_first()) {
        (0, Some((tree, _))) => Ok(Ok(ObjectId(tree.clone()))),
        (1, Some((_, rest))) => Ok(Err(clash(rest))),
        _ => Err(said
            .expect_done(&arguments)
            .err()
            .unwrap_or_else(|| super::in_the_way("git", "`git merge-tree` said nothing".to_owned()))),
    }
}

/// Files up to an empty part; then messages, each as a number of paths, these paths, its kind and its text.
fn clash(parts: &[String]) -> Clash {
    let files: Vec<String> = parts.iter().take_while(|part| !part.is_empty()).cloned().collect();
    let mut rest = parts.get(files.len() + 1..).unwrap_or_default();
    let mut text = String::new();
    while let Some((count, after)) = rest.split_first() {
        let paths = count.parse::<usize>().unwrap_or(0);
        let Some(words) = after.get(paths + 1) else { break };
        // What was merged by itself is of no interest.
        if after.get(paths).is_some_and(|kind| kind.starts_with("CONFLICT")) {
            text.push_str(words);
        }
        rest = after.get(paths + 2..).unwrap_or_default();
    }
    text.truncate(text.floor_char_boundary(TEXT_BYTES_MAX));
    (files.into_iter().take(FILES_MAX).collect(), text)
}

fn commit(git: &Git, asked: &PrepareMerge, tree: &ObjectId, tip: &ObjectId) -> Result<ObjectId, Failure> {
    let text = message::with_key(&asked.message, &asked.key);
    let git = match author(git, asked)? {
        Some((name, email, date)) => {
            git.with("GIT_AUTHOR_NAME", name).with("GIT_AUTHOR_EMAIL", email).with("GIT_AUTHOR_DATE", date)
        }
        None => git.clone(),
    };
    Ok(ObjectId(git.line(&["commit-tree", &tree.0, "-p", &tip.0, "-m", &text])?))
}

/// Who made the newest commit of the work that we did not make, and when. What was merged into the work is by others.
fn author(git: &Git, asked: &PrepareMerge) -> Result<Option<(String, String, String)>, Failure> {
    let format = "--format=%an%n%ae%n%ad";
    let range = [&*asked.work.0, "--not", &asked.base.0, "--"];
    let listed = git.run(&[&["log", "-z", "--first-parent", format, "--date=raw"], &range[..]].concat())?;
    let found = parts(&listed).find_map(|part| {
        let text = String::from_utf8_lossy(part);
        let mut lines = text.lines();
        let (name, email, date) = (lines.next()?, lines.next()?, lines.next()?);
        let is_ours = (name, email) == (NAME, EMAIL);
        // Where nothing of a name counts git would refuse the commit.
        let is_name = name.chars().any(char::is_alphanumeric) && !email.is_empty();
        (!is_ours && is_name).then(|| (name.to_owned(), email.to_owned(), format!("@{date}")))
    });
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_clash_the_files_are_told_and_what_git_says_of_them() {
        let parts = [
            "a b",
            "c",
            "",
            "1",
            "a b",
            "Auto-merging",
            "Auto-merging a b\n",
            "2",
            "a b",
            "c",
            "CONFLICT (contents)",
            "CONFLICT: in a b\n",
        ];
        let (files, text) = clash(&parts.map(str::to_owned));
        assert_eq!(files, ["a b", "c"]);
        assert_eq!(text, "CONFLICT: in a b\n");
        assert_eq!(clash(&["a".to_owned()]), (vec!["a".to_owned()], String::new()));
    }
}
