//! Two terminals, one home: the second hands its plan to the engine that is alive.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};
use windlass_core::event::Role;
use windlass_engine::HomeSettings;
use windlass_engine::engine::{Engine, Options};
use windlass_engine::handle::NewRun;
use windlass_engine::reading::Reading;

use crate::desk::{Desk, HELLO};

const FIRST: &str = "tasks: { a: { run: cat gate } }";
const SECOND: &str = "tasks: { b: { run: \"cat second > got\" } }";

fn two() -> Desk {
    let desk = Desk::with(FIRST);
    desk.write("second.yaml", SECOND);
    desk.gate("gate");
    desk.gate("second");
    desk
}

#[test]
fn a_second_run_is_handed_over_and_followed() {
    let desk = two();
    let mut host = desk.start(&["run", "plan.yaml"]);
    host.wait_for("started   a");
    let mut guest = desk.start(&["run", "second.yaml"]);
    guest.wait_for("started   b");
    desk.open_gate("second");
    let guest = guest.end();
    assert_eq!(guest.code, Some(0), "{}", guest.all());
    assert_eq!(desk.read("got"), "go\n");
    desk.open_gate("gate");
    let host = host.end();
    assert_eq!(host.code, Some(0));
    assert!(!host.out.contains(" b "), "the host tells of its own run only: {}", host.out);
    let events = desk.windlass(&["events", &guest.run(), "--json"]);
    assert!(!events.out.contains("engine_started"), "{}", events.out);
}

#[test]
fn the_host_stays_until_the_other_run_is_over_and_says_so() {
    let desk = two();
    let mut host = desk.start(&["run", "plan.yaml"]);
    host.wait_for("started   a");
    let mut guest = desk.start(&["run", "second.yaml", "--json"]);
    guest.wait_for("attempt_started");
    desk.open_gate("gate");
    // It sums up once it has seen that the other run goes on.
    host.wait_for("windlass show");
    desk.open_gate("second");
    let host = host.end();
    assert_eq!(host.code, Some(0));
    assert!(host.err.contains("goes on for"), "{}", host.all());
    let guest = guest.end();
    assert_eq!(guest.code, Some(0));
    assert_eq!(guest.lines().last().expect("a line")["type"], "run_finished");
}

#[test]
fn ctrl_c_in_the_second_terminal_only_detaches() {
    let desk = two();
    let mut host = desk.start(&["run", "plan.yaml"]);
    host.wait_for("started   a");
    let mut guest = desk.start(&["run", "second.yaml"]);
    let run = guest.run();
    guest.wait_for("started   b");
    guest.signal(Signal::INT);
    let guest = guest.end();
    assert_eq!(guest.code, Some(130));
    assert!(guest.err.contains(&format!("Run {run} goes on")), "{}", guest.all());
    desk.open_gate("second");
    desk.open_gate("gate");
    assert_eq!(host.end().code, Some(0));
    assert_eq!(desk.json(&["show", &run, "--json"])["run"]["state"], "succeeded");
}

#[test]
fn a_host_may_take_no_other_plans() {
    let desk = two();
    let mut host = desk.start(&["run", "plan.yaml", "--no-host"]);
    host.wait_for("started   a");
    let guest = desk.windlass(&["run", "second.yaml"]);
    assert_eq!(guest.code, Some(1));
    assert!(guest.err.contains("--no-host"), "{}", guest.err);
    desk.open_gate("gate");
    assert_eq!(host.end().code, Some(0));
    assert_eq!(desk.json(&["ps", "--json"])["runs"].as_array().map(Vec::len), Some(1));
}

#[test]
fn slots_of_a_handed_over_run_are_ignored_with_a_word() {
    let desk = two();
    let mut host = desk.start(&["run", "plan.yaml"]);
    host.wait_for("started   a");
    let mut guest = desk.start(&["run", "second.yaml", "--slots", "2"]);
    guest.wait_for("started   b");
    desk.open_gate("second");
    assert!(guest.end().err.contains("--slots is ignored"));
    desk.open_gate("gate");
    host.end();
}

