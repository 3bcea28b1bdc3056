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
    /// A folder that may not be looked into, so that nobody knows what is in it.
    pub(super) is_closed: bool,
}

impl Uncommitted {
    /// Whether what is in it can't be kept by a commit.
    pub(super) fn is_out_of_reach(&self) -> bool {
        self.is_repository || self.is_closed
    }
}

/// All that is not committed, but what is ignored.
pub(super) fn uncommitted(git: &Git) -> Result<Vec<Uncommitted>, Failure> {
    let arguments = [
        "status",
        "--porcelain=v2",
        "-z",
        "--untracked-files=all",
        "--ignore-submodules=none",
        "--no-renames",
    ];
    let said = git.ask(&arguments)?;
    // Passed over with a warning alone.
    let mut all: Vec<Uncommitted> = said.error.lines().filter_map(closed).collect();
    all.extend(parts(&said.expect_done(&arguments)?).filter_map(read));
    Ok(all)
}

fn closed(line: &str) -> Option<Uncommitted> {
    let (name, _) = line.strip_prefix("warning: could not open directory '")?.rsplit_once("': ")?;
    let name = name.to_owned();
    Some(Uncommitted { name, is_repository: false, is_unmerged: false, is_closed: true })
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
    let is_repository = is_link || name.ends_with('/');
    Some(Uncommitted { name, is_repository, is_unmerged: kind == "u", is_closed: false })
}

/// Names, for people.
pub(super) fn names<'a>(all: impl IntoIterator<Item = &'a Uncommitted>) -> Vec<String> {
    all.into_iter().map(|one| one.name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_git_passes_over_is_told() {
        let line = "warning: could not open directory 'it's/': Permission denied";
        assert_eq!(closed(line).map(|one| (one.name, one.is_closed)), Some(("it's/".to_owned(), true)));
        assert_eq!(closed("warning: something else"), None);
    }

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
