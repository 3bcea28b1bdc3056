//! Who has a task in hand, and what its account is told of that. Never: who may (`state/crew.rs`).

use crate::fold::transition::Moment;
use crate::id::{AgentName, Fence};
use crate::plan::By;
use crate::state::fleet::{Call, Fleet};
use crate::state::{Run, Task, TaskIx};

impl Run {
    /// An attempt of an agent is in flight: it is the turn of another.
    pub(crate) fn take_in_hand(&mut self, ix: TaskIx, agent: &AgentName) {
        let member = self.number(self.task(ix), agent);
        self.roster.take(member);
        self.tasks[ix.at()].attempts.last_mut().expect("it has just started").member = Some(member);
        let task = self.task(ix);
        let Some(By::Pool(pool)) = self.by(task) else { return };
        let Some(place) = pool.agents.iter().position(|member| member == agent) else { return };
        if pool.agents.len() > 1 {
            let weights: Vec<u32> =
                pool.agents.iter().map(|member| self.agent(task, member).weight).collect();
            let node = self.beside(task, task.place_in_plan());
            self.tasks[node.at()].turns.took(place, &weights);
        }
    }
}

impl Task {
    /// Another agent takes over from that of the newest attempt, with one attempt more than the policy allows where those
    /// are used up.
    pub(crate) fn hand_over(&mut self, to: &AgentName, attempts_max: u32) {
        self.handed.from.extend(self.attempts.last().and_then(|attempt| attempt.agent.clone()));
        self.handed.to = Some(to.clone());
        if self.tries.charged >= attempts_max + self.tries.granted {
            self.tries.granted += 1;
        }
    }
}

/// An attempt has started.
pub(crate) fn call(fleet: &mut Fleet, run: &Run, (task, fence): (&Task, Fence), moment: Moment) {
    let Some(member) = task.last_attempt().and_then(|attempt| attempt.member) else { return };
    let account = &run.roster.member(member).account();
    let call = Call { account, fence, at: moment.at.ms - moment.steps_ms };
    fleet.start(call);
}

/// The rates that a run names count from here on.
pub(crate) fn hold_to_rates(fleet: &mut Fleet, run: &Run) {
    for member in run.roster.members() {
        if let Some(rate) = member.agent.rate {
            fleet.hold_to(member.account(), rate);
        }
    }
}

/// An attempt is over.
pub(crate) fn hang_up(fleet: &mut Fleet, run: &Run, (task, fence): (&Task, Fence), moment: Moment) {
    let Some(attempt) = task.last_attempt() else { return };
    let Some(member) = attempt.member else { return };
    let failure = attempt.told().map(|(failure, _)| failure);
    let account = &run.roster.member(member).account();
    fleet.end(Call { account, fence, at: moment.at.ms - moment.steps_ms }, failure.as_ref());
}
