//! What the journal says of the accounts of agents, understood a second time, and who may work on a task.
//! Never: a call into the core's policies.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use windlass_core::event::Event;
use windlass_core::failure::ErrorKind;
use windlass_core::id::{AgentName, Fence, Seq};
use windlass_core::machine::breaker::Phase;

use crate::draft::{Who, Work};
use crate::invariants::attempts::told;
use crate::meaning;
use crate::oracle::{ORun, OTask, Oracle};
use crate::scope;

/// How far back calls count, and how many at most.
const WINDOW_MS: i64 = 300_000;
const CALLS_MAX: usize = 50;
/// With fewer calls a breaker stays closed.
const CALLS_MIN: usize = 10;

/// An account.
#[derive(Clone, Debug)]
pub(crate) struct OAccount {
    pub(crate) live: BTreeSet<Fence>,
    /// When attempts started, by steady time, since a run began that names a rate for it.
    pub(crate) starts: VecDeque<i64>,
    /// How many of them the rates that were named look at.
    pub(crate) kept: usize,
    pub(crate) paused_until: i64,
    pub(crate) cap: Option<u32>,
    /// How many were in flight when the first limit was met.
    pub(crate) before: u32,
    /// How many were served since the cap changed.
    pub(crate) served: u32,
    /// What the cap is to become.
    pub(crate) cap_due: Option<Most>,
    /// The last record that lowered it: who started before has met that limit.
    pub(crate) cap_since: Seq,
    pub(crate) phase: Phase,
    pub(crate) until: Option<i64>,
    pub(crate) opened: u32,
    pub(crate) probe: Option<Fence>,
    calls: VecDeque<(i64, bool)>,
    /// What the breaker is to become.
    pub(crate) phase_due: Option<Phase>,
}

impl Default for OAccount {
    fn default() -> Self {
        Self {
            live: BTreeSet::new(),
            starts: VecDeque::new(),
            kept: 0,
            paused_until: i64::MIN,
            cap: None,
            before: 0,
            served: 0,
            cap_due: None,
            cap_since: Seq(0),
            phase: Phase::Closed,
            until: None,
            opened: 0,
            probe: None,
            calls: VecDeque::new(),
            phase_due: None,
        }
    }
}

/// A run names rates for these accounts.
pub(crate) fn hold_to(accounts: &mut BTreeMap<String, OAccount>, rated: Vec<(String, u32)>) {
    for (name, starts) in rated {
        let kept = &mut accounts.entry(name).or_default().kept;
        *kept = usize::try_from(starts).expect("32 bits fit").max(*kept);
    }
}

/// An attempt of an agent has started, at this steady time. The answer is its account.
pub(crate) fn call(
    accounts: &mut BTreeMap<String, OAccount>,
    (run, ix): (&mut ORun, usize),
    agent: Option<u32>,
    (fence, at): (Fence, i64),
) -> Option<String> {
    let agent = agent?;
    let task = &run.tasks[ix];
    let name = run.account(task, agent);
    accounts.entry(name.clone()).or_default().start(fence, at);
    if matches!(run.who(task), Some(Who::Several(pool, _)) if pool.contains(&agent)) {
        run.last_turns.insert(run.node(task), agent);
    }
    Some(name)
}

/// The newest attempt of a task is over.
pub(crate) fn hang_up(accounts: &mut BTreeMap<String, OAccount>, run: &ORun, ix: usize) {
    let task = &run.tasks[ix];
    let attempt = task.newest().expect("it was started");
    let Some(account) = &attempt.account else { return };
    let wait_ms = attempt.error.as_ref().and_then(|error| error.retry_after).map(|wait| wait.ms);
    let account = accounts.get_mut(account).expect("it was called");
    account.end(attempt.fence, attempt.ended_steady_ms, told(attempt), wait_ms);
}

/// How many may be in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Most {
    So(u32),
    All,
}

