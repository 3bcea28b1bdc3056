//! What an attempt costs: `/bin/true` with output and errors piped, three in flight, through a supervisor, and by the
//! standard library alone, in turns. Never: a threshold; it only prints. `cargo run --release --example spawn_cost`.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a measurement asks the time, starts processes to compare with, and prints"
)]

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use windlass_core::effect::{Assignment, Program, Settle};
use windlass_core::id::{AttemptKey, Digest, Fence};
use windlass_core::time::Span;
use windlass_worker::{Blobs, Settings, Supervisor, Surroundings, WorkerReport};

const TASKS: u32 = 2000;
const IN_FLIGHT: u32 = 3;

struct NoBlobs;

impl Blobs for NoBlobs {
    fn open(&self, _: &Digest) -> std::io::Result<Box<dyn std::io::Read>> {
        Err(std::io::ErrorKind::NotFound.into())
    }
}

fn main() {
    windlass_worker::run_if_keeper();
    println!("{:>22} {:>12} {:>12}", "way", "wall ms/task", "CPU ms/task");
    for _ in 0..3 {
        measured("supervisor", by_supervisor);
        measured("standard library", by_standard_library);
    }
}

fn measured(way: &str, run: fn()) {
    let (began, cpu) = (Instant::now(), cpu());
    run();
    let wall = began.elapsed();
    let cpu = self::cpu().saturating_sub(cpu);
    let per_task = |time: Duration| time.as_secs_f64() * 1e3 / f64::from(TASKS);
    println!("{way:>22} {:>12.3} {:>12.3}", per_task(wall), per_task(cpu));
}

/// Time of processors of this process and of everything that it has waited for.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("this process is there");
    let (_, rest) = stat.rsplit_once(')').expect("a name in brackets");
    let ticks: u64 =
        rest.split_ascii_whitespace().skip(11).take(4).filter_map(|n| n.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second())
}

fn by_supervisor() {
    let home = tempfile::TempDir::new().expect("a folder");
    let (send, reports) = mpsc::channel();
    let settings = Settings::new(home.path().to_owned(), "bench".to_owned(), 3);
    let supervisor = Supervisor::start(settings, move |report| drop(send.send(report))).expect("a keeper");
    let path = std::env::var("PATH").unwrap_or_default();
    let surroundings = Surroundings {
        env_base: Arc::new(BTreeMap::from([("PATH".to_owned(), path)])),
        blobs: Arc::new(NoBlobs),
    };
    let folder = home.path().display().to_string();
    let start = |number: u32| {
        let fence = Fence(u64::from(number) + 1);
        supervisor.spawn(assignment(fence, &folder), surroundings.clone());
    };
    (0..IN_FLIGHT).for_each(start);
    for done in 0..TASKS {
        match reports.recv().expect("a report") {
            WorkerReport::Ended(ended) => assert_eq!(ended.error, None),
            other @ (WorkerReport::Overdue { .. } | WorkerReport::Lost { .. }) => panic!("{other:?}"),
        }
        if done + IN_FLIGHT < TASKS {
            start(done + IN_FLIGHT);
        }
    }
    supervisor.shutdown();
}

fn assignment(fence: Fence, folder: &str) -> Assignment {
    let attempt = u32::try_from(fence.0).expect("a small number");
    Assignment {
        key: AttemptKey {
            run: "abcdef".parse().expect("a run"),
            task: "t".parse().expect("a task"),
            attempt,
        },
        fence,
        program: Program::Argv(vec!["/bin/true".to_owned()]),
        folder: folder.to_owned(),
        workspace: folder.to_owned(),
        env_base: Digest::of(b""),
        env: BTreeMap::new(),
        pass: Vec::new(),
        start_to_close: None,
        heartbeat: None,
        grace: Span::from_secs(10),
        memory_bytes_max: None,
        settle: Settle::default(),
        around: Vec::new(),
        elsewhere: None,
        feedback: None,
    }
}

fn by_standard_library() {
    let next = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for _ in 0..IN_FLIGHT {
            scope.spawn(|| {
                while next.fetch_add(1, Ordering::Relaxed) < TASKS {
                    let mut command = Command::new("/bin/true");
                    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
                    let output = command.spawn().and_then(std::process::Child::wait_with_output);
                    assert!(output.expect("it ran").status.success());
                }
            });
        }
    });
}