#[test]
fn a_guest_whose_host_is_killed_says_how_to_go_on() {
    let desk = two();
    let mut host = desk.start(&["run", "plan.yaml"]);
    host.wait_for("started   a");
    let mut guest = desk.start(&["run", "second.yaml"]);
    let run = guest.run();
    guest.wait_for("started   b");
    host.signal(Signal::KILL);
    host.end();
    let guest = guest.end();
    assert_eq!(guest.code, Some(4), "{}", guest.all());
    assert!(guest.out.contains(&format!("windlass resume {run}")), "{}", guest.out);
}

#[test]
fn a_guest_whose_host_is_interrupted_ends_with_3() {
    let desk = two();
    let mut host = desk.start(&["run", "plan.yaml"]);
    host.wait_for("started   a");
    let mut guest = desk.start(&["run", "second.yaml"]);
    guest.wait_for("started   b");
    host.signal(Signal::INT);
    assert_eq!(host.end().code, Some(130));
    assert_eq!(guest.end().code, Some(3));
}

#[test]
fn a_socket_that_was_removed_is_bound_anew() {
    let desk = two();
    let mut host = desk.start(&["run", "plan.yaml"]);
    let run = host.run();
    host.wait_for("started   a");
    std::fs::remove_file(desk.socket()).expect("ours");
    let cancelled = desk.windlass(&["cancel", &run]);
    assert_eq!(cancelled.code, Some(0), "{}", cancelled.all());
    assert_eq!(host.end().code, Some(1));
}

#[test]
fn an_engine_that_ends_in_order_leaves_no_socket() {
    let desk = two();
    let mut host = desk.start(&["run", "plan.yaml"]);
    host.wait_for("started   a");
    let socket = desk.socket();
    std::fs::remove_file(&socket).expect("ours");
    let handed_over = desk.start(&["run", "second.yaml"]);
    desk.open_gate("second");
    assert_eq!(handed_over.end().code, Some(0));
    assert!(socket.exists(), "it was bound anew");
    desk.open_gate("gate");
    assert_eq!(host.end().code, Some(0));
    assert!(!socket.exists());
}

#[test]
fn an_engine_that_does_not_answer_is_named_with_its_pid() {
    let desk = two();
    let mut host = desk.start(&["run", "plan.yaml"]);
    let run = host.run();
    host.wait_for("started   a");
    host.signal(Signal::STOP);
    let cancelled = desk.windlass(&["cancel", &run]);
    host.signal(Signal::CONT);
    assert_eq!(cancelled.code, Some(4), "{}", cancelled.all());
    let pid = format!("process {}", host.pid().as_raw_nonzero());
    assert!(cancelled.err.contains(&pid), "{}", cancelled.err);
    assert!(cancelled.err.contains("may be carried out later"), "{}", cancelled.err);
    assert!(cancelled.err.contains(&format!("`windlass events {run}` shows whether")), "{}", cancelled.err);
    // The wish may have reached it all the same; said again, it holds in either case, and the run ends.
    desk.windlass(&["cancel", &run]);
    host.end();
}

#[test]
fn a_plan_that_nobody_answers_for_may_be_run_later_which_is_said_to_programs_too() {
    let desk = two();
    let mut host = desk.start(&["run", "plan.yaml"]);
    host.wait_for("started   a");
    host.signal(Signal::STOP);
    let guest = desk.windlass(&["run", "second.yaml", "--json"]);
    host.signal(Signal::CONT);
    assert_eq!(guest.code, Some(4), "{}", guest.all());
    assert!(guest.out.is_empty(), "no line of a run that may never be: {}", guest.out);
    assert!(guest.err.contains("may be carried out later"), "{}", guest.err);
    assert!(guest.err.contains("before you ask again, `windlass ps` shows whether"), "{}", guest.err);
    desk.open_gate("second");
    desk.open_gate("gate");
    host.end();
}

