//! Windlass beside ninja on the same graphs of `/bin/true`, in turns. Windlass keeps its journal on the same disk,
//! captures output and starts the program itself; ninja has no journal and has `sh -c` start it. A second ninja is given
//! the shell's own `true`: it starts no program but the shell, and is the floor of one process a task.
//! Never: a warm home (each run begins with an empty one), or a contender that had the machine to itself.

use std::fs;
use std::path::Path;
use std::thread::available_parallelism;
use std::time::Duration;

use crate::disk;
use crate::graph::Graph;
use crate::measure::{Taken, adopt_orphans, run, run_plan};

const TASKS: usize = 1000;

/// Below this the disk does not really write, and a journal would look free.
const FDATASYNC_MIN: Duration = Duration::from_micros(20);

/// Measures and prints.
pub(crate) fn compare(windlass: &Path, folder: &Path, rounds: usize) -> Result<(), String> {
    adopt_orphans()?;
    // The home lies beside the folder that tasks work in.
    let (home, folder) = (&folder.join("home"), &folder.join("work"));
    fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    // What Windlass takes by itself, and more than there are cores, so that neither waits for a disk or a shell alone.
    let slots = available_parallelism().map_or(2, std::num::NonZero::get).saturating_mul(2).max(4);
    let sync = disk::fdatasync(folder)?;
    println!("{TASKS} tasks of `true`, {slots} at a time, {rounds} rounds in turns");
    println!("fdatasync of 4 KiB: {} µs · load before: {}", sync.as_micros(), disk::load());
    if sync < FDATASYNC_MIN {
        return Err(
            "this disk absorbs fdatasync: a comparison with a journal would mean nothing here".to_owned()
        );
    }
    println!(
        "\n| graph | contender | wall, median (least – most) | a task | CPU a task | to ninja | to ninja, builtin |\n|---|---|---:|---:|---:|---:|---:|"
    );
    for graph in [Graph::layered(TASKS), Graph::chain(TASKS)] {
        let bench = Bench { windlass, folder, home, graph: &graph, slots: slots.to_string() };
        bench.write()?;
        let mut taken = [const { Vec::new() }; 3];
        for _ in 0..rounds {
            taken[0].push(bench.windlass()?);
            taken[1].push(bench.ninja("program.ninja")?);
            taken[2].push(bench.ninja("builtin.ninja")?);
        }
        let bases = [median(&taken[1]).wall, median(&taken[2]).wall];
        for (contender, taken) in ["windlass", "ninja", "ninja, builtin"].into_iter().zip(&taken) {
            row(&graph, contender, taken, bases);
        }
    }
    println!("\nload after: {}", disk::load());
    Ok(())
}

struct Bench<'a> {
    windlass: &'a Path,
    folder: &'a Path,
    home: &'a Path,
    graph: &'a Graph,
    slots: String,
}

impl Bench<'_> {
    fn write(&self) -> Result<(), String> {
        let files = [
            ("builtin.ninja", self.graph.ninja("true")),
            ("program.ninja", self.graph.ninja("/bin/true")),
            ("plan.yaml", self.graph.plan()),
        ];
        for (name, text) in files {
            fs::write(self.folder.join(name), text).map_err(|error| format!("{name}: {error}"))?;
        }
        Ok(())
    }

    fn ninja(&self, file: &str) -> Result<Taken, String> {
        run(Path::new("ninja"), &["-f", file, "-j", &self.slots], self.folder)
    }

    fn windlass(&self) -> Result<Taken, String> {
        run_plan(self.windlass, self.folder, self.home, &self.slots)
    }
}

/// The median of each measure for itself.
fn median(taken: &[Taken]) -> Taken {
    let middle = |of: fn(&Taken) -> Duration| {
        let mut values: Vec<Duration> = taken.iter().map(of).collect();
        values.sort_unstable();
        values[values.len() / 2]
    };
    Taken { wall: middle(|taken| taken.wall), cpu: middle(|taken| taken.cpu) }
}

fn row(graph: &Graph, contender: &str, taken: &[Taken], bases: [Duration; 2]) {
    let middle = median(taken);
    let walls = || taken.iter().map(|taken| taken.wall.as_secs_f64());
    let (least, most) = (walls().fold(f64::MAX, f64::min), walls().fold(0.0, f64::max));
    let [ninja, builtin] = bases.map(|base| middle.wall.as_secs_f64() / base.as_secs_f64());
    let tasks = u32::try_from(graph.tasks()).expect("a thousand");
    println!(
        "| {} | {contender} | {:.3} s ({least:.3} – {most:.3}) | {} µs | {} µs | {ninja:.2} | {builtin:.2} |",
        graph.name,
        middle.wall.as_secs_f64(),
        (middle.wall / tasks).as_micros(),
        (middle.cpu / tasks).as_micros(),
    );
}
