//! Where the working folder of an attempt really is: links may lead about within the run's folder, and not out of it.
//! Never: making a folder.

use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use windlass_core::failure::{ErrorKind, Failure};

use crate::fault;
use crate::os::{Fault, Step};

/// The real path of a folder inside another, or the real path that leads out of it.
fn resolved(folder: &Path, within: &Path) -> io::Result<Result<PathBuf, PathBuf>> {
    let real = folder.canonicalize()?;
    Ok(if real.starts_with(within.canonicalize()?) { Ok(real) } else { Err(real) })
}

/// Whether the `dir` of a task is there, within the run's folder; else where it leads. What is not there yet is looked at
/// when an attempt starts.
pub fn check_dir(within: &Path, dir: &str) -> Result<bool, String> {
    match resolved(&within.join(dir), within) {
        Ok(Ok(_)) => Ok(true),
        Ok(Err(real)) => Err(format!("leads to {}", real.display())),
        Err(_) => Ok(false),
    }
}

/// The real path of the folder that an attempt is to work in.
pub(crate) fn to_work_in(folder: &Path, within: &Path) -> Result<PathBuf, Failure> {
    match resolved(folder, within) {
        Ok(Ok(real)) => Ok(real),
        Ok(Err(real)) => {
            let (folder, real, within) = (folder.display(), real.display(), within.display());
            let message = format!(
                "the working folder `{folder}` leads to `{real}`, which is not inside the run's folder `{within}`"
            );
            Err(Failure::new(ErrorKind::SpawnDir, message).hint("give `dir` a path inside it"))
        }
        Err(error) => {
            let errno = Errno::from_io_error(&error).unwrap_or(Errno::IO).raw_os_error();
            Err(fault::explain(Fault { step: Step::Folder, errno }, Path::new(""), folder))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_lead_about_in_the_folder_of_the_run_and_not_out_of_it() {
        let desk = tempfile::tempdir().expect("a folder");
        let at = |name: &str| desk.path().join(name);
        fs::create_dir_all(at("run/deep/er")).expect("ours");
        fs::create_dir(at("other")).expect("ours");
        symlink("deep/er", at("run/inner")).expect("ours");
        symlink("../other", at("run/out")).expect("ours");
        symlink("nowhere", at("run/broken")).expect("ours");
        symlink("run", at("link")).expect("ours");
        let of = |dir: &str| to_work_in(&at("link").join(dir), &at("link"));
        let real = desk.path().canonicalize().expect("it is there");
        assert_eq!(of("deep"), Ok(real.join("run/deep")));
        assert_eq!(of("inner"), Ok(real.join("run/deep/er")), "through a link that stays inside");
        for dir in ["out", "deep/../out", "inner/../../out"] {
            let failure = of(dir).expect_err("it leads out");
            assert_eq!(failure.kind, ErrorKind::SpawnDir);
            assert!(failure.message.contains("/other`, which is not inside"), "{failure:?}");
        }
        let failure = of("broken").expect_err("it leads nowhere");
        assert!(failure.message.contains("does not exist"), "{failure:?}");
        for dir in ["deep/../deep", "inner/../er", "../run/deep", "../link/../run/deep"] {
            let led = of(dir).expect("it leads back");
            assert!(led.starts_with(real.join("run/deep")), "{led:?}");
            assert_eq!(check_dir(&at("run"), dir), Ok(true));
        }
        assert_eq!(check_dir(&at("run"), "inner"), Ok(true));
        assert_eq!(check_dir(&at("run"), "not/yet"), Ok(false));
        for dir in ["out", "../other", "inner/../../../other"] {
            let elsewhere = format!("leads to {}", real.join("other").display());
            assert_eq!(check_dir(&at("run"), dir), Err(elsewhere));
        }
    }
}
