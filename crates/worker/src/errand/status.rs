//! What is not committed in a worktree, as git sees it. Never: changing anything.

use windlass_core::failure::Failure;

use super::git::{Git, parts};

/// One file or folder that is not as the commit has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Uncommitted {
    /// Its name, as far as it is text.
    pub(super) name: String,
    /// It is a repository within this one: what is in it can't be committed here.
    pub(super) is_repository: bool,
    /// Both sides of a merge have changed it, and nobody has decided yet.
    pub(super) is_unmerged: bool,
}

/// All that is not committed, but what is ignored.
pub(super) fn uncommitted(git: &Git) -> Result<Vec<Uncommitted>, Failure> {
    let printed = git.run(&[
        "status",
        "--porcelain=v2",
        "-z",
        "--untracked-files=all",
        "--ignore-submodules=none",
        "--no-renames",
    ])?;
    Ok(parts(&printed).filter_map(read).collect())
}

fn read(entry: &[u8]) -> Option<Uncommitted> {
    let text = String::from_utf8_lossy(entry);
    let (kind, rest) = text.split_once(' ')?;
    // Fields before the name, which may hold spaces itself.
    let fields = match kind {
        "1" => 7,
        "u" => 9,
        "?" => 0,
        _ => return None,
    };
    let mut split = rest.splitn(fields + 1, ' ');
    let before: Vec<&str> = split.by_ref().take(fields).collect();
    let name = split.next()?.to_owned();
    let is_link = before.get(2..5).is_some_and(|modes| modes.contains(&"160000"));
    Some(Uncommitted { is_repository: is_link || name.ends_with('/'), is_unmerged: kind == "u", name })
}

/// Names, for people.
pub(super) fn names<'a>(all: impl IntoIterator<Item = &'a Uncommitted>) -> Vec<String> {
    all.into_iter().map(|one| one.name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_their_spaces_and_repositories_are_known() {
        let of = |entry: &str| {
            read(entry.as_bytes())
                .map(|one| (one.name, one.is_repository, one.is_unmerged))
                .expect("an entry")
        };
        assert_eq!(of("? a b\nc"), ("a b\nc".to_owned(), false, false));
        assert_eq!(of("? nested/"), ("nested/".to_owned(), true, false));
        assert_eq!(of("1 .M N... 100644 100644 100644 aa bb x y"), ("x y".to_owned(), false, false));
        assert_eq!(of("1 .M SC.. 160000 160000 160000 aa bb sub"), ("sub".to_owned(), true, false));
        assert_eq!(of("u UU N... 100644 100644 100644 100644 a b c both"), ("both".to_owned(), false, true));
    }
}
