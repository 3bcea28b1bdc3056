//! Where attempts work when they do not share the run's folder: their worktrees, what they left there, and how that
//! lands. Never: what follows from it (`decide/`), or git itself (errands).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::effect::ErrandOrder;
use crate::errand::{CommitWork, Errand, MakeWorktree, Merge, ObjectId, PrepareMerge, Repository};
use crate::event::Commit;
use crate::failure::Failure;
use crate::id::{Fence, Seq};
use crate::machine::task::Phase;
use crate::plan::Workspace;
use crate::state::{Attempt, Run, Task, TaskIx};

/// The repository of a run, and what of it is under way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ground {
    /// It.
    pub repository: Repository,
    /// Where the target is, as far as is known: new worktrees begin there.
    pub tip: ObjectId,
    /// Tasks whose attempt has begun and has no worktree yet.
    pub(crate) to_prepare: BTreeSet<TaskIx>,
    /// Tasks whose work is to land, in order, by the record that asked for it.
    pub(crate) queue: BTreeSet<(Fence, TaskIx)>,
}

/// The worktree of an attempt, and what becomes of what it leaves there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Site {
    /// Where it lies.
    pub path: String,
    /// The branch of the attempt.
    pub branch: String,
    /// What the branch began at.
    pub base: ObjectId,
    /// The record that asked for it.
    pub(crate) asked: Fence,
    /// Whether it is there.
    pub(crate) is_ready: bool,
    /// The record by which the attempt was over, so that what it left is to be committed.
    pub(crate) left: Option<Fence>,
    /// What it left.
    pub work: Option<Result<Commit, Failure>>,
    /// How its work lands.
    pub landing: Option<Landing>,
}

/// How work lands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Landing {
    /// The record that asked for it: its place in the queue.
    pub(crate) asked: Fence,
    /// The record that ordered what comes next for it, once it is the first.
    pub(crate) ordered: Fence,
    /// How far it is.
    pub(crate) stage: Stage,
    /// How often it has to be prepared again since the target had moved.
    pub(crate) stale: u32,
    /// The commit of the target that holds it.
    pub commit: Option<ObjectId>,
}

/// How far work is on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Stage {
    /// It is to be put on top of the target.
    Asked,
    /// It is.
    Prepared {
        /// Where the target was.
        base: ObjectId,
        /// The commit.
        new_tip: ObjectId,
        /// Its tree.
        tree: ObjectId,
    },
    /// The target is being moved.
    Started {
        /// Where the target was.
        expect_old: ObjectId,
        /// Where it moves to.
        new_tip: ObjectId,
    },
    /// Something that only a person can take away is in the way of it: it is asked for again when the run goes on.
    Held,
    /// That is over.
    Over,
}

impl Ground {
    pub(crate) fn new(repository: Repository) -> Self {
        let tip = repository.start.clone();
        Self { repository, tip, to_prepare: BTreeSet::new(), queue: BTreeSet::new() }
    }
}

impl Attempt {
    /// Whether its program was not to be started yet: its worktree is not there.
    pub(crate) fn is_preparing(&self) -> bool {
        self.site.as_ref().is_some_and(|site| !site.is_ready)
    }

    /// Whether what it left is not on its branch yet.
    pub(crate) fn awaits_work(&self) -> bool {
        self.site.as_ref().is_some_and(|site| site.left.is_some() && site.work.is_none())
    }
}

impl Run {
    /// Whether a task works in a worktree.
    pub(crate) fn has_worktree(&self, task: &Task) -> bool {
        self.ground.is_some() && self.spec(task).workspace == Workspace::Worktree
    }

    /// The task whose work is next to land.
    pub(crate) fn lands_next(&self) -> Option<TaskIx> {
        self.ground.as_ref()?.queue.first().map(|(_, ix)| *ix)
    }

    /// How far the work is that is next to land.
    pub(crate) fn landing(&self, ix: TaskIx) -> Option<&Landing> {
        self.task(ix).last_attempt()?.site.as_ref()?.landing.as_ref()
    }

    /// The task whose work is on top of the target, which is to move.
    pub(crate) fn to_merge(&self) -> Option<TaskIx> {
        let is_prepared = |ix: &TaskIx| {
            self.landing(*ix).is_some_and(|landing| matches!(landing.stage, Stage::Prepared { .. }))
        };
        self.lands_next().filter(is_prepared)
    }

    /// Whether the target is being moved to the work of a task: from there on nobody can call it back.
    pub(crate) fn is_moving(&self, ix: TaskIx) -> bool {
        self.task(ix).phase == Phase::Merging
            && self.landing(ix).is_some_and(|landing| matches!(landing.stage, Stage::Started { .. }))
    }