#[test]
fn an_engine_whose_queue_is_full_is_named_with_its_pid_and_not_waited_for_without_end() {
    let desk = two();
    let mut host = desk.start(&["run", "plan.yaml"]);
    let run = host.run();
    host.wait_for("started   a");
    host.signal(Signal::STOP);
    let queue = fill(&desk.socket());
    let cancelled = desk.windlass(&["cancel", &run]);
    drop(queue);
    host.signal(Signal::CONT);
    assert_eq!(cancelled.code, Some(4), "{}", cancelled.all());
    assert!(!cancelled.err.contains("later"), "it was asked nothing: {}", cancelled.err);
    let pid = format!("process {}", host.pid().as_raw_nonzero());
    assert!(cancelled.err.contains(&pid), "{}", cancelled.err);
    desk.open_gate("gate");
    assert_eq!(host.end().code, Some(0), "the wish never reached it");
}

/// As many clients as the queue of a socket holds.
fn fill(path: &Path) -> Vec<OwnedFd> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).expect("up to the maximum");
    let address = SocketAddrUnix::new(path).expect("it is short enough");
    let mut queue = Vec::new();
    loop {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let client =
            socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).expect("there are files");
        match connect(&client, &address) {
            Ok(()) => queue.push(client),
            Err(full) => {
                assert_eq!(full, Errno::AGAIN);
                return queue;
            }
        }
    }
}

/// A host that was asked to end, and whose attempt takes its time until the gate is opened.
fn ending(desk: &Desk) -> crate::desk::Running {
    desk.write(
        "plan.yaml",
        "tasks: { a: { run: \"trap 'echo asked > asked; cat gate; exit 0' TERM; echo up > up; cat hold & wait\", timeout: { grace: 1h } }, c: { run: test -e mended } }",
    );
    for gate in ["asked", "up", "hold"] {
        desk.gate(gate);
    }
    let mut host = desk.start(&["run", "plan.yaml"]);
    host.wait_for("dead      c");
    assert_eq!(desk.hear("up"), "up\n");
    host.signal(Signal::INT);
    assert_eq!(desk.hear("asked"), "asked\n");
    host
}

#[test]
fn a_plan_that_meets_an_ending_engine_is_run_once_that_has_ended() {
    let desk = two();
    let host = ending(&desk);
    let too_early = desk.windlass(&["run", "second.yaml"]);
    assert_eq!(too_early.code, Some(4), "no refusal of the plan: {}", too_early.all());
    assert!(too_early.err.contains("still ending: process"), "{}", too_early.err);
    let second = desk.start(&["run", "second.yaml"]);
    desk.open_gate("gate");
    assert_eq!(host.end().code, Some(130));
    desk.open_gate("second");
    let second = second.end();
    assert_eq!(second.code, Some(0), "{}", second.all());
    assert_eq!(desk.read("got"), "go\n");
}

/// An engine that takes a plan, and is gone before it has said so: what it took is in the journal.
fn take_and_be_gone(listener: &UnixListener, engine: Engine) {
    let handle = engine.handle();
    let gone = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&gone);
    let turning = std::thread::spawn(move || engine.run(|_| told.load(Ordering::Acquire), || ()));
    let (stream, _) = listener.accept().expect("somebody asks");
    let mut lines = BufReader::new(&stream).lines();
    assert!(lines.next().expect("a hello").expect("a line").contains("\"wire\":"));
    let line = lines.next().expect("a request").expect("a line");
    let mut request: serde_json::Value = serde_json::from_str(&line).expect("JSON");
    let new: NewRun = serde_json::from_value(request["start"]["new"].take()).expect("a plan");
    handle.start(&new, &|_| ()).expect("it is taken");
    gone.store(true, Ordering::Release);
    handle.query(|_| ()).unwrap_or_default();
    turning.join().expect("no panic").expect("it ends well");
    drop(stream);
}

