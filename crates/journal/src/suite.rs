//! What every journal must do, whatever it is made of: one suite, run by the tests of each backend. Never: part of a
//! running Windlass.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use windlass_core::event::{Event, Hydrated, Record, Role};
use windlass_core::failure::{ErrorKind, Failure};
use windlass_core::id::{CommandId, Digest, Epoch, RunId, Seq, TaskId};
use windlass_core::output::Output;
use windlass_core::plan::Plan;
use windlass_core::plan::file::{Options, Source, load};
use windlass_core::plan::settings::Settings;
use windlass_core::time::{Span, Time};

use crate::blob::Blobs;
use crate::error::{JournalError, Rule};
use crate::journal::Journal;

/// Something to keep a journal in, empty at first.
pub trait Subject {
    /// Opens the journal in it, also while an earlier opening is still there: whoever holds a lock loses it.
    fn open(&self, build: &str) -> Result<Box<dyn Journal>, JournalError>;
    /// The blobs beside it.
    fn blobs(&self) -> Arc<dyn Blobs>;
    /// Loses a blob.
    fn lose_blob(&self, digest: Digest);
}

/// A check with the sentence that it stands for.
pub type Check = (&'static str, fn(&dyn Subject));

/// The suite.
pub const ALL: [Check; 15] = [
    ("a new journal is empty", a_new_journal_is_empty),
    ("what was appended is replayed, also after a new opening", what_was_appended_is_replayed),
    ("a replay begins where it is asked to and ends when told to", a_replay_begins_and_ends_where_asked),
    ("a batch must follow the end without a gap", a_batch_must_follow_the_end),
    ("a batch is there as a whole or not at all", a_batch_is_whole_or_not_there),
    ("after a failed append every later one fails", after_a_failed_append_every_later_one_fails),
    ("an epoch begins with its engine_started", an_epoch_begins_with_its_engine_started),
    ("an older opening can't append", an_older_opening_can_not_append),
    ("events and batches have a largest size", events_and_batches_have_a_largest_size),
    ("numbers and deep values come back as they were", values_come_back_as_they_were),
    ("a run comes back with its plan", a_run_comes_back_with_its_plan),
    (
        "a run whose plan is gone comes back without it, and nothing else is lost",
        a_run_whose_plan_is_gone_comes_back_without_it,
    ),
    (
        "a run whose plan nothing could go by comes back without it",
        a_run_does_not_come_back_with_an_unsound_plan,
    ),
    ("only this build's snapshots count, the newest first", only_this_builds_snapshots_count),
    ("how long an engine was alive after its last record is known once", how_long_it_was_alive_is_known_once),
];

const BUILD: &str = "0.0.0-suite";

/// The record that begins an epoch.
pub fn started(seq: u64, epoch: u64) -> Record {
    let (epoch, role, build) = (Epoch(epoch), Role::Engine, BUILD.into());
    let event = Event::EngineStarted { epoch, role, build, last_alive_ms: None };
    Record { seq: Seq(seq), at: Time::from_ms(1_700_000_000_000), event }
}

/// A record as a run makes many.
pub fn reaped(seq: u64) -> Record {
    let fence = windlass_core::id::Fence(seq.saturating_sub(1));
    let event = Event::AttemptReaped { run: run(), task: task(seq), attempt: 1, fence, leftovers: 0 };
    Record { seq: Seq(seq), at: Time::from_ms(1_700_000_000_000 + seq.cast_signed()), event }
}

/// A record that carries a value.
pub fn succeeded(seq: u64, value: serde_json::Value) -> Record {
    let output = Output { value, ..Output::default() };
    let event = Event::TaskSucceeded {
        run: run(),
        task: task(seq),
        attempt: Some(1),
        fence: None,
        output: Some(output),
        commit: None,
    };
    Record { seq: Seq(seq), at: Time::from_ms(1_700_000_000_000), event }
}

/// A record that carries a plan, which is put among the blobs.
pub fn created(seq: u64, blobs: &dyn Blobs) -> Record {
    created_by(plan(), seq, blobs)
}

fn created_by(plan: Plan, seq: u64, blobs: &dyn Blobs) -> Record {
    let bytes = serde_json::to_vec(&plan).expect("a plan is plain data");
    let event = Event::RunCreated {
        run: run(),
        command: CommandId("suite".into()),
        goal: plan.goal.clone(),
        plan: blobs.put(&bytes).expect("blobs can be written"),
        folder: "/".into(),
        env: blobs.put(b"{}").expect("blobs can be written"),
        source: "-".into(),
        repository: None,
        hydrated: Hydrated(Some(Arc::new(plan))),
    };
    Record { seq: Seq(seq), at: Time::from_ms(1_700_000_000_000), event }
}

/// A record by which that run goes on by another plan, which is put among the blobs.
pub fn revised(seq: u64, blobs: &dyn Blobs) -> Record {
    let plan = Plan { goal: "Show it otherwise".into(), ..plan() };
    let bytes = serde_json::to_vec(&plan).expect("a plan is plain data");
    let event = Event::PlanRevised {
        run: run(),
        command: CommandId("revise".into()),
        by: "suite".into(),
        version: 2,
        plan: blobs.put(&bytes).expect("blobs can be written"),
        source: "-".into(),
        hydrated: Hydrated(Some(Arc::new(plan))),
    };
    Record { seq: Seq(seq), at: Time::from_ms(1_700_000_000_000), event }
}

/// Every record of a journal after a place.
pub fn all_after(journal: &mut dyn Journal, after: u64) -> Result<Vec<Record>, JournalError> {
    let mut all = Vec::new();
    journal.replay(Seq(after), &mut |record| {
        all.push(record);
        ControlFlow::Continue(())
    })?;
    Ok(all)
}

fn plan() -> Plan {
    let text =
        b"{ goal: Show what holds, concurrency: 3, tasks: { a: { run: one }, b: { needs: [a], run: two } } }";
    let source = Source { name: "plan.yaml", text, format: None };
    let loaded = load(&source, &Settings::default(), &BTreeMap::new(), &Options::default());
    loaded.expect("a valid plan").plan
}

fn run() -> RunId {
    "abcdef".parse().expect("six letters")
}

fn task(seq: u64) -> TaskId {
    format!("task-{}", seq % 1000).parse().expect("a name")
}

fn open(subject: &dyn Subject) -> Box<dyn Journal> {
    subject.open(BUILD).expect("an undamaged journal opens")
}

/// A journal of one epoch with this many records.
fn filled(subject: &dyn Subject, records: u64) -> Box<dyn Journal> {
    let mut journal = open(subject);
    journal.append(Epoch(1), Seq(0), &batch(1, records)).expect("a good batch is taken");
    journal
}

/// The first records of a journal, up to this one.
fn batch(epoch: u64, last: u64) -> Vec<Record> {
    (1..=last).map(|seq| if seq == 1 { started(1, epoch) } else { reaped(seq) }).collect()
}

fn a_new_journal_is_empty(subject: &dyn Subject) {
    let mut journal = open(subject);
    assert_eq!(journal.head(), crate::chain::Head::default());
    assert_eq!(all_after(&mut *journal, 0).expect("nothing is no damage"), []);
    assert_eq!(journal.newest_snapshot(), None);
}

fn what_was_appended_is_replayed(subject: &dyn Subject) {
    let mut journal = filled(subject, 5);
    journal.append(Epoch(1), Seq(5), &[]).expect("nothing is always taken");
    journal.append(Epoch(1), Seq(5), &[reaped(6)]).expect("a good batch is taken");
    journal.rest().expect("there is time between turns");
    journal.check().expect("nothing was moved");
    let head = journal.head();
    assert_eq!((head.seq, head.epoch), (Seq(6), Epoch(1)));
    assert_eq!(all_after(&mut *journal, 0).expect("an undamaged journal is replayed"), batch(1, 6));
    drop(journal);
    let mut again = open(subject);
    assert_eq!(again.head(), head);
    assert_eq!(all_after(&mut *again, 0).expect("an undamaged journal is replayed"), batch(1, 6));
}

fn a_replay_begins_and_ends_where_asked(subject: &dyn Subject) {
    let mut journal = filled(subject, 9);
    let mut seen = Vec::new();
    let each = &mut |record: Record| {
        seen.push(record.seq.0);
        if record.seq == Seq(6) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    journal.replay(Seq(3), each).expect("an undamaged journal is replayed");
    assert_eq!(seen, [4, 5, 6]);
    assert_eq!(all_after(&mut *journal, 9).expect("there is nothing behind the end"), []);
    assert!(matches!(all_after(&mut *journal, 10), Err(JournalError::NotTheEnd { .. })));
}

fn a_batch_must_follow_the_end(subject: &dyn Subject) {
    drop(filled(subject, 3));
    for (expected, first, second) in [(2, 3, 4), (4, 5, 6), (3, 5, 6), (3, 4, 6), (3, 4, 4)] {
        let refused = open(subject).append(Epoch(1), Seq(expected), &[reaped(first), reaped(second)]);
        let gap = matches!(refused, Err(JournalError::Malformed { rule: Rule::Gap, .. }));
        assert!(gap || matches!(refused, Err(JournalError::NotTheEnd { .. })), "{refused:?}");
        assert_eq!(open(subject).head().seq, Seq(3));
    }
}

fn a_batch_is_whole_or_not_there(subject: &dyn Subject) {
    let mut journal = filled(subject, 2);
    let too_large = succeeded(5, "x".repeat(crate::record::EVENT_BYTES_MAX).into());
    journal.append(Epoch(1), Seq(2), &[reaped(3), reaped(4), too_large]).expect_err("it is too large");
    drop(journal);
    assert_eq!(all_after(&mut *open(subject), 0).expect("it is as before"), batch(1, 2));
}

fn after_a_failed_append_every_later_one_fails(subject: &dyn Subject) {
    let mut journal = filled(subject, 2);
    journal.append(Epoch(1), Seq(2), &[reaped(7)]).expect_err("there is a gap");
    let refused = journal.append(Epoch(1), Seq(2), &[reaped(3)]);
    assert!(matches!(refused, Err(JournalError::Poisoned)), "{refused:?}");
}

fn an_epoch_begins_with_its_engine_started(subject: &dyn Subject) {
    let refuse = |epoch: u64, expected: u64, records: &[Record]| {
        let refused = open(subject).append(Epoch(epoch), Seq(expected), records);
        let is_rule = matches!(refused, Err(JournalError::Malformed { rule: Rule::EpochStart, .. }));
        assert!(is_rule, "{refused:?} for {records:?}");
    };
    refuse(0, 0, &[reaped(1)]);
    refuse(0, 0, &[started(1, 0)]);
    drop(filled(subject, 2));
    refuse(2, 2, &[reaped(3)]);
    refuse(3, 2, &[started(3, 2)]);
    refuse(2, 2, &[started(3, 2), started(4, 2)]);
    refuse(1, 2, &[started(3, 1)]);
}

fn an_older_opening_can_not_append(subject: &dyn Subject) {
    let mut older = filled(subject, 2);
    let mut newer = open(subject);
    newer.append(Epoch(2), Seq(2), &[started(3, 2)]).expect("the newest opening may write");
    let refused = older.append(Epoch(1), Seq(2), &[reaped(3)]);
    let superseded = matches!(refused, Err(JournalError::Superseded { newest: Epoch(2), .. }));
    assert!(superseded, "{refused:?}");
    newer.append(Epoch(2), Seq(3), &[reaped(4)]).expect("the newest opening may write");
    drop((older, newer));
    let expected = [started(1, 1), reaped(2), started(3, 2), reaped(4)];
    assert_eq!(all_after(&mut *open(subject), 0).expect("it is whole"), expected);
}

fn events_and_batches_have_a_largest_size(subject: &dyn Subject) {
    let body = |bytes: usize| serde_json::Value::from("x".repeat(bytes));
    let mut journal = filled(subject, 1);
    journal.append(Epoch(1), Seq(1), &[succeeded(2, body(255 << 10))]).expect("it is not too large");
    let refused = journal.append(Epoch(1), Seq(2), &[succeeded(3, body(256 << 10))]);
    let rule = matches!(refused, Err(JournalError::Malformed { rule: Rule::EventTooLarge { .. }, .. }));
    assert!(rule, "{refused:?}");
    let many: Vec<_> = (3..43).map(|seq| succeeded(seq, body(250 << 10))).collect();
    let refused = open(subject).append(Epoch(1), Seq(2), &many);
    let rule = matches!(refused, Err(JournalError::Malformed { rule: Rule::BatchTooLarge { .. }, .. }));
    assert!(rule, "{refused:?}");
}

fn values_come_back_as_they_were(subject: &dyn Subject) {
    let nested = |levels| (0..levels).fold(serde_json::Value::Null, |inner, _| serde_json::json!([inner]));
    let numbers = serde_json::json!([0.1, 1e300, -0.0, 5e-324, 0.300_000_000_000_000_04, u64::MAX, i64::MIN]);
    let mut records = vec![started(1, 1), succeeded(2, numbers), succeeded(3, nested(200))];
    records.push(Record {
        seq: Seq(4),
        at: Time::from_ms(-1),
        event: Event::TaskDead {
            run: run(),
            task: "a/b.0".parse().expect("a name"),
            attempt: None,
            error: Failure {
                kind: ErrorKind::Exit,
                message: "\u{0}\u{7f}ü\u{1f980}\"\\\n".into(),
                hint: None,
                cause: None,
                retry_after: None,
            },
            dead_letter: true,
        },
    });
    let mut journal = open(subject);
    journal.append(Epoch(1), Seq(0), &records).expect("a good batch is taken");
    assert_eq!(all_after(&mut *journal, 0).expect("it is readable"), records);
    let refused = journal.append(Epoch(1), Seq(4), &[succeeded(5, nested(1000))]);
    let rule = matches!(refused, Err(JournalError::Malformed { rule: Rule::EventTooDeep { .. }, .. }));
    assert!(rule, "{refused:?}");
}

fn a_run_comes_back_with_its_plan(subject: &dyn Subject) {
    let record = created(2, &*subject.blobs());
    let mut journal = open(subject);
    journal.append(Epoch(1), Seq(0), &[started(1, 1), record]).expect("a good batch is taken");
    drop(journal);
    let replayed = all_after(&mut *open(subject), 1).expect("it is readable");
    let [Record { event: Event::RunCreated { hydrated, .. }, .. }] = &replayed[..] else {
        panic!("there is one run: {replayed:?}")
    };
    assert_eq!(hydrated.0.as_deref(), Some(&plan()));
}

fn a_run_whose_plan_is_gone_comes_back_without_it(subject: &dyn Subject) {
    let record = created(2, &*subject.blobs());
    let Event::RunCreated { plan, .. } = &record.event else { unreachable!("it is a run") };
    let plan = *plan;
    let batch = [started(1, 1), record, reaped(3)];
    open(subject).append(Epoch(1), Seq(0), &batch).expect("a good batch is taken");
    subject.lose_blob(plan);
    let replayed = all_after(&mut *open(subject), 0).expect("only the run is lost");
    assert_eq!(replayed, batch);
    let Event::RunCreated { hydrated, .. } = &replayed[1].event else { unreachable!("it is a run") };
    assert_eq!(hydrated.0, None);
}

fn a_run_does_not_come_back_with_an_unsound_plan(subject: &dyn Subject) {
    let mut unsound = plan();
    unsound.tasks[1].needs = vec![7];
    let batch = [started(1, 1), created_by(unsound, 2, &*subject.blobs()), reaped(3)];
    open(subject).append(Epoch(1), Seq(0), &batch).expect("a good batch is taken");
    let replayed = all_after(&mut *open(subject), 0).expect("only the run is lost");
    let Event::RunCreated { hydrated, .. } = &replayed[1].event else { unreachable!("it is a run") };
    assert_eq!((replayed.len(), &hydrated.0), (3, &None));
}

fn only_this_builds_snapshots_count(subject: &dyn Subject) {
    let mut journal = filled(subject, 9);
    for (at, state) in [(3, "three"), (5, "five"), (9, "nine")] {
        journal.save_snapshot(Seq(at), state.as_bytes()).expect("there is room for a snapshot");
    }
    assert_eq!(journal.newest_snapshot(), Some((Seq(9), b"nine".to_vec())));
    journal.save_snapshot(Seq(10), b"ten").expect_err("there is no such record");
    drop(journal);
    assert_eq!(open(subject).newest_snapshot(), Some((Seq(9), b"nine".to_vec())));
    let mut other = subject.open("another build").expect("an undamaged journal opens");
    assert_eq!(other.newest_snapshot(), None);
    assert_eq!(all_after(&mut *other, 0).expect("it needs no snapshot"), batch(1, 9));
}

fn how_long_it_was_alive_is_known_once(subject: &dyn Subject) {
    let known = || open(subject).last_alive();
    let mut first = filled(subject, 2);
    assert_eq!(known(), Span::default());
    for ms in [1000, 2000, 1500] {
        first.note_alive(Span::from_ms(ms));
        assert_eq!((known(), first.last_alive()), (Span::from_ms(ms), Span::default()));
    }
    // What was alive after an earlier record is in the time of the next.
    first.append(Epoch(1), Seq(2), &[reaped(3)]).expect("it follows");
    assert_eq!(known(), Span::default());
    first.note_alive(Span::from_ms(700));
    drop(first);
    let mut second = open(subject);
    // It has not begun: that the one before it lived is not to be forgotten.
    second.note_alive(Span::from_ms(9));
    assert_eq!((second.last_alive(), known()), (Span::from_ms(700), Span::from_ms(700)));
    second.append(Epoch(2), Seq(3), &[started(4, 2)]).expect("it follows");
    assert_eq!((second.last_alive(), known()), (Span::default(), Span::default()));
}
