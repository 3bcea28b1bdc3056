//! Where things are: the folder that commands are about, its project, and the home that holds the project's runs.
//! Never: making a home, or looking into it.

use std::path::{Component, Path, PathBuf};

use windlass_core::id::Digest;

use crate::error::{Outcome, Report};
use crate::surroundings::Surroundings;

/// The settings of a project lie in a file of this name in its root.
pub(crate) const SETTINGS_FILE: &str = "windlass.toml";

/// Who says where the home is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    /// `--home`.
    Flag,
    /// `WINDLASS_HOME`.
    Variable,
    /// Nobody: it is that of the project.
    Project,
}

/// Where a command is about.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// The folder that it was called in, or that `--dir` names: absolute, without links.
    pub(crate) folder: PathBuf,
    /// The project's root: the nearest folder with `windlass.toml` or `.git`, else the folder itself.
    pub(crate) root: PathBuf,
    /// The home.
    pub(crate) home: PathBuf,
    pub(crate) named: Named,
}

impl Place {
    /// Where a command is about that was called with these options.
    pub(crate) fn find(
        folder: Option<&Path>,
        home: Option<&Path>,
        surroundings: &Surroundings,
    ) -> Outcome<Self> {
        let named = folder.unwrap_or(Path::new("."));
        let folder = named.canonicalize().map_err(|error| unusable(named, &error))?;
        if !folder.is_dir() {
            return Err(Report::usage(format!("{} is no folder", named.display())).into());
        }
        let root = root_of(&folder).to_owned();
        // The flag and the variable come as one; where they say the same it is the variable's.
        let variable = surroundings.text("WINDLASS_HOME").map(Path::new);
        let named = match home {
            Some(home) if variable == Some(home) => Named::Variable,
            Some(_) => Named::Flag,
            None => Named::Project,
        };
        let home = match home {
            Some(home) => std::path::absolute(home).map_err(|error| unusable(home, &error))?,
            None => homes(surroundings)?.join(name_of(&root)),
        };
        Ok(Self { folder, root, home, named })
    }

    /// Whether the home is the one that its project has where nobody names another.
    pub(crate) fn is_home_of_project(&self, surroundings: &Surroundings) -> bool {
        homes(surroundings).is_ok_and(|homes| self.home == homes.join(name_of(&self.root)))
    }

    /// Whether tasks that work in the folder could remove the home by tidying up.
    pub(crate) fn home_is_inside(&self) -> bool {
        let there = self.home.ancestors().find_map(|path| Some((path, path.canonicalize().ok()?)));
        let Some((path, mut real)) = there else { return false };
        // What is not there yet can't be a link: its parts mean what they say.
        for part in self.home.strip_prefix(path).unwrap_or(Path::new("")).components() {
            if part == Component::ParentDir {
                real.pop();
            } else {
                real.push(part);
            }
        }
        real.starts_with(&self.folder)
    }
}

/// What is said of a folder that can't be used; often it is that there is none to begin with.
fn unusable(named: &Path, error: &std::io::Error) -> Report {
    if named.is_relative() && std::env::current_dir().is_err() {
        return Report::usage("the current folder is not there any more")
            .cause("it was removed, or can't be reached, under this shell")
            .hint("change to a folder that is there, or name one with --dir".to_owned());
    }
    Report::usage(format!("the folder {} can't be used", named.display())).cause(error.to_string())
}

/// The folder that all homes of a user lie in.
pub(crate) fn homes(surroundings: &Surroundings) -> Outcome<PathBuf> {
    let state = surroundings.folder("XDG_STATE_HOME");
    let state = state.or_else(|| Some(surroundings.folder("HOME")?.join(".local/state")));
    let state = state.ok_or_else(|| {
        Report::usage("there is no place for the home of this project")
            .cause("neither XDG_STATE_HOME nor HOME names a folder")
            .hint("name one with --home or WINDLASS_HOME".to_owned())
    })?;
    Ok(state.join("windlass"))
}

/// The root of the project that a folder belongs to.
fn root_of(folder: &Path) -> &Path {
    let is_root = |path: &&Path| path.join(SETTINGS_FILE).exists() || path.join(".git").exists();
    folder.ancestors().find(is_root).unwrap_or(folder)
}

/// The name of a project's home: its base name, and the start of the digest of its path.
fn name_of(root: &Path) -> String {
    let base = root.file_name().map_or_else(|| "root".into(), |name| name.to_string_lossy());
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
    let base: String = base.chars().map(|letter| if plain(letter) { letter } else { '-' }).take(64).collect();
    let digest = Digest::of(root.as_os_str().as_encoded_bytes()).to_string();
    format!("{base}-{}", &digest[..8])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_home_of_a_project_is_named_after_its_root_and_no_other_has_its_name() {
        assert_eq!(
            name_of(Path::new("/a/my repo")),
            format!("my-repo-{}", &Digest::of(b"/a/my repo").to_string()[..8])
        );
        assert_ne!(name_of(Path::new("/a/x")), name_of(Path::new("/b/x")));
        assert!(name_of(Path::new("/")).starts_with("root-"));
    }

    #[test]
    fn a_folder_below_a_repository_belongs_to_it() {
        let desk = tempfile::tempdir().expect("a folder");
        let below = desk.path().join("repo/src/deep");
        std::fs::create_dir_all(&below).expect("a folder");
        std::fs::create_dir(desk.path().join("repo/.git")).expect("a folder");
        assert_eq!(root_of(&below), desk.path().join("repo"));
    }

    #[test]
    fn homes_lie_in_the_users_state_folder() {
        let both = Surroundings::from([("XDG_STATE_HOME", "/s"), ("HOME", "/h")]);
        assert_eq!(homes(&both).expect("a folder"), Path::new("/s/windlass"));
        let relative = Surroundings::from([("XDG_STATE_HOME", "s"), ("HOME", "/h")]);
        assert_eq!(homes(&relative).expect("a folder"), Path::new("/h/.local/state/windlass"));
        assert!(homes(&Surroundings::default()).is_err());
    }
}
