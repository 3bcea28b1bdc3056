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
    /// Those of an engine that begins with this state.
    pub(crate) fn from(head: Seq) -> Self {
        Self { kept: head, tried: head }
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
    use super::*;

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