/// What the end of an attempt says of its account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Good,
    Bad,
    Barred,
    Slower,
    Nothing,
}

/// Written down from the table of DESIGN.
fn said(failure: Option<ErrorKind>) -> Said {
    use ErrorKind::{
        Auth, ContextOverflow, Crashed, Exit, GateRejected, InvalidOutput, Overloaded, RateLimited, Refused,
        Stalled, Timeout,
    };
    match failure {
        None | Some(Refused | InvalidOutput | GateRejected | ContextOverflow) => Said::Good,
        Some(Overloaded | Timeout | Stalled | Crashed | Exit) => Said::Bad,
        Some(Auth) => Said::Barred,
        Some(RateLimited) => Said::Slower,
        Some(_) => Said::Nothing,
    }
}

impl OAccount {
    pub(crate) fn start(&mut self, fence: Fence, at: i64) {
        self.live.insert(fence);
        self.starts.push_back(at);
        let forgotten = self.starts.len().saturating_sub(self.kept);
        self.starts.drain(..forgotten);
        if self.phase == Phase::HalfOpen {
            self.probe.get_or_insert(fence);
        }
    }

    /// An attempt waits for what it brought: it takes no room, and is no probe any more.
    pub(crate) fn lend(&mut self, fence: Fence) {
        self.live.remove(&fence);
        self.probe = self.probe.filter(|probe| *probe != fence);
    }

    /// An attempt is over: what its failure was, and how long its provider wants nothing more.
    pub(crate) fn end(&mut self, fence: Fence, at: i64, failure: Option<ErrorKind>, wait_ms: Option<u64>) {
        let said = said(failure);
        let in_flight = u32::try_from(self.live.len()).expect("few");
        self.live.remove(&fence);
        match said {
            Said::Slower => {
                let until = wait_ms.map_or(i64::MIN, |wait| at.saturating_add_unsigned(wait));
                self.paused_until = self.paused_until.max(until);
                if fence.0 > self.cap_since.0 {
                    if self.cap.is_none() {
                        self.before = in_flight;
                    }
                    let most = self.cap.unwrap_or(in_flight).min(in_flight);
                    self.cap_due = Some(Most::So(1.max(most / 2)));
                }
            }
            Said::Good => {
                if let Some(cap) = self.cap {
                    self.served += 1;
                    let more = if cap + 1 < self.before { Most::So(cap + 1) } else { Most::All };
                    self.cap_due = (self.served >= cap).then_some(more);
                }
            }
            Said::Bad | Said::Barred | Said::Nothing => {}
        }
        let probed = self.probe == Some(fence);
        if probed {
            self.probe = None;
        }
        match (self.phase, said) {
            (Phase::HalfOpen, Said::Good) if probed => self.phase_due = Some(Phase::Closed),
            (Phase::HalfOpen, Said::Bad | Said::Barred) if probed => self.phase_due = Some(Phase::Open),
            (Phase::Closed, Said::Barred) => self.phase_due = Some(Phase::Open),
            (Phase::Closed, Said::Good | Said::Bad) => {
                self.calls.push_back((at, said == Said::Bad));
                self.calls.retain(|(ended, _)| *ended >= at - WINDOW_MS);
                if self.calls.len() > CALLS_MAX {
                    self.calls.pop_front();
                }
                let bad = self.calls.iter().filter(|(_, bad)| *bad).count();
                if said == Said::Bad && self.calls.len() >= CALLS_MIN && bad * 2 >= self.calls.len() {
                    self.phase_due = Some(Phase::Open);
                }
            }
            _ => {}
        }
    }

