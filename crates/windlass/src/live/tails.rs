//! The last lines of attempts that run, for those that are shown. Never: reading a log from its start.

use std::collections::BTreeMap;
use std::path::PathBuf;

use windlass_core::id::AttemptKey;
use windlass_worker::log::{self, LastLine};

/// The ends of logs.
#[derive(Debug)]
pub(crate) struct Tails {
    home: PathBuf,
    logs: BTreeMap<AttemptKey, LastLine>,
}

impl Tails {
    /// Of the attempts of this home.
    pub(crate) fn of(home: PathBuf) -> Self {
        Self { home, logs: BTreeMap::new() }
    }

    /// What an attempt printed last. What can't be read is not shown.
    pub(crate) fn last(&mut self, key: AttemptKey) -> String {
        let path = log::path(&self.home, &key);
        let last = self.logs.entry(key).or_insert_with(|| LastLine::of(path)).read();
        last.ok().flatten().unwrap_or_default()
    }

    /// Forgets the attempts that are over.
    pub(crate) fn keep(&mut self, is_live: impl Fn(&AttemptKey) -> bool) {
        self.logs.retain(|key, _| is_live(key));
    }
}
