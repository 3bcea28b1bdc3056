//! Large bodies that come from outside an engine, such as an output that a person gives. Never: what they are for.

use std::path::Path;

use windlass_core::id::Digest;
use windlass_journal::blob::{Blobs as _, FolderBlobs};

use crate::error::EngineError;

/// Keeps a body in a home, durable when this returns, and gives its name. An engine may have the home open meanwhile.
///
/// # Errors
/// Where it can't be written.
pub fn keep(home: &Path, bytes: &[u8]) -> Result<Digest, EngineError> {
    Ok(FolderBlobs::new(&home.join("blobs")).put(bytes)?)
}