    /// Takes in what a record says of it.
    pub(crate) fn take(&mut self, event: &Event, seq: Seq, steps_ms: i64) {
        match event {
            Event::BreakerChanged { to, until, .. } => {
                self.opened = match to {
                    Phase::Open => self.opened + 1,
                    Phase::HalfOpen => self.opened,
                    Phase::Closed => 0,
                };
                (self.phase, self.phase_due, self.probe) = (*to, None, None);
                self.until = until.map(|until| until.ms - steps_ms);
                self.calls.clear();
            }
            Event::ConcurrencyChanged { from, to, .. } => {
                if to.is_some_and(|to| from.is_none_or(|from| to <= from)) {
                    self.cap_since = seq;
                }
                (self.cap, self.cap_due, self.served) = (*to, None, 0);
            }
            _ => {}
        }
    }

    /// What holds back an attempt at this steady time, and until when, where the clock ends it.
    pub(crate) fn hold(&self, rate: Option<(u32, u64)>, now: i64) -> Option<(&'static str, Option<i64>)> {
        match self.phase {
            Phase::Open => return Some(("its breaker, which is open", self.until)),
            Phase::HalfOpen if self.probe.is_some() => return Some(("the probe of its breaker", None)),
            Phase::HalfOpen | Phase::Closed => {}
        }
        if self.paused_until > now {
            return Some(("its provider, which wants no more", Some(self.paused_until)));
        }
        if self.cap.is_some_and(|cap| self.live.len() >= usize::try_from(cap).expect("32 bits fit")) {
            return Some(("its provider, which takes no more at a time", None));
        }
        let (most, window) = rate?;
        let opens = |start: &i64| start.saturating_add_unsigned(window);
        let inside: Vec<&i64> = self.starts.iter().filter(|start| opens(start) > now).collect();
        let most = usize::try_from(most).expect("32 bits fit");
        let first = inside.len().checked_sub(most)?;
        Some(("its rate", Some(opens(inside[first]))))
    }
}

impl ORun {
    /// Who works on a task, as its draft says.
    pub(crate) fn who(&self, task: &OTask) -> Option<&Who> {
        match &self.draft(task).work {
            Work::Prompt(who) => Some(who),
            Work::Shell
            | Work::Argv
            | Work::Approval { .. }
            | Work::Emit(_)
            | Work::Wait(_)
            | Work::Plan(_) => None,
        }
    }

    /// Whether two tasks mean the same by an agent of this number. The run's own plan does at all times.
    pub(crate) fn is_same_agent(&self, one: &OTask, other: &OTask, number: u32) -> bool {
        if [one, other].iter().all(|task| self.scope(task).is_own) {
            return true;
        }
        let name = AgentName(format!("a{number}").into());
        let agents = [one, other].map(|task| self.scope(task).plan.agents.get(&name));
        agents[0] == agents[1]
    }

    /// How many attempts of an agent of a task are in flight in the run.
    pub(crate) fn load(&self, task: &OTask, agent: u32) -> usize {
        let others = self.in_flight().filter(|other| other.is_with() == Some(agent) && !self.lends(other));
        others.filter(|other| self.is_same_agent(task, other, agent)).count()
    }

    /// The name of an agent's account.
    pub(crate) fn account(&self, task: &OTask, agent: u32) -> String {
        scope::account(agent, self.agent(task, agent))
    }

    /// Those that an agent names, and those that they name, the nearest first. Whom the plan has no more names nobody.
    fn behind(&self, task: &OTask, first: &[u32]) -> Vec<u32> {
        let at_hand = |agent: &&u32| self.knows_agent(task, **agent);
        let mut found: Vec<u32> = first.iter().filter(at_hand).copied().collect();
        let mut look = 0;
        while look < found.len() {
            for other in &self.agent(task, found[look]).fallback {
                if !found.contains(other) {
                    found.push(*other);
                }
            }
            look += 1;
        }
        found
    }

