//! How records are written: as stored bytes, which never change, and as lines for others.

use std::collections::BTreeSet;

use windlass_core::event::Event;
use windlass_core::id::Seq;
use windlass_journal::error::JournalError;
use windlass_journal::record;

/// One stored record a line, as released versions wrote them. Lines are only ever added.
const GOLDEN: &str = include_str!("golden.jsonl");

#[test]
fn every_event_is_read_and_written_as_it_always_was() {
    let mut names = BTreeSet::new();
    for (line, seq) in GOLDEN.lines().zip(1..) {
        let read = record::decode(Seq(seq), line.as_bytes(), String::new).unwrap();
        let mut written = Vec::new();
        record::encode(&read, &mut written).unwrap();
        assert_eq!(String::from_utf8(written).unwrap(), line);
        names.insert(read.event.name());
    }
    assert_eq!(names.len(), NAMED, "give the new event a line in golden.jsonl, and count it in NAMED");
}

/// How many events there are. This is the reminder that a new one needs a line: the match below does not compile.
const NAMED: usize = 48;

#[test]
fn every_event_was_thought_of() {
    let known = |event: &Event| match event {
        Event::EngineStarted { .. }
        | Event::ClockJumped { .. }
        | Event::JournalRepaired { .. }
        | Event::RunCreated { .. }
        | Event::PlanRevised { .. }
        | Event::PlanNested { .. }
        | Event::PauseRequested { .. }
        | Event::RunPaused { .. }
        | Event::RunResumed { .. }
        | Event::RunFinished { .. }
        | Event::RunReopened { .. }
        | Event::BudgetReached { .. }
        | Event::BreakerChanged { .. }
        | Event::ConcurrencyChanged { .. }
        | Event::AgentNamed { .. }
        | Event::TaskParked { .. }
        | Event::TaskExpanded { .. }
        | Event::ResultSelected { .. }
        | Event::AttemptStarted { .. }
        | Event::WorkspaceRequested { .. }
        | Event::WorkspaceReady { .. }
        | Event::StopRequested { .. }
        | Event::AttemptFinished { .. }
        | Event::AttemptLost { .. }
        | Event::AttemptReaped { .. }
        | Event::ExtractsRecorded { .. }
        | Event::WorkCommitted { .. }
        | Event::ResultIgnored { .. }
        | Event::MergeRequested { .. }
        | Event::MergePrepared { .. }
        | Event::MergeStarted { .. }
        | Event::MergeFinished { .. }
        | Event::RetryScheduled { .. }
        | Event::TimerFired { .. }
        | Event::TaskBlocked { .. }
        | Event::TopicEmitted { .. }
        | Event::WaitSatisfied { .. }
        | Event::TaskUnblocked { .. }
        | Event::TaskSucceeded { .. }
        | Event::TaskSkipped { .. }
        | Event::TaskUnskipped { .. }
        | Event::TaskDead { .. }
        | Event::TaskRequeued { .. }
        | Event::DeadLetterDropped { .. }
        | Event::CancelRequested { .. }
        | Event::TaskCancelled { .. }
        | Event::ApprovalRequested { .. }
        | Event::ApprovalGiven { .. } => true,
    };
    assert!(
        GOLDEN
            .lines()
            .all(|line| known(&record::decode(Seq(1), line.as_bytes(), String::new).unwrap().event))
    );
}

#[test]
fn a_line_for_others_has_the_promised_keys_first_and_the_events_own_beside_them() {
    let line = |number: usize| {
        let line = GOLDEN.lines().nth(number - 1).unwrap();
        record::wire_line(&record::decode(Seq(number as u64), line.as_bytes(), String::new).unwrap())
    };
    assert_eq!(
        line(15),
        r#"{"seq":15,"at":"2025-11-24T16:00:00.014Z","run":"abcdef","task":"fix.1","attempt":2,"type":"attempt_reaped","v":1,"fence":9,"leftovers":3}"#
    );
    assert_eq!(
        line(1),
        r#"{"seq":1,"at":"2025-11-24T16:00:00.000Z","type":"engine_started","v":1,"build":"0.1.0","epoch":1,"role":"engine"}"#
    );
    assert_eq!(
        line(29),
        r#"{"seq":29,"at":"2025-11-24T16:00:00.028Z","run":"abcdef","type":"cancel_requested","v":1,"by":"cli","command":"c-7"}"#
    );
    for (number, golden) in GOLDEN.lines().enumerate().map(|(index, line)| (index + 1, line)) {
        let wire: serde_json::Value = serde_json::from_str(&line(number)).unwrap();
        let stored: serde_json::Value = serde_json::from_str(golden).unwrap();
        let (name, own) = stored["event"].as_object().unwrap().iter().next().unwrap();
        assert_eq!(wire["type"], *name);
        for (key, value) in own.as_object().unwrap() {
            let is_there = wire.get(key).unwrap_or(&serde_json::Value::Null) == value;
            assert!(is_there, "`{key}` of {name} is on its line");
        }
        let record = record::decode(Seq(number as u64), golden.as_bytes(), String::new).unwrap();
        assert_eq!(record::wire(&record), wire);
    }
}

#[test]
fn what_another_build_wrote_is_refused_by_its_name() {
    for (bytes, kind, v) in [
        (r#"{"at":1,"v":1,"event":{"foo_happened":{"bar":1}}}"#, "foo_happened", 1),
        (r#"{"at":1,"v":2,"event":{"run_reopened":{"run":"abcdef"}}}"#, "run_reopened", 2),
        (r#"{"at":1,"v":3,"event":{"run_reopened":{"runs":["abcdef"]}}}"#, "run_reopened", 3),
        // Damage is what the chain does not vouch for: a field that does not fit was written so, by a build that knows it.
        (r#"{"at":1,"v":1,"event":{"run_reopened":{"run":7}}}"#, "run_reopened", 1),
        (r#"{"at":1,"v":1,"event":{"run_reopened":{"run":"abcdef"}}} "#, "", 1),
    ] {
        let read = record::decode(Seq(7), bytes.as_bytes(), || "9.9.9".into());
        if kind.is_empty() {
            read.unwrap();
            continue;
        }
        let said = read.unwrap_err();
        let JournalError::Foreign { kind: named, v: version, .. } = &said else { panic!("{said:?}") };
        assert_eq!((named.as_str(), *version), (kind, v));
        assert!(said.to_string().contains("was written by Windlass 9.9.9"), "{said}");
    }
}

#[test]
fn bytes_behind_a_record_are_no_part_of_it() {
    let bytes = br#"{"at":1,"v":1,"event":{"run_reopened":{"run":"abcdef"}}}{}"#;
    assert!(record::decode(Seq(7), bytes, String::new).is_err());
}

#[test]
fn a_record_that_nests_without_end_is_refused_and_ends_nothing() {
    let deep = format!("{}{}", "[".repeat(1_000_000), "]".repeat(1_000_000));
    for event in [
        format!(
            r#"{{"extracts_recorded":{{"run":"abcdef","task":"a","attempt":1,"fence":1,"output":{{"value":{deep}}}}}}}"#
        ),
        deep,
    ] {
        let bytes = format!(r#"{{"at":1,"v":1,"event":{event}}}"#);
        let said = record::decode(Seq(7), bytes.as_bytes(), String::new).unwrap_err();
        assert!(matches!(said, JournalError::Malformed { seq: Seq(7), .. }), "{said:?}");
    }
}
