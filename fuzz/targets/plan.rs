//! Plan files of each format: they are read or refused, within their bounds, and what was read is a plan that comes through
//! the wire unchanged and is sound there.

#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use windlass_core::plan::Plan;
use windlass_core::plan::file::{Format, Options, Source, load};
use windlass_core::plan::settings::Settings;

/// A file tells of so many errors at most, and of as many warnings.
const FINDINGS_MAX: usize = 20;

fuzz_target!(|text: &[u8]| {
    // As the text itself looks, and as TOML, for which it would have to be named.
    for format in [None, Some(Format::Toml)] {
        read(&Source { name: "plan", text, format });
    }
});

fn read(source: &Source<'_>) {
    match load(source, &Settings::default(), &BTreeMap::new(), &Options::default()) {
        Ok(loaded) => {
            let sent = serde_json::to_vec(&loaded.plan).expect("a plan is JSON");
            let came: Plan = serde_json::from_slice(&sent).expect("and comes back");
            assert_eq!(came, loaded.plan);
            came.validate().expect("what was read is sound");
        }
        Err(findings) => assert!(!findings.is_empty() && findings.len() <= 2 * FINDINGS_MAX, "{findings:?}"),
    }
}