    /// Who may work on the next attempt of a task, and who may if the breakers of all those are open.
    pub(crate) fn allowed(&self, task: &OTask) -> (Vec<u32>, Vec<u32>) {
        let life = &task.life;
        let left = |agent: &u32| !life.handed_from.contains(agent);
        let pool: Vec<u32> = match (life.handed_to, self.who(task)) {
            (Some(to), _) => vec![to],
            (None, Some(Who::One(agent))) => vec![*agent],
            // Where who took over is gone, all that had failed before are called again.
            (None, Some(Who::Several(agents, _))) if agents.iter().any(left) => {
                agents.iter().copied().filter(left).collect()
            }
            (None, Some(Who::Several(agents, _))) => agents.clone(),
            (None, Some(Who::InTurn(_) | Who::Given(_))) => {
                // It is asked once for each attempt.
                let known = life.named.filter(|(_, attempt)| *attempt == task.attempts.len());
                let now = || meaning::named(self, task).ok().flatten();
                known.map(|(agent, _)| agent).or_else(now).into_iter().collect()
            }
            (None, None) => Vec::new(),
        };
        let mut roots = pool.clone();
        roots.extend(life.handed_from.iter().rev());
        let others = self.behind(task, &roots).into_iter();
        let others = others.filter(|agent| !pool.contains(agent) && left(agent)).collect();
        (pool, others)
    }

    /// Who takes over after this agent failed; none where nobody is left.
    pub(crate) fn heir(&self, task: &OTask, failed: u32) -> Option<u32> {
        let life = &task.life;
        let left = |agent: &u32| *agent != failed && !life.handed_from.contains(agent);
        let mut roots = vec![failed];
        roots.extend(life.handed_from.iter().rev());
        let of_pool = match (life.handed_to, self.who(task)) {
            (None, Some(Who::Several(agents, _))) => agents.iter().copied().find(left),
            // Another has stood in for it.
            (None, Some(Who::One(agent))) => Some(*agent).filter(left),
            (None, Some(Who::InTurn(_) | Who::Given(_))) => {
                let tries = task.attempts.len() - 1;
                let known = life.named.filter(|(_, attempt)| *attempt == tries).map(|(agent, _)| agent);
                known.or_else(|| meaning::named_for(self, task, tries).ok().flatten()).filter(left)
            }
            _ => None,
        };
        self.behind(task, &roots).into_iter().find(left).or(of_pool)
    }
}

impl Oracle {
    /// What holds back an attempt of a task by this agent, and until when.
    pub(crate) fn held(
        &self,
        (run, task): (&ORun, &OTask),
        agent: u32,
        now: i64,
    ) -> Option<(&'static str, Option<i64>)> {
        let draft = run.agent(task, agent);
        let rate = draft.rate.map(|(starts, per_minute)| (starts, if per_minute { 60_000 } else { 1000 }));
        let hold = self.accounts.get(&run.account(task, agent)).and_then(|account| account.hold(rate, now));
        let most = draft.most.map(|most| usize::try_from(most).expect("32 bits fit"));
        hold.or_else(|| most.filter(|most| run.load(task, agent) >= *most).map(|_| ("its concurrency", None)))
    }

    /// Whether somebody could work on a task at this steady time, where an agent must.
    pub(crate) fn has_hands(&self, run: &ORun, task: &OTask, now: i64) -> bool {
        run.who(task).is_none() || !self.free(run, task, now).is_empty()
    }

    /// The agents that could work on a task now.
    pub(crate) fn free(&self, run: &ORun, task: &OTask, now: i64) -> Vec<u32> {
        let (pool, others) = run.allowed(task);
        let free = |agents: &[u32]| -> Vec<u32> {
            agents.iter().copied().filter(|agent| self.held((run, task), *agent, now).is_none()).collect()
        };
        let open = |agent: &u32| {
            let account = self.accounts.get(&run.account(task, *agent));
            account.is_some_and(|account| {
                account.phase == Phase::Open || (account.phase == Phase::HalfOpen && account.probe.is_some())
            })
        };
        if !pool.is_empty() && pool.iter().all(open) {
            return free(&others).into_iter().take(1).collect();
        }
        free(&pool)
    }
}
