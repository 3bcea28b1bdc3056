//! Finding the program that an attempt names, on the attempt's own PATH. Never: starting it.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use windlass_core::failure::{ErrorKind, Failure};

/// The absolute path of a program: one with a slash is meant from the working folder, a bare name from PATH.
pub fn find(name: &str, path: Option<&str>, folder: &Path) -> Result<PathBuf, Failure> {
    if name.contains('/') {
        // Its parts, so that a step such as `./` is not shown.
        return Ok(folder.join(name).components().collect());
    }
    let places = || path.unwrap_or_default().split(':').map(|place| folder.join(place).join(name));
    if let Some(found) = places().find(|place| is_program(place)) {
        return Ok(found);
    }
    match places().find(|place| place.is_file()) {
        Some(there) => Err(not_executable(&there)),
        None => Err(not_found(name, path, folder)),
    }
}

fn is_program(path: &Path) -> bool {
    rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok() && path.is_file()
}

/// What is said of a file that may not be executed.
pub(crate) fn not_executable(path: &Path) -> Failure {
    let path = path.display();
    Failure::new(ErrorKind::SpawnDenied, format!("`{path}` is not executable"))
        .hint(format!("make it so with `chmod +x {path}`, or start it through its interpreter"))
}

fn not_found(name: &str, path: Option<&str>, folder: &Path) -> Failure {
    let failure = Failure::new(ErrorKind::SpawnNotFound, format!("`{name}` is not on PATH")).cause(name);
    let Some(path) = path.filter(|path| !path.is_empty()) else {
        return failure.hint("the attempt has no PATH: set it, or name the program with its folder");
    };
    if is_program(&folder.join(name)) {
        return failure.hint(format!("there is one in the working folder: write `./{name}`"));
    }
    let names =
        path.split(':').map(|place| folder.join(place)).flat_map(programs_in).collect::<BTreeSet<_>>();
    match nearest(name, &names) {
        Some(near) => {
            failure.hint(format!("did you mean `{near}`? Otherwise install it, or name it with its folder"))
        }
        None => failure.hint("install it, or name it with its folder"),
    }
}

fn programs_in(folder: PathBuf) -> impl Iterator<Item = String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let programs = entries.filter(|entry| {
        fs::metadata(entry.path()).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    });
    programs.filter_map(|entry| entry.file_name().into_string().ok())
}

/// The known name that differs by the fewest letters, if that are few for its length.
fn nearest<'a>(name: &str, known: &'a BTreeSet<String>) -> Option<&'a String> {
    let bound = (name.chars().count() / 3).clamp(1, 3);
    let distances = known.iter().map(|one| (strsim::osa_distance(name, one), one));
    distances
        .filter(|(distance, _)| *distance <= bound)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, one)| one)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_near() {
        let known = ["cargo", "claude", "git", "gzip"].map(str::to_owned).into();
        assert_eq!(nearest("cluade", &known), Some(&"claude".to_owned()));
        assert_eq!(nearest("gti", &known), Some(&"git".to_owned()));
        assert_eq!(nearest("terraform", &known), None);
    }
}
