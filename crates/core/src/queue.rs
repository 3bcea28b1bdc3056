//! The ready tasks of a run, in lanes: tasks that the same limit holds back share a lane, so that picking the next
//! one looks at lanes and never at every task. Never: deciding when a limit is reached for the whole home.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::id::{AgentName, Seq};
use crate::state::TaskIx;

/// The ready tasks of a run.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub struct Queue {
    /// The lanes, by number; lane 0 has no limit of its own.
    lanes: Vec<Lane>,
    /// What the lanes of an agent with a limit have in common; group 0 is that of all other lanes.
    groups: Vec<Group>,
    /// The groups and lanes of agents with a limit.
    by_agent: BTreeMap<AgentName, (u32, u32)>,
    /// Ready tasks beside which nothing else may be in flight.
    alone: BTreeSet<(Seq, TaskIx)>,
}

/// Tasks that the same limits hold back.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
struct Lane {
    group: u32,
    load: Load,
    ready: BTreeSet<(Seq, TaskIx)>,
}

/// Lanes that a limit holds back together.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
struct Group {
    load: Load,
    /// The oldest task of each lane that has one and has room, with its lane.
    heads: BTreeSet<(Seq, TaskIx, u32)>,
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
    fn head(&self) -> Option<(Seq, TaskIx)> {
        self.ready.first().copied().filter(|_| self.load.has_room())
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
    pub fn enter(&mut self, lane: u32, since: Seq, task: TaskIx, alone: bool) {
        if alone {
            self.alone.insert((since, task));
        } else {
            self.change(lane, |lane| {
                lane.ready.insert((since, task));
            });
        }
    }

    /// A task is no longer ready.
    pub fn leave(&mut self, lane: u32, since: Seq, task: TaskIx) {
        if !self.alone.remove(&(since, task)) {
            self.change(lane, |lane| {
                lane.ready.remove(&(since, task));
            });
        }
    }

    /// An attempt of a task of this lane is in flight, or no longer.
    pub fn hold(&mut self, lane: u32, held: bool) {
        self.change(lane, |lane| lane.load.hold(held));
        let group = self.lanes[place(lane)].group;
        self.groups[place(group)].load.hold(held);
    }

    /// The task that has been ready longest in a lane with room.
    pub fn next(&self) -> Option<TaskIx> {
        let open = self.groups.iter().filter(|group| group.load.has_room());
        open.filter_map(|group| group.heads.first()).min().map(|(_, task, _)| *task)
    }

    /// The task that has been ready longest among those that must be alone.
    pub fn next_alone(&self) -> Option<TaskIx> {
        self.alone.first().map(|(_, task)| *task)
    }

    /// All ready tasks.
    pub fn all(&self) -> impl Iterator<Item = TaskIx> {
        let lanes = self.lanes.iter().flat_map(|lane| &lane.ready);
        lanes.chain(&self.alone).map(|(_, task)| *task)
    }

    fn change(&mut self, number: u32, change: impl FnOnce(&mut Lane)) {
        let lane = &mut self.lanes[place(number)];
        let before = lane.head();
        change(lane);
        let (after, group) = (lane.head(), lane.group);
        if before == after {
            return;
        }
        let heads = &mut self.groups[place(group)].heads;
        if let Some((since, task)) = before {
            heads.remove(&(since, task, number));
        }
        if let Some((since, task)) = after {
            heads.insert((since, task, number));
        }
    }
}

fn number(place: usize) -> u32 {
    u32::try_from(place).expect("no more lanes than tasks")
}

fn place(number: u32) -> usize {
    usize::try_from(number).expect("32 bits fit")
}
