//! What the events of worktrees and of work that lands change. Never: what becomes of the task (`decide/`).

use crate::errand::ObjectId;
use crate::event::{Event, MergeOutcome, Record};
use crate::failure::ErrorKind;
use crate::fold::transition::Moment;
use crate::id::Seq;
use crate::machine::task::Fact;
use crate::state::sites::{Ground, Landing, Site, Stage};
use crate::state::{Fresh, Run, TaskIx};

impl Run {
    /// What the events of worktrees and of work that lands change. False where the event is none of those.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the other events of a task are taken apart in `fold/mod.rs`"
    )]
    pub(crate) fn evolve_site(
        &mut self,
        ix: TaskIx,
        record: &Record,
        moment: Moment,
        fresh: &mut Fresh,
    ) -> bool {
        match &record.event {
            Event::WorkspaceRequested { path, branch, base, .. } => {
                self.ground_of_site().to_prepare.remove(&ix);
                self.newest_attempt(ix).site = Some(Box::new(Site {
                    path: path.clone(),
                    branch: branch.clone(),
                    base: base.clone(),
                    asked: record.seq.into(),
                    is_ready: false,
                    left: None,
                    work: None,
                    landing: None,
                }));
            }
            Event::WorkspaceReady { error, .. } => self.site(ix).is_ready = error.is_none(),
            Event::WorkCommitted { work, error, .. } => {
                let attempt = self.newest_attempt(ix);
                if let Some(error) = error {
                    attempt.error.get_or_insert_with(|| error.clone());
                }
                let site = attempt.site.as_mut().expect("it has a worktree");
                site.work = Some(match (work, error) {
                    (Some(work), None) => Ok(work.clone()),
                    (_, error) => Err(error.clone().expect("one of both is there")),
                });
                self.look_at_result(ix);
            }
            Event::MergeRequested { .. } => {
                let asked = record.seq.into();
                let landing = Landing { asked, ordered: asked, stage: Stage::Asked, stale: 0, commit: None };
                self.site(ix).landing = Some(landing);
                self.ground_of_site().queue.insert((asked, ix));
                self.take(ix, Fact::MergeRequested, moment, fresh);
            }
            Event::MergePrepared { base, new_tip, tree, .. } => {
                let (base, new_tip, tree) = (base.clone(), new_tip.clone(), tree.clone());
                self.landing_mut(ix).stage = Stage::Prepared { base, new_tip, tree };
            }
            Event::MergeStarted { expect_old, new_tip, .. } => {
                let (expect_old, new_tip) = (expect_old.clone(), new_tip.clone());
                let landing = self.landing_mut(ix);
                landing.ordered = record.seq.into();
                landing.stage = Stage::Started { expect_old, new_tip };
            }
            Event::MergeFinished { outcome, commit, error, .. } => {
                let is_held = error.as_ref().is_some_and(|error| error.kind == ErrorKind::Interrupted);
                if is_held && *outcome == MergeOutcome::Failed {
                    self.landing_mut(ix).stage = Stage::Held;
                    return true;
                }
                self.finish_merge(ix, *outcome, commit.as_ref(), record.seq);
                if let Some(error) = error {
                    self.newest_attempt(ix).error = Some(error.clone());
                }
            }
            _ => return false,
        }
        true
    }

    fn finish_merge(&mut self, ix: TaskIx, outcome: MergeOutcome, commit: Option<&ObjectId>, seq: Seq) {
        let landing = self.landing_mut(ix);
        if outcome == MergeOutcome::Stale {
            landing.stage = Stage::Asked;
            landing.ordered = seq.into();
            landing.stale += 1;
            return;
        }
        landing.stage = Stage::Over;
        if outcome == MergeOutcome::Landed {
            landing.commit = commit.cloned();
            if let Some(commit) = commit {
                self.ground_of_site().tip = commit.clone();
            }
        }
        self.leave_queue(ix, seq);
        if outcome != MergeOutcome::Landed {
            self.to_judge.insert(ix);
        }
    }

    /// Work of a task is to land no more, or has: whose is next is ordered by the same record.
    pub(crate) fn leave_queue(&mut self, ix: TaskIx, seq: Seq) {
        let was_first = self.lands_next() == Some(ix);
        let Some(asked) = self.landing(ix).map(|landing| landing.asked) else { return };
        self.ground_of_site().queue.remove(&(asked, ix));
        if let Some(next) = self.lands_next().filter(|_| was_first) {
            self.landing_mut(next).ordered = seq.into();
        }
    }

    /// The run goes on: what was in the way of work that lands may be gone.
    pub(crate) fn land_again(&mut self, seq: Seq) {
        let Some(next) = self.lands_next() else { return };
        let landing = self.landing_mut(next);
        if landing.stage == Stage::Held {
            (landing.stage, landing.ordered, landing.stale) = (Stage::Asked, seq.into(), 0);
        }
    }

    /// An attempt has begun: where it is to have a worktree, that comes first.
    pub(crate) fn begin_site(&mut self, ix: TaskIx) {
        if self.has_worktree(self.task(ix)) {
            self.ground_of_site().to_prepare.insert(ix);
        }
    }

    /// An attempt is over: what it left in its worktree is to be committed.
    pub(crate) fn end_site(&mut self, ix: TaskIx, moment: Moment) {
        if let Some(ground) = &mut self.ground {
            ground.to_prepare.remove(&ix);
        }
        if let Some(site) = self.newest_attempt(ix).site.as_mut().filter(|site| site.is_ready) {
            site.left = Some(moment.seq.into());
        }
    }

    fn ground_of_site(&mut self) -> &mut Ground {
        self.ground.as_mut().expect("a run with worktrees has a repository")
    }

    fn site(&mut self, ix: TaskIx) -> &mut Site {
        self.newest_attempt(ix).site.as_mut().expect("a worktree was asked for before")
    }

    fn landing_mut(&mut self, ix: TaskIx) -> &mut Landing {
        self.site(ix).landing.as_mut().expect("it was asked to land before")
    }
}