    /// Whether work is on its way to the target, so that somebody who looks away must come back to it.
    pub(crate) fn is_landing(&self) -> bool {
        let next = self.lands_next().and_then(|ix| self.landing(ix));
        next.is_some_and(|landing| matches!(landing.stage, Stage::Asked | Stage::Started { .. }))
    }

    /// The order to make the worktree of an attempt, where that is outstanding.
    pub(crate) fn to_make(&self, ix: TaskIx) -> Option<ErrandOrder> {
        let task = self.task(ix);
        let attempt = task.live_attempt().filter(|attempt| attempt.is_preparing())?;
        let site = attempt.site.as_ref().expect("it prepares one");
        let errand = Errand::MakeWorktree(MakeWorktree {
            repository: self.ground.as_ref()?.repository.root.clone(),
            path: site.path.clone(),
            branch: site.branch.clone(),
            base: site.base.clone(),
            copy: Vec::new(),
            link: Vec::new(),
        });
        Some(self.errand(task, attempt, site.asked, errand))
    }

    /// The order to commit what an attempt left, where that is outstanding.
    pub(crate) fn to_commit(&self, ix: TaskIx) -> Option<ErrandOrder> {
        let task = self.task(ix);
        let attempt = task.last_attempt().filter(|attempt| attempt.awaits_work())?;
        let site = attempt.site.as_ref().expect("it has one");
        let key = task.key(self.id, attempt);
        let errand = Errand::CommitWork(CommitWork {
            path: site.path.clone(),
            branch: site.branch.clone(),
            base: site.base.clone(),
            message: format!("{}: what attempt {} left", task.id, attempt.number),
            key,
            must_be_committed: false,
        });
        Some(self.errand(task, attempt, site.left.expect("it is over"), errand))
    }

    /// The order by which the work that is next comes closer to the target, where one is outstanding.
    pub(crate) fn to_land(&self) -> Option<ErrandOrder> {
        let ix = self.lands_next()?;
        let task = self.task(ix);
        let attempt = task.last_attempt().expect("what lands was worked on");
        let site = attempt.site.as_ref().expect("in a worktree");
        let landing = site.landing.as_ref().expect("it is in the queue");
        let repository = &self.ground.as_ref()?.repository;
        let key = task.key(self.id, attempt);
        match &landing.stage {
            Stage::Asked => {
                let work = site.work.as_ref().and_then(|work| work.as_ref().ok()).expect("it was committed");
                let errand = Errand::PrepareMerge(PrepareMerge {
                    repository: repository.root.clone(),
                    target: repository.target.clone(),
                    start: repository.start.clone(),
                    base: site.base.clone(),
                    work: work.commit.clone(),
                    message: task.id.to_string(),
                    key,
                });
                Some(self.errand(task, attempt, landing.ordered, errand))
            }
            Stage::Started { expect_old, new_tip } => {
                let errand = Errand::Merge(Merge {
                    repository: repository.root.clone(),
                    target: repository.target.clone(),
                    expect_old: expect_old.clone(),
                    new_tip: new_tip.clone(),
                    key,
                });
                Some(self.errand(task, attempt, landing.ordered, errand))
            }
            Stage::Prepared { .. } | Stage::Held | Stage::Over => None,
        }
    }

    /// The same, where this record has ordered it.
    pub(crate) fn to_land_by(&self, seq: Seq) -> Option<ErrandOrder> {
        self.to_land().filter(|order| order.fence == seq.into())
    }

    /// Whether a task's newest attempt works in a worktree.
    pub(crate) fn works_apart(&self, ix: TaskIx) -> bool {
        let has_site = self.task(ix).last_attempt().is_some_and(|attempt| attempt.site.is_some());
        has_site || self.ground.as_ref().is_some_and(|ground| ground.to_prepare.contains(&ix))
    }

    /// Where an attempt works, and the folder that it may not leave, where it has a worktree.
    pub(crate) fn site_of<'a>(&'a self, task: &'a Task, attempt: u32) -> Option<(&'a str, &'a str)> {
        let attempt = task.attempts.iter().rfind(|one| one.number == attempt)?;
        Some((&attempt.site.as_ref()?.path, &self.ground.as_ref()?.repository.within))
    }

    fn errand(&self, task: &Task, attempt: &Attempt, fence: Fence, errand: Errand) -> ErrandOrder {
        let (_, env_base) = self.surroundings(task);
        ErrandOrder { key: task.key(self.id, attempt), fence, env_base, errand }
    }

    /// All orders of errands that are outstanding for tasks that are not in flight.
    pub(crate) fn errands(&self) -> impl Iterator<Item = ErrandOrder> {
        let places = (0..self.tasks.len()).map(TaskIx::from_len);
        let is_judged = self.ground.is_some() && self.in_phase(Phase::Gating) > 0;
        let commits = is_judged.then(|| places.filter_map(|ix| self.to_commit(ix)));
        commits.into_iter().flatten().chain(self.to_land())
    }
}
