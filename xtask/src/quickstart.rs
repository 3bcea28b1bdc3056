//! The README's first command, run for real: a fresh clone, the built binary, the report it promises. Never: this
//! checkout as its subject, the user's home, or the user's temp folder.

use std::fs;
use std::path::{Path, PathBuf};

use crate::program::{Program, target, workspace};

/// Clones this repository, runs the quickstart in the clone, and looks at what it wrote.
pub(crate) fn run() -> Result<(), String> {
    let desk = Desk::new()?;
    let clone = text(&desk.clone);
    Program::line("git clone --quiet --no-tags").and(&[&text(&workspace()), &clone]).run()?;
    let run = desk.windlass();
    let (code, said) = run.said()?;
    print!("{said}");
    if code != Some(0) {
        return Err(format!("`{}` ended with {code:?}", run.shown()));
    }
    let path = desk.report()?;
    expect(&said, &[&text(&path)], "the summary")?;
    let report = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let promised = [
        "# clone, looked over",
        "- All of its 2 checks passed.",
        "- Nothing looks like a secret.",
        "was there at attempt 2.",
        "| `crates` |",
        "## Where it changes",
    ];
    expect(&report, &promised, "the report")?;
    let untouched = Program::line("git -C").and(&[&clone, "diff", "--quiet", "HEAD"]).run();
    untouched.map_err(|why| format!("{why}: the quickstart changed the checkout it looked at"))?;
    println!("the report is whole: {}", path.display());
    desk.refuses_to_nest()?;
    desk.bears_harm()
}

/// A folder of its own in the target folder, empty at the start: the clone, the home, the temp folder.
struct Desk {
    clone: PathBuf,
    home: PathBuf,
    temporary: PathBuf,
}

impl Desk {
    fn new() -> Result<Self, String> {
        let folder = target().join("quickstart");
        let told = |error: std::io::Error| format!("{}: {error}", folder.display());
        if folder.exists() {
            fs::remove_dir_all(&folder).map_err(told)?;
        }
        let desk = Self {
            clone: folder.join("clone"),
            home: folder.join("home"),
            temporary: folder.join("temporary"),
        };
        fs::create_dir_all(&desk.temporary).map_err(told)?;
        Ok(desk)
    }

    /// The quickstart by the built binary, in the clone.
    fn windlass(&self) -> Program {
        let words = ["run", "examples/quickstart/plan.yaml", "--home", &text(&self.home)];
        let program = Program::at(&target().join("debug/windlass")).and(&words);
        program.with("TMPDIR", &text(&self.temporary)).within(&self.clone)
    }

    /// Within another run it is refused, and starts nothing.
    fn refuses_to_nest(&self) -> Result<(), String> {
        let before = self.runs()?;
        let nested = self.windlass().with("WINDLASS_OWNERS", "0|aaaaaa/work/1");
        match nested.said()? {
            (Some(1), _) if self.runs()? == before => Ok(()),
            (code, said) => Err(format!("within a run the quickstart ended with {code:?} and said:\n{said}")),
        }
    }

    /// Whatever is done to what runs it, every promise holds. Its checks are left out: they take longer than this does.
    fn bears_harm(&self) -> Result<(), String> {
        let words = [
            "chaos",
            "examples/quickstart/plan.yaml",
            "--input",
            "checks=false",
            "--for",
            "10s",
            "--seed",
            "1",
        ];
        let chaos = Program::at(&target().join("debug/windlass")).and(&words);
        chaos.with("TMPDIR", &text(&self.temporary)).within(&self.clone).run()
    }

    /// How many runs left a folder.
    fn runs(&self) -> Result<usize, String> {
        fs::read_dir(&self.temporary).map(Iterator::count).map_err(|error| error.to_string())
    }

    fn report(&self) -> Result<PathBuf, String> {
        let folders = fs::read_dir(&self.temporary).map_err(|error| error.to_string())?;
        let mut reports = folders.filter_map(|entry| Some(entry.ok()?.path().join("report.md")));
        reports
            .find(|path| path.exists())
            .ok_or_else(|| format!("there is no report below {}", self.temporary.display()))
    }
}

fn expect(text: &str, promised: &[&str], place: &str) -> Result<(), String> {
    match promised.iter().find(|part| !text.contains(**part)) {
        None => Ok(()),
        Some(part) => Err(format!("{place} does not say «{part}»:\n{text}")),
    }
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
