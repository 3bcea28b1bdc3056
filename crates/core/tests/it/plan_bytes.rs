//! Whatever stands in a file, the reader answers. Never: an expectation of what it says.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use proptest::prelude::*;
use windlass_core::plan::file::{self, Format, Options, Source};
use windlass_core::plan::settings::Settings;

const FORMATS: [Option<Format>; 4] = [None, Some(Format::Yaml), Some(Format::Toml), Some(Format::Json)];

fn read(text: &[u8]) {
    for format in FORMATS {
        let source = Source { name: "plan", text, format };
        let options = Options { git_repository: true, ..Options::default() };
        match file::load(&source, &Settings::default(), &BTreeMap::new(), &options) {
            Ok(loaded) => assert!(!loaded.plan.tasks.is_empty()),
            Err(diagnostics) => {
                assert!(!diagnostics.is_empty());
                for at in diagnostics.iter().filter_map(|diagnostic| diagnostic.at) {
                    assert!(at.offset + at.len <= text.len() && at.line > 0 && at.column > 0);
                }
            }
        }
        drop(Settings::load(&source));
    }
}

fn corpus() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/plans");
    let folders = ["good", "bad"].map(|name| fs::read_dir(folder.join(name)).expect("the folder is there"));
    let mut paths: Vec<_> =
        folders.into_iter().flatten().map(|entry| entry.expect("it can be read").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|end| end != "txt"));
    paths.sort();
    paths
        .iter()
        .map(|path| fs::read(path).expect("it can be read"))
        .filter(|text| text.len() < 10_000)
        .collect()
}

fn pieces() -> impl Strategy<Value = String> {
    let words = [
        "tasks",
        ":",
        " ",
        "\n",
        "  ",
        "- ",
        "{",
        "}",
        "[",
        "]",
        ",",
        "\"",
        "'",
        "a",
        "run",
        "needs",
        "&x ",
        "*x",
        "<<",
        "|",
        ">",
        "#",
        "=",
        ".",
        "!!str ",
        "{{ ",
        " }}",
        "{% if ",
        " %}",
        "inputs",
        "\t",
        "?",
        "---\n",
        "1",
        "1e9",
        "null",
        "ü",
        "\\u00",
        "\\",
        "0x",
        "for_each",
        "prompt",
        "agent",
        "when",
        "tasks.a.output",
        "tasks.a-b",
        "\u{feff}",
        "[[",
        "]]",
        "'''",
        "-",
        "\r",
    ];
    prop::collection::vec(prop::sample::select(words.to_vec()), 0..60).prop_map(|words| words.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_are_too_much_for_the_reader(text in prop::collection::vec(any::<u8>(), 0..200)) {
        read(&text);
    }

    #[test]
    fn no_pieces_of_a_plan_are_too_much_for_the_reader(text in pieces()) {
        read(text.as_bytes());
    }

    #[test]
    fn no_cut_or_changed_plan_is_too_much_for_the_reader(
        (which, from, length, insert) in (any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0_usize..40, pieces())
    ) {
        let corpus = corpus();
        let mut text = which.get(&corpus).clone();
        if !text.is_empty() {
            let from = from.index(text.len());
            let to = (from + length).min(text.len());
            text.splice(from..to, insert.bytes());
        }
        read(&text);
    }
}
