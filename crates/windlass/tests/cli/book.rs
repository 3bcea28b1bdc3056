//! The pages of the book that show commands: each is played in a folder of its own, and what it shows is what comes.
//! Never: a page that only looks right.
//!
//! In a page, a block of YAML that begins with `# NAME.yaml` is a file. In a block of `console` each line that begins with
//! `$ ` is typed into a shell, and the lines below it are what it prints; `…` stands for what is left out, a line or many.
//! A command that fails is followed by `$ echo $?`. A picture that a page of patterns shows is that of its `plan.yaml`.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use regex::Regex;

use crate::desk::Desk;

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}

fn is_a(path: impl AsRef<Path>, ending: &str) -> bool {
    path.as_ref().extension().is_some_and(|found| found == ending)
}

/// A page and its parts, in order.
struct Page {
    name: String,
    text: String,
}

/// What is done with a block.
enum Block<'a> {
    File { name: &'a str, text: String },
    Console(Vec<Step>),
}

/// A command and what the page says that it prints.
struct Step {
    line: String,
    shown: Vec<String>,
}

impl Page {
    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self { name: path.strip_prefix(docs()).unwrap_or(path).display().to_string(), text }
    }

    fn blocks(&self) -> Vec<Block<'_>> {
        let mut blocks = Vec::new();
        let mut lines = self.text.lines();
        while let Some(line) = lines.next() {
            let Some(language) = line.strip_prefix("```") else { continue };
            let body: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            let name = body.first().and_then(|first| first.strip_prefix("# ")?.split(':').next());
            match (language, name.filter(|name| is_a(name, "yaml"))) {
                ("yaml", Some(name)) => blocks.push(Block::File { name, text: body.join("\n") + "\n" }),
                ("console", _) => blocks.push(Block::Console(steps(&body))),
                _ => {}
            }
        }
        blocks
    }

    /// The pictures that it shows.
    fn pictures(&self) -> Vec<&str> {
        let links = self.text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        links.filter(|link| is_a(link, "svg")).collect()
    }

    /// Plays it; what is wrong with it.
    fn play(&self) -> Vec<String> {
        let desk = Desk::new();
        let (mut wrong, mut code, mut asked) = (Vec::new(), 0, None);
        for block in self.blocks() {
            let steps = match block {
                Block::File { name, text } => {
                    desk.write(name, &text);
                    continue;
                }
                Block::Console(steps) => steps,
            };
            for (number, step) in steps.iter().enumerate() {
                let line = answering(&step.line, asked.as_deref());
                let done = desk.start_shell(&typed(&line, code)).end();
                asked = question(&done.out).or(asked);
                code = done.code.expect("nothing kills it");
                let asks_for_code = steps.get(number + 1).is_some_and(|next| next.line == "echo $?");
                let as_told = code == 0 || asks_for_code;
                if !as_told || !(step.shown.is_empty() || shows(&step.shown, &done.out)) {
                    let (page, shown) = (&self.name, step.shown.join("\n"));
                    wrong.push(format!(
                        "{page}: $ {}\n--- the page\n{shown}\n--- what came, with code {code}\n{}",
                        step.line, done.out
                    ));
                }
            }
        }
        if self.name.starts_with("patterns") {
            wrong.extend(self.pictures().into_iter().filter_map(|picture| self.draw(&desk, picture)));
        }
        wrong
    }

    /// Compares a picture with its plan, or draws it anew with `REWRITE=1`.
    fn draw(&self, desk: &Desk, picture: &str) -> Option<String> {
        let kept = docs().join("patterns").join(picture);
        let drawn = desk.windlass(&["graph", "plan.yaml", "--format", "svg"]).out;
        if std::env::var_os("REWRITE").is_some() {
            fs::create_dir_all(kept.parent().expect("a folder")).expect("it can be made");
            fs::write(&kept, &drawn).expect("it can be written");
        }
        let is_right = fs::read_to_string(&kept).is_ok_and(|kept| kept == drawn);
        (!is_right).then(|| format!("{}: {picture} is another's picture; REWRITE=1 draws it", self.name))
    }
}

fn steps(body: &[&str]) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut lines = body.iter();
    while let Some(line) = lines.next() {
        match (line.strip_prefix("$ "), steps.last_mut()) {
            (Some(command), _) => {
                let mut whole = command.to_owned();
                if command.contains("<<'EOF'") {
                    for text in lines.by_ref() {
                        whole.push('\n');
                        whole.push_str(text);
                        if *text == "EOF" {
                            break;
                        }
                    }
                }
                steps.push(Step { line: whole, shown: Vec::new() });
            }
            (None, Some(step)) => step.shown.push((*line).to_owned()),
            (None, None) => {}
        }
    }
    steps
}

