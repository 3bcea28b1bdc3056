//! The environment of this process, read once. Never: reading it a second time, elsewhere or later.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// The variables around this process.
#[derive(Clone, Debug, Default)]
pub(crate) struct Surroundings {
    variables: BTreeMap<String, OsString>,
}

impl Surroundings {
    /// Those of this process. Variables whose name is no text are left out.
    pub(crate) fn read() -> Self {
        let named = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
        Self { variables: named.collect() }
    }

    /// A variable that is set to some text.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.variables.get(name)?.to_str().filter(|value| !value.is_empty())
    }

    /// Whether a variable is set to just this.
    pub(crate) fn is(&self, name: &str, value: &OsStr) -> bool {
        self.variables.get(name).is_some_and(|set| set == value)
    }

    /// A variable that names an absolute folder; others are as if they were not set.
    pub(crate) fn folder(&self, name: &str) -> Option<PathBuf> {
        let path = PathBuf::from(self.variables.get(name)?);
        path.is_absolute().then_some(path)
    }

    /// All variables whose value is text.
    pub(crate) fn texts(&self) -> impl Iterator<Item = (String, String)> {
        self.variables.iter().filter_map(|(name, value)| Some((name.clone(), value.to_str()?.to_owned())))
    }
}

#[cfg(test)]
impl<const N: usize> From<[(&str, &str); N]> for Surroundings {
    fn from(pairs: [(&str, &str); N]) -> Self {
        Self { variables: pairs.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect() }
    }
}
