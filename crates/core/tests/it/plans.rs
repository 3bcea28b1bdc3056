//! Plans of every kind, good and bad, and what the reader says of them; `REWRITE=1` writes what it says.
//! Never: a plan that is not a file beside it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use windlass_core::plan::diagnostic::{Diagnostic, Severity};
use windlass_core::plan::file::{self, Options, Source};
use windlass_core::plan::settings::Settings;

fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/plans").join(folder);
    let entries =
        fs::read_dir(folder).expect("the folder is there").map(|entry| entry.expect("it can be read").path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|end| end != "txt")).collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

/// The settings and the given inputs of the plan, where files or comments beside it say so.
fn load(path: &Path) -> Result<file::Loaded, Vec<Diagnostic>> {
    let text = fs::read(path).expect("it can be read");
    let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
    let settings = br#"
        [agents.reviewer]
        adapter = "command"
        program = "./review.sh"
        env = { MODE = "strict" }
        [agents.claude]
        adapter = "claude"
        model = "opus"
        [defaults]
        retry = { max_attempts = 7 }
    "#;
    let (settings, _) =
        Settings::load(&Source { name: "windlass.toml", text: settings, format: None }).expect("it is valid");
    let given: BTreeMap<String, String> = String::from_utf8_lossy(&text)
        .lines()
        .filter_map(|line| line.strip_prefix("# given: "))
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    // The real one is the worker's.
    let check_glob = |glob: &str| {
        if glob.contains(['[', '{']) { Err(format!("`{glob}` is no glob: it does not end")) } else { Ok(()) }
    };
    let options =
        Options { dir: "/plans", git_repository: true, check_glob: Some(&check_glob), ..Options::default() };
    file::load(&Source { name, text: &text, format: None }, &settings, &given, &options)
}

fn told(diagnostics: &[Diagnostic], text: &str) -> String {
    let mut told = String::new();
    for diagnostic in diagnostics {
        let severity = if diagnostic.severity == Severity::Error { "error" } else { "warning" };
        let place = diagnostic.at.map_or(String::new(), |at| {
            let part = &text[at.offset..at.offset + at.len];
            let part = part.lines().next().unwrap_or("").chars().take(50).collect::<String>();
            format!(" {}:{} «{part}»", at.line, at.column)
        });
        let _ = writeln!(told, "{severity}[{}]{place}\n  {}", diagnostic.code, diagnostic.message);
        assert!(!diagnostic.hint.trim().is_empty(), "{told}it has no hint");
        let _ = writeln!(told, "  hint: {}", diagnostic.hint);
    }
    told
}

fn agree(path: &Path, told: &str) -> Option<String> {
    let expected = PathBuf::from(format!("{}.txt", path.display()));
    if std::env::var_os("REWRITE").is_some() {
        fs::write(&expected, told).expect("it can be written");
        return None;
    }
    let written = fs::read_to_string(&expected).unwrap_or_default();
    (written != told).then(|| format!("{}\n--- expected\n{written}\n+++ told\n{told}", path.display()))
}

#[test]
fn bad_plans_are_refused_with_all_that_is_wrong() {
    let differences: Vec<String> = files("bad")
        .iter()
        .filter_map(|path| {
            let text = String::from_utf8_lossy(&fs::read(path).expect("it can be read")).into_owned();
            let told = match load(path) {
                Ok(_) => "loaded".to_owned(),
                Err(diagnostics) => told(&diagnostics, &text),
            };
            assert!(!told.contains("loaded"), "{} was not refused", path.display());
            agree(path, &told)
        })
        .collect();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn good_plans_become_the_plan_that_they_say() {
    let differences: Vec<String> = files("good")
        .iter()
        .filter_map(|path| {
            let text = fs::read_to_string(path).expect("it is text");
            let loaded =
                load(path).unwrap_or_else(|errors| panic!("{}:\n{}", path.display(), told(&errors, &text)));
            let plan = serde_json::to_string_pretty(&loaded.plan).expect("a plan is JSON");
            agree(path, &format!("{}{plan}\n", told(&loaded.warnings, &text)))
        })
        .collect();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn one_plan_in_three_formats_is_one_plan_to_the_byte_and_survives_the_journal() {
    let formats =
        files("good").into_iter().filter(|path| path.display().to_string().contains("three-formats"));
    let plans: Vec<_> =
        formats.map(|path| load(&path).unwrap_or_else(|errors| panic!("{errors:?}")).plan).collect();
    let bytes: Vec<Vec<u8>> =
        plans.iter().map(|plan| serde_json::to_vec(plan).expect("a plan is JSON")).collect();
    assert_eq!(bytes.len(), 3);
    assert!(bytes.iter().all(|other| *other == bytes[0]));
    assert_eq!(
        serde_json::from_slice::<windlass_core::plan::Plan>(&bytes[0]).expect("it reads back"),
        plans[0]
    );
}

#[test]
fn of_a_great_many_errors_the_first_of_the_file_are_told_and_that_there_are_more() {
    let keys = (0..400).rev().map(|number| format!("      K{number}: v\n")).collect::<Vec<_>>().concat();
    let text = format!("tasks:\n  a:\n    run: x\n    env:\n{keys}{keys}");
    let source = Source { name: "plan.yaml", text: text.as_bytes(), format: None };
    let told = file::load(&source, &Settings::default(), &BTreeMap::new(), &Options::default());
    let told: Vec<String> =
        told.expect_err("all stand there twice").into_iter().map(|one| one.message).collect();
    let mut expected: Vec<String> =
        (380..400).rev().map(|number| format!("`K{number}` stands here twice")).collect();
    expected.push("at least 181 more errors".to_owned());
    assert_eq!(told, expected);
}