/// The id of the last question in a text.
fn question(said: &str) -> Option<String> {
    let id = Regex::new("--id ([0-9a-f]{8})\\b").expect("a pattern");
    id.captures_iter(said).last().map(|found| found[1].to_owned())
}

/// A command that answers a question, with the id that it was asked under here instead of the page's.
fn answering(line: &str, asked: Option<&str>) -> String {
    let id = Regex::new("--id [0-9a-f]{8}\\b").expect("a pattern");
    asked.map_or_else(|| line.to_owned(), |asked| id.replace(line, format!("--id {asked}")).into_owned())
}

/// A command as a shell gets it: the binary by its name, also for what runs within a task, both streams in one, the code of
/// the command before.
fn typed(line: &str, code: i32) -> String {
    let folder = Path::new(env!("CARGO_BIN_EXE_windlass")).parent().expect("it lies in a folder").display();
    let comment = Regex::new(r"\s+# .*$").expect("a pattern");
    let line = if line.contains('\n') { line.into() } else { comment.replace(line, "") };
    format!("exec 2>&1\nexport PATH='{folder}':\"$PATH\"\n(exit {code})\n{line}\n")
}

/// What differs each time, and the word in its place.
static DIFFERENT: LazyLock<[(Regex, &str); 9]> = LazyLock::new(|| {
    [
        (r"\b\d\d:\d\d:\d\d(\.\d+)?\b", "[time]"),
        (r"\b\d+(\.\d+)? (ms|s|min)\b( \d+ s\b)?", "[span]"),
        // A wait is drawn, and nothing is a length, too.
        (r"\bat once\b", "in [span]"),
        (r"\b(run|in run|resume|approve|show|retry|settle|logs|cancel) [a-z0-9]{6}\b", "$1 [run]"),
        (r"^[a-z0-9]{6}  ", "[run]  "),
        (r"--id [0-9a-f]{8}\b", "--id [id]"),
        (r"\[span\] ago|just now", "[ago]"),
        (r"(\S) {2,}", "$1  "),
        (r"[─━█▒▶·]{2,}", "[bar]"),
    ]
    .map(|(what, word)| (Regex::new(what).expect("a pattern"), word))
});

/// A line without what differs each time.
fn plain(line: &str) -> String {
    DIFFERENT
        .iter()
        .fold(line.trim_end().to_owned(), |line, (what, word)| what.replace_all(&line, *word).into_owned())
}

/// Whether a text is what a page shows, but for times, lengths, names of runs and questions, and how wide columns are.
fn shows(shown: &[String], said: &str) -> bool {
    let mut pattern = String::from("(?s)^");
    for line in shown {
        if line.trim() == "…" {
            pattern.push_str("(.*\n)?");
        } else {
            pattern.push_str(&regex::escape(&plain(line)).replace('…', "[^\n]*"));
            pattern.push('\n');
        }
    }
    pattern.push('$');
    let said: Vec<String> = said.lines().map(plain).collect();
    Regex::new(&pattern).expect("a pattern").is_match(&(said.join("\n") + "\n"))
}

fn pages(folder: &str) -> Vec<Page> {
    let entries = fs::read_dir(docs().join(folder)).expect("the folder is there");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("readable").path()).collect();
    paths.retain(|path| is_a(path, "md"));
    paths.sort();
    paths.iter().map(|path| Page::read(path)).collect()
}

#[test]
fn each_page_of_a_pattern_is_what_comes_when_it_is_played() {
    let wrong: Vec<String> = pages("patterns").iter().flat_map(Page::play).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn the_first_ten_minutes_are_what_comes_when_they_are_played() {
    let wrong = Page::read(&docs().join("guides/first-ten-minutes.md")).play();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn each_page_of_a_pattern_has_a_picture_and_a_run() {
    for page in pages("patterns").iter().filter(|page| page.name != "patterns/README.md") {
        assert_eq!(page.pictures().len(), 1, "{}", page.name);
        let runs = |block: &Block<'_>| match block {
            Block::Console(steps) => steps.iter().any(|step| step.line.contains("windlass run")),
            Block::File { .. } => false,
        };
        assert!(page.blocks().iter().any(runs), "{}", page.name);
    }
}

#[test]
fn what_a_page_shows_is_compared_but_for_what_differs_each_time() {
    let shown = |text: &str| text.lines().map(str::to_owned).collect::<Vec<String>>();
    let said = "run abc123 Go\n10:11:12 started   a\nx\ny\nrun abc123 succeeded\n";
    assert!(shows(&shown("run kb0svb Go\n09:00:00 started  a\n…\nrun kb0svb succeeded"), said));
    assert!(shows(&shown("run kb0svb …\n…"), said));
    assert!(!shows(&shown("run kb0svb Go\n…\nrun kb0svb failed"), said));
    assert!(!shows(&shown("run kb0svb Go"), said));
}