#[test]
fn a_plan_that_an_engine_took_before_it_was_gone_is_run_by_who_asked() {
    let desk = Desk::with("tasks: { a: { run: \"true\" } }");
    desk.write("second.yaml", "tasks: { b: { run: echo b >> proof } }");
    let first = desk.windlass(&["run", "plan.yaml"]).run();
    let path = desk.work().join("socket");
    let listener = UnixListener::bind(&path).expect("a socket");
    let options = Options {
        home: desk.home(),
        home_settings: HomeSettings { reserve: 0, min_free: 0, force: false },
        slots: 1,
        role: Role::Command,
        socket: Some(path),
        owners: None,
        keeper: None,
        subreaper: false,
    };
    let engine = Engine::open(options, &mut |_| ()).expect("nobody has it");
    let second = desk.start(&["run", "second.yaml"]);
    take_and_be_gone(&listener, engine);
    let second = second.end();
    assert_eq!(second.code, Some(0), "{}", second.all());
    assert_eq!(desk.read("proof"), "b\n", "once");
    let runs = desk.json(&["ps", "--json"]);
    let ids = [&runs["runs"][0]["id"], &runs["runs"][1]["id"], &runs["runs"][2]["id"]];
    assert_eq!(ids, [&second.run().into(), &first.into(), &serde_json::Value::Null]);
}

#[test]
fn a_resume_that_meets_an_ending_engine_goes_on_once_that_has_ended() {
    let desk = two();
    let mut host = ending(&desk);
    let run = host.run();
    desk.write("mended", "");
    let retried = desk.start(&["retry", &run, "c"]);
    let mut resumed = desk.start(&["resume", &run]);
    desk.open_gate("gate");
    assert_eq!(host.end().code, Some(130));
    let retried = retried.end();
    assert_eq!(retried.code, Some(0), "{}", retried.all());
    resumed.wait_for("started   a");
    assert_eq!(desk.hear("up"), "up\n");
    desk.open_gate("hold");
    let resumed = resumed.end();
    assert_eq!(resumed.code, Some(0), "{}", resumed.all());
}

#[test]
fn a_plan_is_not_taken_as_a_command_since_its_digest_could_be_anothers() {
    let desk = two();
    let mut host = desk.start(&["run", "plan.yaml"]);
    let run = host.run();
    host.wait_for("started   a");
    let reading = Reading::open(&desk.home()).expect("a home");
    let known = reading.state().runs.values().next().expect("a run");
    let submission = serde_json::json!({
        "run": "zzzzzz", "plan": *known.plan, "plan_digest": "0".repeat(64), "folder": "/",
        "env_digest": known.env, "source": "-",
    });
    let command = serde_json::json!({ "id": "1", "by": "test", "ask": { "submit_plan": submission } });
    let reply = desk.ask_by_hand(&serde_json::json!({ "command": command }));
    assert!(reply.contains("refused") && reply.contains("start"), "{reply}");
    desk.open_gate("gate");
    assert_eq!(host.end().code, Some(0));
    let runs = desk.json(&["ps", "--json"]);
    assert_eq!((&runs["runs"][0]["id"], &runs["runs"][1]), (&run.into(), &serde_json::Value::Null));
}

#[test]
fn an_output_that_the_home_does_not_have_is_not_taken() {
    let desk = two();
    let mut host = desk.start(&["run", "plan.yaml"]);
    let run = host.run();
    host.wait_for("started   a");
    let ask = serde_json::json!({ "settle": {
        "run": run, "task": "a", "answer": "done", "output": { "blob": "0".repeat(64) },
    } });
    let command = serde_json::json!({ "command": { "id": "1", "by": "test", "ask": ask } });
    let reply = desk.ask_by_hand(&command);
    assert!(reply.contains("a blob that this home does not have"), "{reply}");
    desk.open_gate("gate");
    assert_eq!(host.end().code, Some(0));
}

#[test]
fn more_clients_than_there_are_files_for_only_wait() {
    let desk = two();
    let program = env!("CARGO_BIN_EXE_windlass");
    let mut host = desk.start_shell(&format!("ulimit -n 60; exec {program} run plan.yaml"));
    let run = host.run();
    host.wait_for("started   a");
    let path = desk.socket();
    let clients: Vec<UnixStream> =
        (0..100).map(|_| UnixStream::connect(&path).expect("the queue has room")).collect();
    drop(clients);
    assert_eq!(desk.windlass(&["cancel", &run]).code, Some(0));
    assert_eq!(host.end().code, Some(1));
}

