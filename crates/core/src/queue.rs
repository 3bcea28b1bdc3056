//! The ready tasks of a run, in lanes: tasks that the same limit holds back share a lane, so that picking the next
//! one looks at lanes and never at every task. Never: deciding when a limit is reached for the whole home.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::id::{AgentName, Seq};
use crate::state::TaskIx;

/// The ready tasks of a run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Queue {
    /// The lanes, by number; lane 0 has no limit of its own.
    lanes: Vec<Lane>,
    /// The lanes of agents with a limit.
    by_agent: BTreeMap<AgentName, u32>,
    /// How many attempts of each agent are in flight, and how many may be.
    agents: BTreeMap<AgentName, Load>,
    /// The oldest task of each lane that has one, with its lane.
    heads: BTreeSet<(Seq, TaskIx, u32)>,
    /// Ready tasks beside which nothing else may be in flight.
    alone: BTreeSet<(Seq, TaskIx)>,
}

/// Tasks that the same limits hold back.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Lane {
    agent: Option<AgentName>,
    load: Load,
    ready: BTreeSet<(Seq, TaskIx)>,
}

/// What is in flight against a limit.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Load {
    in_flight: u32,
    max: Option<u32>,
}

impl Load {
    fn has_room(self) -> bool {
        self.max.is_none_or(|max| self.in_flight < max)
    }
}

impl Queue {
    /// The lane of the plan's own tasks for this agent, made where it does not exist.
    pub fn lane_of(&mut self, agent: Option<&AgentName>, max: Option<u32>) -> u32 {
        if self.lanes.is_empty() {
            self.lanes.push(Lane::default());
        }
        let (Some(agent), Some(_)) = (agent, max) else { return 0 };
        self.agents.entry(agent.clone()).or_insert(Load { in_flight: 0, max });
        if let Some(lane) = self.by_agent.get(agent) {
            return *lane;
        }
        let lane = self.push(Lane { agent: Some(agent.clone()), ..Lane::default() });
        self.by_agent.insert(agent.clone(), lane);
        lane
    }

    /// A lane for the children of one parent, beside the lane that its agent has.
    pub fn children_lane(&mut self, beside: u32, max_parallel: Option<u32>) -> u32 {
        if max_parallel.is_none() {
            return beside;
        }
        let agent = self.lane(beside).agent.clone();
        self.push(Lane { agent, load: Load { in_flight: 0, max: max_parallel }, ..Lane::default() })
    }

    fn push(&mut self, lane: Lane) -> u32 {
        let number = u32::try_from(self.lanes.len()).expect("no more lanes than tasks");
        self.lanes.push(lane);
        number
    }

    /// A task is ready.
    pub fn enter(&mut self, lane: u32, since: Seq, task: TaskIx, alone: bool) {
        if alone {
            self.alone.insert((since, task));
            return;
        }
        self.change(lane, |lane| {
            lane.ready.insert((since, task));
        });
    }

    /// A task is no longer ready.
    pub fn leave(&mut self, lane: u32, since: Seq, task: TaskIx) {
        if self.alone.remove(&(since, task)) {
            return;
        }
        self.change(lane, |lane| {
            lane.ready.remove(&(since, task));
        });
    }

    /// An attempt of a task of this lane is in flight, or no longer.
    pub fn hold(&mut self, lane: u32, held: bool) {
        let step = |load: &mut Load| {
            load.in_flight = if held { load.in_flight + 1 } else { load.in_flight - 1 };
        };
        let lane = self.lane_mut(lane);
        step(&mut lane.load);
        let agent = lane.agent.clone();
        if let Some(load) = agent.and_then(|agent| self.agents.get_mut(&agent)) {
            step(load);
        }
    }

    /// The task that has been ready longest in a lane with room.
    pub fn next(&self) -> Option<TaskIx> {
        let open = |lane: &Lane| {
            let agent = lane.agent.as_ref().and_then(|agent| self.agents.get(agent));
            lane.load.has_room() && agent.is_none_or(|load| load.has_room())
        };
        self.heads.iter().find(|(_, _, lane)| open(self.lane(*lane))).map(|(_, task, _)| *task)
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
        let lane = self.lane_mut(number);
        let before = lane.ready.first().copied();
        change(lane);
        let after = lane.ready.first().copied();
        if before == after {
            return;
        }
        if let Some((since, task)) = before {
            self.heads.remove(&(since, task, number));
        }
        if let Some((since, task)) = after {
            self.heads.insert((since, task, number));
        }
    }

    fn lane(&self, number: u32) -> &Lane {
        &self.lanes[usize::try_from(number).expect("32 bits fit")]
    }

    fn lane_mut(&mut self, number: u32) -> &mut Lane {
        &mut self.lanes[usize::try_from(number).expect("32 bits fit")]
    }
}
