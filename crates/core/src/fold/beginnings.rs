//! What a run, a task and an attempt are when they begin. Never: what becomes of them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::event::{Event, Record, Usage};
use crate::fold::transition::Moment;
use crate::id::{AgentName, Epoch, Seq, TaskId};
use crate::machine::{attempt, run, task};
use crate::output::Output;
use crate::policy::balance::Turns;
use crate::policy::join::Tally;
use crate::policy::retry::Tries;
use crate::state::agenda::Share;
use crate::state::budget::Purse;
use crate::state::clocks::Active;
use crate::state::crew::Handed;
use crate::state::due::Noted;
use crate::state::queue::Queue;
use crate::state::roster::Roster;
use crate::state::sites::Ground;
use crate::state::topics::Topics;
use crate::state::{Attempt, Dues, Run, Task};

impl Run {
    /// A run as it is created, before it has tasks.
    pub(crate) fn new(record: &Record, epoch: Epoch) -> Self {
        let Event::RunCreated { run, plan, folder, env, source, repository, hydrated, .. } = &record.event
        else {
            unreachable!("only that creates runs");
        };
        let body = hydrated.0.clone().expect("a run without its plan is lost");
        Self {
            id: *run,
            plan: body,
            plan_digest: *plan,
            version: 1,
            written: Vec::new(),
            order: Vec::new(),
            earlier: BTreeMap::new(),
            folder: folder.clone(),
            env: *env,
            ground: repository.clone().map(Ground::new),
            source: source.clone(),
            created: (record.seq, record.at),
            ended: None,
            phase: run::Phase::Running,
            pauses: BTreeMap::new(),
            outcome: None,
            host: epoch,
            cancelled: false,
            active: Active::default(),
            attended: Active::default(),
            scopes: Vec::new(),
            tasks: Vec::new(),
            nests: BTreeMap::new(),
            left: 0,
            lenders: 0,
            later: Vec::new(),
            names: BTreeMap::new(),
            queue: Queue::default(),
            share: Share::default(),
            noted: Noted::default(),
            purse: Purse::default(),
            purses: BTreeMap::new(),
            count: BTreeMap::new(),
            roster: Roster::default(),
            failed: 0,
            retries: BTreeSet::new(),
            dates: BTreeSet::new(),
            alarms: BTreeSet::new(),
            returning: VecDeque::new(),
            to_judge: BTreeSet::new(),
            to_skip: BTreeSet::new(),
            to_cancel: BTreeSet::new(),
            to_close: BTreeSet::new(),
            to_select: BTreeSet::new(),
            to_tell: BTreeSet::new(),
            to_exhaust: BTreeSet::new(),
            to_spare: BTreeMap::new(),
            topics: Topics::default(),
        }
    }
}

impl Task {
    /// A task before anything has happened to it.
    pub(crate) fn new(id: TaskId, spec: u32, moment: Moment) -> Self {
        Self {
            id,
            scope: 0,
            spec,
            layer: 0,
            parent: None,
            item: serde_json::Value::Null,
            phase: task::Phase::Waiting,
            since: moment.at,
            lane: 0,
            limit: None,
            handed: Handed::default(),
            turns: Turns::default(),
            rank: None,
            tally: Tally::default(),
            dependants: Vec::new(),
            returns: 0,
            tries: Tries::default(),
            deaths_in_row: 0,
            asked: None,
            dues: Dues::default(),
            attempts: Vec::new(),
            earlier: 0,
            children: Vec::new(),
            children_open: 0,
            output: Output::default(),
            error: None,
            dead_letter: false,
            skipped: None,
            cancel_wished: false,
            spared_by: None,
            left_out: false,
            approval: None,
            blocked: None,
            passed_at: Seq(0),
            choice: None,
            earlier_children: 0,
        }
    }
}

impl Attempt {
    /// An attempt that has started.
    pub(crate) fn new(number: u32, record: &Record, agent: Option<AgentName>, moment: Moment) -> Self {
        Self {
            number,
            fence: record.fence(),
            epoch: moment.epoch,
            plan_version: 1,
            agent,
            member: None,
            seen: BTreeMap::new(),
            phase: attempt::Phase::Running,
            started: record.at,
            ended: None,
            stop: None,
            lost: None,
            alive_from: moment.alive,
            alive_until: None,
            lived_until: None,
            exit: None,
            error: None,
            raw: None,
            settled: false,
            usage: Usage::default(),
            leftovers: 0,
            ignored: false,
            site: None,
        }
    }
}