#[test]
fn who_comes_too_many_is_told_so_and_the_engine_goes_on() {
    let desk = two();
    let mut host = desk.start(&["run", "plan.yaml"]);
    let run = host.run();
    host.wait_for("started   a");
    let path = desk.socket();
    // Each is talked to once it has asked something.
    let talked_to = |_| {
        let mut stream = UnixStream::connect(&path).expect("the queue has room");
        writeln!(stream, "{HELLO}{{\"yes\":\"aaaaaa\"}}").expect("it is read");
        let mut reply = String::new();
        BufReader::new(&stream).read_line(&mut reply).expect("a reply");
        stream
    };
    let clients: Vec<UnixStream> = (0..64).map(talked_to).collect();
    let turned_away = desk.windlass(&["cancel", &run]);
    assert_eq!(turned_away.code, Some(4), "{}", turned_away.all());
    assert!(turned_away.err.contains("talks to 64 others"), "{}", turned_away.err);
    drop(clients);
    assert_eq!(desk.windlass(&["cancel", &run]).code, Some(0));
    assert_eq!(host.end().code, Some(1));
}

#[test]
fn a_windlass_that_says_more_than_the_engine_knows_is_told_so_and_nothing_is_dropped() {
    let desk = two();
    let mut host = desk.start(&["run", "plan.yaml"]);
    let run = host.run();
    host.wait_for("started   a");
    let cancel =
        serde_json::json!({ "command": { "id": "1", "by": "test", "ask": { "cancel": { "run": run } } } });
    let newer = "{\"wire\":4000000000,\"build\":\"9.9.9\",\"more\":[]}\n";
    for (hello, theirs) in
        [(newer, "is 9.9.9 and speaks version 4000000000"), ("", "does not say which it speaks")]
    {
        let mut stream = UnixStream::connect(desk.socket()).expect("it is taken");
        // At once: who is turned away for the first line is not listened to any longer.
        stream.write_all(format!("{hello}{cancel}\n").as_bytes()).expect("it has room");
        let mut reply = String::new();
        BufReader::new(&stream).read_line(&mut reply).expect("a reply");
        let reply: serde_json::Value = serde_json::from_str(&reply).expect("JSON");
        let told = |part: &str| reply["turned_away"][part].as_str().unwrap_or_default().to_owned();
        assert!(told("why").contains(theirs), "{reply}");
        assert!(told("hint").contains("`windlass resume`"), "{reply}");
    }
    let show = desk.json(&["show", "last", "--json"]);
    assert_eq!(show["run"]["state"], "running", "nothing of it was heard");
    assert_eq!(desk.windlass(&["cancel", &run]).code, Some(0));
    assert_eq!(host.end().code, Some(1));
}

#[test]
fn an_engine_whose_lock_was_broken_by_force_appends_nothing_once_another_has_taken_over() {
    let desk = Desk::with(
        "tasks: { a: { run: \"test $WINDLASS_ATTEMPT = 2 && exit 0; cut -d' ' -f4 /proc/$PPID/stat > said; cat gate\" } }",
    );
    desk.gate("said");
    desk.gate("gate");
    let first = desk.start(&["run", "plan.yaml"]);
    let keeper = desk.hear("said").trim().parse().ok().and_then(Pid::from_raw).expect("a number");
    first.signal(Signal::STOP);
    kill_process(keeper, Signal::KILL).expect("it is alive");
    fs::remove_file(desk.home().join("lock")).expect("it is there");
    let second = desk.windlass(&["resume", "last"]);
    assert_eq!(second.code, Some(0), "{}", second.all());
    let all = desk.windlass(&["events", "last", "--json"]).out;
    // It hears now that its keeper died, and would note that its attempt is lost.
    first.signal(Signal::CONT);
    let first = first.end();
    assert_eq!(first.code, Some(4), "{}", first.all());
    assert!(first.err.contains("another engine (epoch 2) has taken the journal over"), "{}", first.all());
    assert_eq!(desk.windlass(&["events", "last", "--json"]).out, all, "it has added nothing");
    assert_eq!(desk.windlass(&["doctor"]).code, Some(0));
}
