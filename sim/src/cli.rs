//! The command line: which seeds, with which bug, and what to print. Never: what happens in a world.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a command for people: it prints, and says how long it took"
)]

use std::io::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::case::Case;
use crate::coverage::{self, Rare};
use crate::mood::NAMES;
use crate::planted::{Planted, plant};
use crate::seed::{self, Ending, Told};
use crate::seeds::{self, Moods, Which};
use crate::shrink::shrink;
use crate::trace::Trace;

const USAGE: &str = "\
windlass-sim [--seeds N] [--start S] [--mood NAME] [--planted NAME | --planted list] [--coverage] [--trace]
             [--case FILE]

  --seeds N        how many worlds (2000)
  --start S        the first seed (0)
  --mood NAME      all in this mood, of which a failure says that it had it; else every other world of a row has that in
                   which is seen what was seen too rarely
  --planted NAME   with a bug built in; `list` names them
  --coverage       print how often each arrow of the machines was taken
  --trace          print every step of each world
  --case FILE      one world, from what a failure printed

exit codes: 0 every promise kept, 1 a promise broken, 2 wrong usage, 3 something never ends, 4 a crash
";

/// What is asked.
#[derive(Default)]
struct Asked {
    seeds: u64,
    start: u64,
    mood: Option<usize>,
    planted: Option<Planted>,
    trace: bool,
    coverage: bool,
    case: Option<String>,
}

/// The world that is being gone through, for the message of a crash.
static WORLD: Mutex<Option<Which>> = Mutex::new(None);

/// Does what is asked. Gives the exit code.
pub fn run(arguments: &[String]) -> u8 {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if words == ["--planted", "list"] {
        for bug in Planted::all() {
            println!("{:<40} {}", bug.name(), bug.what());
        }
        return 0;
    }
    match asked(&words) {
        Ok(asked) => go(&asked),
        Err(wrong) => {
            eprintln!("error: {wrong}\n\n{USAGE}");
            2
        }
    }
}

fn asked(words: &[&str]) -> Result<Asked, String> {
    let mut asked = Asked { seeds: 2000, ..Asked::default() };
    let mut words = words.iter().copied();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
        let number = |text: &str| text.parse().map_err(|_| format!("`{text}` is no number"));
        match word {
            "--seeds" => asked.seeds = number(value()?)?,
            "--start" => asked.start = number(value()?)?,
            "--trace" => asked.trace = true,
            "--coverage" => asked.coverage = true,
            "--case" => asked.case = Some(value()?.to_owned()),
            "--mood" => {
                let name = value()?;
                let mood = NAMES.iter().position(|known| *known == name);
                asked.mood = Some(mood.ok_or_else(|| format!("there is no mood `{name}`, but {NAMES:?}"))?);
            }
            "--planted" => {
                let name = value()?;
                let bug = Planted::all().find(|bug| bug.name() == name);
                asked.planted = Some(
                    bug.ok_or_else(|| format!("there is no bug `{name}`; `--planted list` names them"))?,
                );
            }
            other => return Err(format!("what is `{other}`?")),
        }
    }
    Ok(asked)
}

fn go(asked: &Asked) -> u8 {
    plant(asked.planted);
    say_crashes();
    if let Some(file) = &asked.case {
        return one(file);
    }
    let began = Instant::now();
    let row = if asked.trace { traced(asked) } else { quietly(asked) };
    let took = began.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "it is printed in whole thousands")]
    let rate = row.steps as f64 / took / 1000.0;
    println!(
        "{} seeds from {}, {} steps in {took:.1} s ({rate:.0} thousand steps a second)",
        row.seeds, asked.start, row.steps
    );
    println!("everything that was seen: {}", row.digest);
    if let Some((which, told)) = &row.failed {
        println!("\n{which}: {}\nmaking it smaller …", words(&told.ending));
        return tell(&shrink(told));
    }
    for (arrow, count) in coverage::counted(&row.taken).into_iter().filter(|_| asked.coverage) {
        println!("{count:>9}  {arrow}");
    }
    for Rare { arrow, count, wanted } in coverage::rare(&row.taken, row.seeds) {
        let known = coverage::EXCEPTIONS.iter().find(|(known, _)| *known == arrow);
        let why = known.map(|(_, why)| format!(" ({why})")).unwrap_or_default();
        println!("rarely seen: {arrow}: {count} times, {wanted} wanted{why}");
    }
    0
}

fn quietly(asked: &Asked) -> seeds::Row {
    // A planted bug is to be found by the invariant that is there for it, whatever else it breaks on the way.
    let counts = |ending: &Ending| asked.planted.is_none_or(|bug| bug.is_found(ending));
    let moods = match asked.mood {
        Some(mood) => Moods::One(mood),
        // Of these each is known by its seed.
        None if asked.planted.is_some() || asked.trace => Moods::Own,
        None => Moods::Steered,
    };
    seeds::row((asked.start, asked.seeds), moods, counts, begins)
}

fn traced(asked: &Asked) -> seeds::Row {
    for seed in asked.start..asked.start + asked.seeds {
        let which = Which { seed, mood: asked.mood };
        begins(which);
        println!("── {which}");
        print(&seed::in_mood(seed, asked.mood, Trace::kept()).trace);
    }
    quietly(asked)
}

/// A world from the text of a case.
fn one(file: &str) -> u8 {
    let read = std::fs::read_to_string(file).map_err(|error| error.to_string());
    let case = read.and_then(|text| serde_json::from_str::<Case>(&text).map_err(|error| error.to_string()));
    match case {
        Ok(case) => tell(&seed::case(case, Trace::kept())),
        Err(wrong) => {
            eprintln!("error: {file} is no case: {wrong}");
            2
        }
    }
}

/// A world, told with its trace and its case.
fn tell(told: &Told) -> u8 {
    println!();
    print(&told.trace);
    println!("\ncase: {}", serde_json::to_string(&told.case).expect("plain data"));
    println!("\n{}", words(&told.ending));
    match &told.ending {
        Ending::Well => 0,
        Ending::Broken(broken) if broken.is_liveness() => 3,
        Ending::Broken(_) => 1,
        Ending::Crashed(_) => 4,
    }
}

fn print(trace: &Trace) {
    for line in trace.lines() {
        println!("{line}");
    }
}

fn words(ending: &Ending) -> String {
    match ending {
        Ending::Well => "every promise was kept".into(),
        Ending::Broken(broken) => broken.to_string(),
        Ending::Crashed(words) => format!("it crashed: {words}"),
    }
}

/// Remembers which world begins.
fn begins(which: Which) {
    *WORLD.lock().unwrap_or_else(PoisonError::into_inner) = Some(which);
}

/// A panic names its seed. Where panics end the process there is nobody left who could make the case smaller.
fn say_crashes() {
    std::panic::set_hook(Box::new(|panic| {
        if cfg!(panic = "unwind") {
            return;
        }
        let Some(Which { seed, mood }) = *WORLD.lock().unwrap_or_else(PoisonError::into_inner) else {
            return;
        };
        let mut out = std::io::stdout().lock();
        let mood = mood.map(|mood| format!(" --mood {}", NAMES[mood])).unwrap_or_default();
        let told = writeln!(
            out,
            "seed {seed}: {panic}\nto make it smaller: cargo run -p windlass-sim -- --start {seed} --seeds 1{mood}"
        );
        drop(told);
        #[expect(
            clippy::exit,
            reason = "an abort would look like a crash of the machine's, without a code of ours"
        )]
        std::process::exit(4);
    }));
}
