//! Looking at a home that may not be well, ending what an earlier engine left, and going on after damage because a person
//! said so. Never: changing the journal, or giving up a blob, on its own account.

use std::path::Path;

use windlass_core::id::{Digest, RunId};
use windlass_core::time::Span;
use windlass_journal::forgo::forgo;
use windlass_journal::home::{self, Home, HomeSettings};
use windlass_journal::inspect::{Closeness, inspect};
use windlass_journal::lock::Lock;
use windlass_journal::repair::{Acceptance, accept_loss};

pub use windlass_journal::inspect::{Inspection, Named};
pub use windlass_journal::repair::Repair;

use crate::clock;
use crate::engine::{BUILD, LEFT_AT_MOST};
use crate::error::EngineError;
use crate::reading::Reading;

/// How long the keeper of an earlier engine may take to end what it holds.
const OLD_KEEPER_AT_MOST: Span = Span::from_secs(15);

/// Looks at a home: the whole chain, every blob that an event names.
///
/// # Errors
/// Where it can't be read. What is wrong with it is no error, but what is told.
pub fn look(home: &Path) -> Result<Inspection, EngineError> {
    Ok(inspect(home, Closeness::Sound)?)
}

/// Ends what an earlier engine left behind, where no engine is alive. Says how many attempts it was of.
///
/// # Errors
/// Where an engine is alive, the home can't be opened, or something does not end.
pub fn sweep(home: &Path, settings: HomeSettings, says: &mut dyn FnMut(&str)) -> Result<usize, EngineError> {
    let home = Home::open(home, settings)?;
    let _lock = Lock::take(home.path(), None)?;
    windlass_worker::wait_for_old_keeper(home.path(), OLD_KEEPER_AT_MOST, &mut *says)?;
    let id = windlass_journal::head::home_id(home.path());
    let Some(id) = id else { return Ok(0) };
    Ok(windlass_worker::sweep((home.path(), &id.to_string()), LEFT_AT_MOST, says, |_| false)?.len())
}

/// The runs that wrote logs and that the journal does not know: what a loss took, as far as anything still shows it.
///
/// # Errors
/// Where the journal can't be read.
pub fn runs_only_in_logs(home: &Path) -> Result<Vec<String>, EngineError> {
    let reading = Reading::open(home)?;
    let state = reading.state();
    let folders = std::fs::read_dir(home.join("logs")).into_iter().flatten().flatten();
    let names = folders.filter_map(|folder| folder.file_name().into_string().ok());
    let mut gone: Vec<String> = names
        .filter(|name| {
            let run = name.parse::<RunId>();
            run.is_ok_and(|run| !state.runs.contains_key(&run) && !state.lost.contains_key(&run))
        })
        .collect();
    gone.sort();
    Ok(gone)
}

/// What a start may write to the disk of a home, in bytes: what is free, and what the home keeps in reserve.
///
/// # Errors
/// Where the system does not say.
pub fn room(home: &Path) -> Result<u64, EngineError> {
    home::room(home).map_err(|source| EngineError::System { doing: "look at the disk of the home", source })
}

/// What a person has given up.
#[derive(Debug, Default)]
pub struct Loss {
    /// The end of the journal, where that was damaged.
    pub repair: Option<Repair>,
    /// The blobs that are gone and that no acceptance had named.
    pub blobs: Vec<Named>,
}

/// Goes on with what is left: cuts a damaged journal, and gives up the blobs that are gone.
///
/// # Errors
/// Where an engine is alive, or the home can't be read or written.
pub fn accept(home: &Path, settings: HomeSettings, says: &mut dyn FnMut(&str)) -> Result<Loss, EngineError> {
    let home = Home::open(home, settings)?;
    let lock = Lock::take(home.path(), None)?;
    home.make_room(&lock)?;
    windlass_worker::wait_for_old_keeper(home.path(), OLD_KEEPER_AT_MOST, says)?;
    let at = clock::now();
    // A folder's name without colons: it is copied to places that don't take them.
    let name = at.to_string().replace(':', "-");
    let acceptance = Acceptance { name: &name, at, build: BUILD };
    let repair = accept_loss(&home, &lock, acceptance)?;
    let found = inspect(home.path(), Closeness::Sound)?;
    let gone = found.dangling.into_iter().chain(found.unsound);
    let blobs: Vec<Named> = gone.filter(|blob| !blob.is_given_up).collect();
    if !blobs.is_empty() {
        let digests: Vec<Digest> = blobs.iter().map(|blob| blob.digest).collect();
        forgo(&home, &lock, acceptance, &digests)?;
    }
    Ok(Loss { repair, blobs })
}
