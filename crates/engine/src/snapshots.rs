//! When the state is worth being kept, so that the next start need not replay all. Never: keeping it.

use windlass_core::id::Seq;

/// After how many records a snapshot is worth its while, at least.
const RECORDS_MIN: u64 = 20_000;
/// After how many records a snapshot is worth its while at the orderly end.
const RECORDS_AT_END_MIN: u64 = 1_000;

/// The snapshots of an engine.
#[derive(Debug)]
pub(crate) struct Snapshots {
    kept: Seq,
    tried: Seq,
}

impl Snapshots {
    /// Those of an engine whose start began with this one, and replayed what lies behind it.
    pub(crate) fn from(kept: Seq) -> Self {
        Self { kept, tried: kept }
    }

    /// Whether one is due while the engine goes on. It costs as much as the state is large.
    pub(crate) fn is_due(&self, head: Seq) -> bool {
        head.0 - self.tried.0 > RECORDS_MIN.max(self.tried.0 / 2)
    }

    /// Whether one is due at the end.
    pub(crate) fn is_due_at_end(&self, head: Seq) -> bool {
        head.0 - self.kept.0 >= RECORDS_AT_END_MIN
    }

    /// One was kept, or could not be: then the next is due no earlier, since whatever was in the way may be for long.
    pub(crate) fn tried(&mut self, head: Seq, is_kept: bool) {
        self.tried = head;
        if is_kept {
            self.kept = head;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use windlass_core::event::Role;
    use windlass_core::input::{Answer, Ask, Command};
    use windlass_journal::home::{Home, HomeSettings};
    use windlass_journal::lock::Lock;
    use windlass_journal::sqlite::SqliteJournal;

    use super::*;
    use crate::engine::{BUILD, Engine, Options};
    use crate::handle::{NewRun, new_id};
    use crate::{clock, embed, recover};

    const SETTINGS: HomeSettings = HomeSettings { reserve: 0, min_free: 0, force: true };
    /// How many tasks a session cancels, each with a record.
    const TASKS: u64 = 250;

    /// A session that makes a run, cancels it and ends in order.
    fn session(home: &Path) {
        let options = Options {
            home: home.to_owned(),
            home_settings: SETTINGS,
            slots: 0,
            role: Role::Command,
            socket: None,
            owners: None,
            keeper: None,
            subreaper: false,
        };
        let engine = Engine::open(options, &mut |_| ()).expect("nobody has it");
        let handle = engine.handle();
        let tasks: Vec<String> = (0..TASKS).map(|task| format!("t{task}: {{ run: exit 1 }}")).collect();
        let plan = format!("tasks: {{ {} }}", tasks.join(", "));
        let new = NewRun {
            command: new_id().expect("a name"),
            by: "test".into(),
            plan: Arc::new(embed::plan(&plan, &BTreeMap::new()).expect("a plan")),
            folder: "/".into(),
            env: BTreeMap::new(),
            source: "test".into(),
            origin: None,
        };
        let is_over = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&is_over);
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let run = handle.start(&new, &|_| ()).expect("it is taken");
                let ask = Ask::Cancel { run, task: None };
                let cancel = Command { id: new_id().expect("a name"), by: "test".into(), ask };
                assert_eq!(handle.submit(cancel), Ok(Answer::Accepted));
                over.store(true, Ordering::Release);
                // It looks whether it is done when something reaches it.
                handle.query(|_| ()).unwrap_or_default();
            });
            engine.run(|_| is_over.load(Ordering::Acquire), || ()).expect("it ends well");
        });
    }

    /// How many records there are, and how many of them an opening replays.
    fn replayed(home: &Path) -> (u64, u64) {
        let home = Home::open(home, SETTINGS).expect("a home");
        let lock = Lock::take(home.path(), None).expect("nobody has it");
        let mut journal = SqliteJournal::open(&home, &lock, BUILD).expect("it is sound");
        let opened =
            recover::open(&mut journal, Role::Command, BUILD, 0, clock::shown()).expect("it replays");
        let head = opened.core.state().head.0;
        (head, head - opened.kept.0)
    }

    #[test]
    fn a_home_of_many_short_sessions_opens_with_few_records_to_read() {
        let folder = tempfile::TempDir::new().expect("a folder");
        let home = folder.path().join("home");
        for number in 1..=9 {
            session(&home);
            let (records, replayed) = replayed(&home);
            assert!(records >= number * TASKS, "{records}");
            assert!(replayed < RECORDS_AT_END_MIN, "session {number}: {replayed} of {records} records");
        }
    }

    #[test]
    fn a_snapshot_that_could_not_be_kept_is_tried_again_only_after_as_many_records() {
        let mut snapshots = Snapshots::from(Seq(10));
        assert!(!snapshots.is_due(Seq(20_010)));
        assert!(snapshots.is_due(Seq(20_011)));
        snapshots.tried(Seq(20_011), false);
        assert!(!snapshots.is_due(Seq(20_012)));
        assert!(snapshots.is_due(Seq(40_012)));
        assert!(snapshots.is_due_at_end(Seq(20_012)), "none was kept yet");
        snapshots.tried(Seq(40_012), true);
        assert!(!snapshots.is_due_at_end(Seq(40_013)));
    }

    #[test]
    fn the_more_records_there_are_the_rarer_snapshots_become() {
        let snapshots = Snapshots::from(Seq(1_000_000));
        assert!(!snapshots.is_due(Seq(1_500_000)));
        assert!(snapshots.is_due(Seq(1_500_001)));
    }
}
