//! The README's picture of a terminal: the quickstart over a small repository, at 80 columns, as an SVG.
//! `cargo xtask picture` writes it; each run of the tests draws it and holds it to what it must show, not to its bytes: times differ.

use std::fmt::Write as _;
use std::num::NonZero;
use std::path::Path;
use std::process::Command;

use vt100::{Cell, Color, Parser, Screen};

use crate::desk::Desk;
use crate::terminal::Seat;

const COLUMNS: u16 = 80;
/// More than the whole of it takes, so that nothing scrolls away.
const ROWS: u16 = 200;
/// A letter's width and a line's height.
const LETTER: (f32, f32) = (8.4, 18.0);
const MARGIN: f32 = 14.0;
/// What people type.
const LINE: &str = "windlass run examples/quickstart/plan.yaml";

/// A repository with a script, a page and a thing to do.
fn repository(desk: &Desk) {
    let folder = desk.work().join("parser");
    for (name, text) in [
        ("README.md", "# A parser\n\nReads keys.\n"),
        ("LICENSE", "MIT License\n"),
        ("src/parse.sh", "# TODO: duplicate keys\nsed -n 's/^\\([a-z]*\\):.*/\\1/p'\n"),
        ("tests/keys.sh", "printf 'a: 1\\n' | sh src/parse.sh | grep -qx a\n"),
        ("windlass.toml", "[checks]\nkeys = \"sh tests/keys.sh\"\n"),
    ] {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("it can be made");
        std::fs::write(path, text).expect("it can be written");
    }
    git(desk, &["init", "--quiet"]);
    git(desk, &["add", "--all"]);
    git(
        desk,
        &[
            "-c",
            "user.name=Anna",
            "-c",
            "user.email=anna@example.org",
            "commit",
            "--quiet",
            "-m",
            "Read keys",
        ],
    );
}

#[expect(clippy::disallowed_methods, reason = "a repository is made by git")]
fn git(desk: &Desk, words: &[&str]) {
    let sealed = desk.command(&[]);
    let mut git = Command::new("git");
    git.args(words).current_dir(desk.work().join("parser")).env_clear();
    git.envs(sealed.get_envs().filter_map(|(name, value)| Some((name, value?))));
    git.env("GIT_AUTHOR_DATE", "2026-01-31T12:00:00Z").env("GIT_COMMITTER_DATE", "2026-01-31T12:00:00Z");
    let output = git.output().expect("git is there");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// What stands on the terminal when the run is over.
fn recorded() -> Parser {
    let desk = Desk::new();
    repository(&desk);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("it is there");
    let plan = root.join("examples/quickstart/plan.yaml");
    let mut command = desk.command(&["run", &plan.display().to_string()]);
    command.current_dir(desk.work().join("parser"));
    let (code, _, all) = Seat::of(command, &[]).end_with_all();
    let all = desk.plain(&all).replace("[desk]/tmp", "/tmp");
    assert_eq!(code, Some(0), "{all}");
    let mut terminal = Parser::new(size(ROWS), size(COLUMNS), 0);
    terminal.process(format!("\u{1b}[32m$\u{1b}[m {LINE}\r\n").as_bytes());
    terminal.process(all.as_bytes());
    terminal
}

fn size(number: u16) -> NonZero<u16> {
    NonZero::new(number).expect("there is some room")
}

/// A piece of a line whose letters look the same.
#[derive(PartialEq)]
struct Look {
    class: String,
    is_bold: bool,
}

impl Look {
    fn of(cell: &Cell) -> Self {
        let class = match cell.fgcolor() {
            _ if cell.dim() => "dim".to_owned(),
            Color::Idx(number @ 1..=7) => format!("c{number}"),
            Color::Idx(number @ 9..=15) => format!("c{}", number - 8),
            Color::Idx(8) => "dim".to_owned(),
            Color::Default | Color::Idx(_) | Color::Rgb(..) => "plain".to_owned(),
        };
        Self { class, is_bold: cell.bold() }
    }
}

/// How many columns a text takes: none of its letters is a wide one.
fn columns(text: &str) -> u16 {
    u16::try_from(text.chars().count()).expect("a line is short")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn drawn(screen: &Screen) -> String {
    let rows: Vec<String> = screen.rows(0, COLUMNS).collect();
    let count = u16::try_from(rows.iter().rposition(|row| !row.trim().is_empty()).map_or(0, |last| last + 1))
        .expect("few");
    let width = f32::from(COLUMNS) * LETTER.0 + 2.0 * MARGIN;
    let height = f32::from(count) * LETTER.1 + 2.0 * MARGIN;
    let mut svg = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img" aria-labelledby="title">
<title id="title">A terminal in which {LINE} goes to its end</title>
<style>
text{{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:#e6edf3;white-space:pre}}
.bold{{font-weight:bold}}.dim{{fill:#8b949e}}.c1{{fill:#ff7b72}}.c2{{fill:#56d364}}.c3{{fill:#e3b341}}.c4{{fill:#79c0ff}}
.c5{{fill:#d2a8ff}}.c6{{fill:#56d4dd}}.c7{{fill:#e6edf3}}
</style>
<rect width="{width}" height="{height}" rx="8" fill="#0d1117"/>
"##
    );
    for row in 0..count {
        let mut from = 0;
        while from < COLUMNS {
            let (look, text, next) = piece(screen, row, from);
            if !text.trim().is_empty() {
                let bold = if look.is_bold { " bold" } else { "" };
                // No spaces at the ends: a viewer that drops them would stretch what is left.
                let lead = columns(&text) - columns(text.trim_start());
                let (x, y) =
                    (MARGIN + f32::from(from + lead) * LETTER.0, MARGIN + (f32::from(row) + 0.75) * LETTER.1);
                let length = f32::from(columns(text.trim())) * LETTER.0;
                writeln!(
                    svg,
                    r#"<text class="{}{bold}" x="{x:.1}" y="{y:.1}" textLength="{length:.1}" xml:space="preserve">{}</text>"#,
                    look.class,
                    escaped(text.trim())
                )
                .expect("a text");
            }
            from = next;
        }
    }
    svg + "</svg>\n"
}

/// The piece that begins at a column, and the column behind it.
fn piece(screen: &Screen, row: u16, from: u16) -> (Look, String, u16) {
    let cell = |column: u16| screen.cell(row, column).expect("it is on the screen");
    let look = Look::of(cell(from));
    let mut text = String::new();
    let mut next = from;
    while next < COLUMNS && Look::of(cell(next)) == look {
        let contents = cell(next).contents();
        text.push_str(if contents.is_empty() && !cell(next).is_wide_continuation() { " " } else { contents });
        next += 1;
    }
    (look, text, next)
}

#[test]
fn the_terminal_in_the_readme_can_be_recorded_anew() {
    let terminal = recorded();
    let text = terminal.screen().contents();
    for part in [LINE, "succeeded", "retried: ticket, attempt 1", "1 retry", "/tmp/windlass-quickstart-"] {
        assert!(text.contains(part), "it lacks `{part}`:\n{text}");
    }
    assert!(!text.contains("[desk]"), "it speaks of where it was made:\n{text}");
    let svg = drawn(terminal.screen());
    let read = roxmltree::Document::parse(&svg).expect("it is XML");
    let classes: Vec<&str> = read.descendants().filter_map(|node| node.attribute("class")).collect();
    assert!(classes.contains(&"c2"), "what succeeded is green: {classes:?}");
    if std::env::var_os("PICTURE").is_some() {
        let picture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/pictures/terminal.svg");
        std::fs::write(picture, svg).expect("it can be written");
    }
}
