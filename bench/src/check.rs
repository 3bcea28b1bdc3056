//! What `windlass check` takes for hostile files as long as plans may be, in time and in memory, beside a program that
//! only reads the file and has the parser of YAML go through it. Never: output that is looked at (that is for tests).

use std::fs;
use std::path::Path;
use std::time::Duration;

use granit_parser::Parser;

use crate::disk;
use crate::hostile::{self, Hostile};
use crate::measure::{Peak, peak};

/// As long as a plan may be.
const BYTES: usize = 10 << 20;
const ROUNDS: usize = 3;

/// Measures and prints; with a word only those files in whose names it stands.
pub(crate) fn compare(windlass: &Path, folder: &Path, only: Option<&str>) -> Result<(), String> {
    let folder = folder.join("check");
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let own = std::env::current_exe().map_err(|error| format!("this program has no path: {error}"))?;
    println!("`windlass check` of files of 10 MiB, {ROUNDS} rounds, load before: {}", disk::load());
    println!(
        "\n| file | ends with | wall | CPU | memory | parser alone: CPU | memory | to the parser, CPU |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|---:|");
    let wanted = hostile::all().filter(|hostile| only.is_none_or(|word| hostile.name.contains(word)));
    for hostile in wanted {
        row(hostile, windlass, &own, &folder)?;
    }
    println!("\nload after: {}", disk::load());
    fs::remove_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))
}

fn row(hostile: &Hostile, windlass: &Path, own: &Path, folder: &Path) -> Result<(), String> {
    let name = format!("hostile.{}", hostile.format);
    hostile.write(&folder.join(&name), BYTES).map_err(|error| format!("{name}: {error}"))?;
    let home = folder.join("home");
    let home = home.to_string_lossy();
    let (mut checks, mut alone) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        checks.push(peak(windlass, &["check", &name, "--home", &home], folder)?);
        if hostile.format != "toml" {
            alone.push(peak(own, &["parse", &name], folder)?);
        }
    }
    let check = median(&checks);
    let beside = if alone.is_empty() {
        "– | – | –".to_owned()
    } else {
        let alone = median(&alone);
        let ratio = check.cpu.as_secs_f64() / alone.cpu.as_secs_f64().max(1e-4);
        format!("{:.2} s | {} MiB | {ratio:.1}", alone.cpu.as_secs_f64(), alone.memory >> 20)
    };
    println!(
        "| {}: {} | {} | {:.2} s | {:.2} s | {} MiB | {beside} |",
        hostile.format,
        hostile.name,
        check.code.map_or("a signal".to_owned(), |code| code.to_string()),
        check.wall.as_secs_f64(),
        check.cpu.as_secs_f64(),
        check.memory >> 20,
    );
    Ok(())
}

/// The median of each measure for itself; the most memory.
fn median(taken: &[Peak]) -> Peak {
    let middle = |of: fn(&Peak) -> Duration| {
        let mut values: Vec<Duration> = taken.iter().map(of).collect();
        values.sort_unstable();
        values[values.len() / 2]
    };
    Peak {
        wall: middle(|taken| taken.wall),
        cpu: middle(|taken| taken.cpu),
        memory: taken.iter().map(|taken| taken.memory).max().unwrap_or(0),
        code: taken.first().and_then(|taken| taken.code),
    }
}

/// Reads a file and has the parser of YAML go through it, and nothing else.
pub(crate) fn parse(path: &Path) -> Result<(), String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    // Where the file is wrong the parser stops, as Windlass does.
    let events = Parser::new_from_str(&text).take_while(Result::is_ok).count();
    println!("{events} events");
    Ok(())
}
