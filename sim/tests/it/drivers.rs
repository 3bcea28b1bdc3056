//! The real keeper and the real clock beside the simulator's: one suite holds of both. Never: a wait by the clock.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use rustix::fs::{CWD, Mode, mkfifoat};
use tempfile::TempDir;
use windlass_core::effect::Program;
use windlass_core::id::Digest;
use windlass_engine::clock::shown;
use windlass_sim::conformance::{self, Doing, GRACE, OF_KEEPERS, Seen};
use windlass_worker::{Blobs, Settings, Supervisor, Surroundings, WorkerReport};

/// The longest that a test waits for anything.
const PATIENCE: Duration = Duration::from_mins(1);

struct NoBlobs;

impl Blobs for NoBlobs {
    fn open(&self, _: &Digest) -> std::io::Result<Box<dyn std::io::Read>> {
        Err(std::io::ErrorKind::NotFound.into())
    }
}

/// How an attempt ends under a real keeper. One that goes on says by a pipe when it does.
fn real(doing: Doing) -> Seen {
    let home = TempDir::new().expect("a folder");
    let ready = home.path().join("ready");
    mkfifoat(CWD, &ready, Mode::RUSR | Mode::WUSR).expect("a pipe");
    let says = format!("echo on > {}", ready.display());
    let program = match doing {
        Doing::Exits(code) => Program::Shell(format!("exit {code}")),
        Doing::DiesOf(signal) => Program::Shell(format!("kill -{signal} $$")),
        Doing::Leaves => Program::Shell("sleep 1000 & exit 0".into()),
        Doing::IsNotThere => Program::Argv(vec!["/no/such/program".into()]),
        Doing::Obeys => Program::Shell(format!("{says}; exec sleep 1000")),
        Doing::Ignores => Program::Shell(format!("trap '' TERM; {says}; exec sleep 1000")),
        Doing::ExitsWhenTold(code) => {
            // What it has started is gone before it is itself.
            Program::Shell(format!("sleep 1000 & trap 'kill $!; wait $!; exit {code}' TERM; {says}; wait"))
        }
    };
    let mut settings = Settings::new(home.path().to_owned(), format!("drivers-{}", std::process::id()), 1);
    settings.program = Some(env!("CARGO_BIN_EXE_windlass-sim-pawl").into());
    let (send, reports) = channel();
    let supervisor = Supervisor::start(settings, move |report| drop(send.send(report))).expect("a keeper");
    let env_base = Arc::new(BTreeMap::from([("PATH".to_owned(), "/usr/local/bin:/usr/bin:/bin".to_owned())]));
    let assignment = conformance::assignment(program, home.path().display().to_string());
    let fence = assignment.fence;
    supervisor.spawn(assignment, Surroundings { env_base, blobs: Arc::new(NoBlobs) });
    if doing.goes_on() {
        let mut said = String::new();
        File::open(&ready).expect("it is there").read_to_string(&mut said).expect("it says so");
        supervisor.stop(fence, GRACE);
    }
    match reports.recv_timeout(PATIENCE).expect("a report") {
        WorkerReport::Ended(ended) => Seen::new(ended.exit, ended.error.as_ref(), ended.leftovers),
        other @ (WorkerReport::Overdue { .. } | WorkerReport::Lost { .. }) => panic!("{doing:?}: {other:?}"),
    }
}

#[test]
fn the_real_keeper_and_the_simulated_one_end_attempts_alike() {
    for (doing, exit, error, leftovers) in OF_KEEPERS {
        let expected = Seen { exit, error, leftovers };
        assert_eq!(conformance::simulated(doing), expected, "simulated: {doing:?}");
        assert_eq!(real(doing), expected, "real: {doing:?}");
    }
}

#[test]
fn the_real_clocks_and_the_simulated_ones_keep_the_same_laws() {
    conformance::of_clocks(&conformance::simulated_looks()).expect("simulated");
    let mut looks = vec![shown()];
    while looks[looks.len() - 1].awake_ms < looks[0].awake_ms + 30 {
        looks.push(shown());
    }
    conformance::of_clocks(&looks).expect("real");
}
