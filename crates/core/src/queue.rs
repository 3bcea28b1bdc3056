//! The ready tasks of a run, in lanes: tasks that the same limit holds back share a lane, so that picking the next
//! one looks at no task but the first. Never: deciding when a limit is reached for the whole home.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::id::{AgentName, Seq};
use crate::planted::{Bug, is_planted};
use crate::state::TaskIx;
use crate::time::Span;

/// How long a task waits until it stands where one stood that came with one more of priority.
const AGEING: Span = Span::from_secs(600);

/// Where a ready task stands among those of its run: the least is next. Waiting moves all in step, so that two of them
/// never change places and nothing is counted anew as time goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Rank {
    /// When it would have had to become ready with a priority of 0, by the run's own clock in milliseconds.
    as_of: i64,
    /// The record by which it became ready.
    since: Seq,
    task: TaskIx,
}

impl Rank {
    /// The rank of a task that became ready by this record, when the run's own clock showed this.
    pub fn new(task: TaskIx, priority: i8, ready: Span, since: Seq) -> Self {
        let ready = i64::try_from(ready.ms).unwrap_or(i64::MAX);
        let ahead = if is_planted(Bug::PriorityIgnored) { 0 } else { i64::from(priority) };
        let ageing = i64::try_from(AGEING.ms).expect("it is short");
        Self { as_of: ready.saturating_sub(ahead * ageing), since, task }
    }
}

/// The ready tasks of a run.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub struct Queue {
    /// The lanes, by number; lane 0 has no limit of its own.
    lanes: Vec<Lane>,
    /// What the lanes of an agent with a limit have in common; group 0 is that of all other lanes.
    groups: Vec<Group>,
    /// The groups and lanes of agents with a limit.
    by_agent: BTreeMap<AgentName, (u32, u32)>,
    /// The first of each group that has one and has room, with its group.
    heads: BTreeSet<(Rank, u32)>,
    /// Ready tasks beside which nothing else may be in flight.
    alone: BTreeSet<Rank>,
}

/// Tasks that the same limits hold back.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
struct Lane {
    group: u32,
    load: Load,
    ready: BTreeSet<Rank>,
}

/// Lanes that a limit holds back together.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
struct Group {
    load: Load,
    /// The first task of each lane that has one and has room, with its lane.
    heads: BTreeSet<(Rank, u32)>,
}

/// What is in flight against a limit.
#[derive(Clone, Copy, Debug, PartialEq, Default, Serialize, Deserialize)]
struct Load {
    in_flight: u32,
    max: Option<u32>,
}

impl Load {
    fn has_room(self) -> bool {
        self.max.is_none_or(|max| self.in_flight < max)
    }

    fn hold(&mut self, held: bool) {
        self.in_flight = if held { self.in_flight + 1 } else { self.in_flight - 1 };
    }
}

impl Lane {
    /// The task that it would start next.
    fn head(&self) -> Option<Rank> {
        self.ready.first().copied().filter(|_| self.load.has_room())
    }
}

impl Group {
    /// The task that it would start next.
    fn head(&self) -> Option<Rank> {
        self.heads.first().map(|(head, _)| *head).filter(|_| self.load.has_room())
    }
}

impl Queue {
    /// The lane of the plan's own tasks for this agent, made where it does not exist.
    pub fn lane_of(&mut self, agent: Option<&AgentName>, max: Option<u32>) -> u32 {
        if self.lanes.is_empty() {
            self.lanes.push(Lane::default());
            self.groups.push(Group::default());
        }
        let (Some(agent), Some(_)) = (agent, max) else { return 0 };
        if let Some((_, lane)) = self.by_agent.get(agent) {
            return *lane;
        }
        let group = number(self.groups.len());
        self.groups.push(Group { load: Load { in_flight: 0, max }, ..Group::default() });
        let lane = self.push(Lane { group, ..Lane::default() });
        self.by_agent.insert(agent.clone(), (group, lane));
        lane
    }

    /// A lane for the children of one parent, in the group of the lane that its agent has.
    pub fn children_lane(&mut self, beside: u32, max_parallel: Option<u32>) -> u32 {
        if max_parallel.is_none() {
            return beside;
        }
        let group = self.lanes[place(beside)].group;
        self.push(Lane { group, load: Load { in_flight: 0, max: max_parallel }, ..Lane::default() })
    }

    fn push(&mut self, lane: Lane) -> u32 {
        self.lanes.push(lane);
        number(self.lanes.len() - 1)
    }

    /// A task is ready.
    pub fn enter(&mut self, lane: u32, rank: Rank, alone: bool) {
        if alone {
            self.alone.insert(rank);
        } else {
            self.change(lane, |lane| {
                lane.ready.insert(rank);
            });
        }
    }

    /// A task is no longer ready.
    pub fn leave(&mut self, lane: u32, rank: Rank) {
        if !self.alone.remove(&rank) {
            self.change(lane, |lane| {
                lane.ready.remove(&rank);
            });
        }
    }

    /// An attempt of a task of this lane is in flight, or no longer.
    pub fn hold(&mut self, lane: u32, held: bool) {
        self.change(lane, |lane| lane.load.hold(held));
        let group = self.lanes[place(lane)].group;
        self.change_group(group, |group| group.load.hold(held));
    }

    /// The first task of all lanes with room.
    pub fn next(&self) -> Option<TaskIx> {
        self.heads.first().map(|(head, _)| head.task)
    }

    /// The first task of those that must be alone.
    pub fn next_alone(&self) -> Option<TaskIx> {
        self.alone.first().map(|rank| rank.task)
    }

    /// All ready tasks.
    pub fn all(&self) -> impl Iterator<Item = TaskIx> {
        let lanes = self.lanes.iter().flat_map(|lane| &lane.ready);
        lanes.chain(&self.alone).map(|rank| rank.task)
    }

    fn change(&mut self, number: u32, change: impl FnOnce(&mut Lane)) {
        let lane = &mut self.lanes[place(number)];
        let before = lane.head();
        change(lane);
        let (after, group) = (lane.head(), lane.group);
        if before != after {
            self.change_group(group, |group| replace(&mut group.heads, before, after, number));
        }
    }

    fn change_group(&mut self, number: u32, change: impl FnOnce(&mut Group)) {
        let group = &mut self.groups[place(number)];
        let before = group.head();
        change(group);
        let after = group.head();
        replace(&mut self.heads, before, after, number);
    }
}

/// Another is the first of a lane or a group.
fn replace(heads: &mut BTreeSet<(Rank, u32)>, before: Option<Rank>, after: Option<Rank>, number: u32) {
    if before == after {
        return;
    }
    if let Some(rank) = before {
        heads.remove(&(rank, number));
    }
    if let Some(rank) = after {
        heads.insert((rank, number));
    }
}

fn number(place: usize) -> u32 {
    u32::try_from(place).expect("no more lanes than tasks")
}

fn place(number: u32) -> usize {
    usize::try_from(number).expect("32 bits fit")
}
