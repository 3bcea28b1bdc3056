//! 11, limits, of agents: an attempt starts only with an agent that may work on it and that can now; breakers change as
//! their calls say; under rate limits concurrency shrinks by half and grows by one. Never: whose turn it is.

use windlass_core::event::{Event, Record};
use windlass_core::failure::ErrorKind;
use windlass_core::id::AgentName;
use windlass_core::machine::breaker::Phase;
use windlass_core::state::State;

use crate::accounts::{Most, OAccount};
use crate::broken::{Verdict, demand};
use crate::draft::{Share, Who};
use crate::meaning;
use crate::oracle::{ORun, OTask, Oracle};

const NAME: &str = "11 limits";

/// How long a breaker is open that has opened this often before.
fn open_ms(before: u32) -> u64 {
    (30_000_u64 << before.min(5)).min(600_000)
}

/// The number of an agent.
pub(crate) fn number(agent: &AgentName) -> u32 {
    agent.0.trim_start_matches('a').parse().expect("every agent of a draft is a and a number")
}

pub(crate) fn of_record(oracle: &Oracle, _: &State, record: &Record) -> Verdict {
    let steady = record.at.ms - oracle.steps_ms;
    match &record.event {
        Event::AttemptStarted { agent, .. } => start(oracle, record, agent.as_ref().map(number), steady),
        Event::AgentNamed { agent, attempt, .. } => {
            let (_, run, task) = oracle.at(&record.event).expect("it was created");
            let named = meaning::named(run, task) == Ok(Some(number(agent)));
            let next = usize::try_from(*attempt).is_ok_and(|attempt| attempt == task.attempts.len() + 1);
            demand(next && named, NAME, || format!("{}: {agent} was not named", task.id))
        }
        Event::RetryScheduled { agent, error, .. } => {
            let (_, run, task) = oracle.at(&record.event).expect("it was created");
            heir(run, task, agent.as_ref().map(number), error.kind)
        }
        Event::BreakerChanged { account, from, to, until, .. } => {
            let known = known(oracle, &account.0)?;
            demand(known.phase == *from, NAME, || format!("the breaker of {account} is not {from:?}"))?;
            let waited = *from == Phase::Open && *to == Phase::HalfOpen;
            let is_due = if waited { known.until <= Some(steady) } else { known.phase_due == Some(*to) };
            demand(is_due, NAME, || format!("the breaker of {account} becomes {to:?} without a cause"))?;
            let open = (*to == Phase::Open).then(|| steady.saturating_add_unsigned(open_ms(known.opened)));
            demand(until.map(|until| until.ms - oracle.steps_ms) == open, NAME, || {
                format!("the breaker of {account} is {to:?} until {until:?}")
            })
        }
        Event::ConcurrencyChanged { account, from, to } => {
            let known = known(oracle, &account.0)?;
            let to = to.map_or(Most::All, Most::So);
            demand(known.cap == *from && known.cap_due == Some(to), NAME, || {
                format!(
                    "{account} may have {to:?} in flight instead of {from:?}, and was to have {:?}",
                    known.cap_due
                )
            })
        }
        _ => Ok(()),
    }
}

fn known<'o>(oracle: &'o Oracle, account: &str) -> Result<&'o OAccount, crate::broken::Broken> {
    oracle
        .accounts
        .get(account)
        .ok_or_else(|| crate::broken::broken(NAME, format!("{account} was never called")))
}

fn start(oracle: &Oracle, record: &Record, agent: Option<u32>, steady: i64) -> Verdict {
    let (_, run, task) = oracle.at(&record.event).expect("it was created");
    let Some(agent) = agent else {
        return demand(run.who(task).is_none(), NAME, || format!("nobody works on {}", task.id));
    };
    let held = oracle.held((run, task), agent, steady);
    demand(held.is_none(), NAME, || {
        format!("{} starts with a{agent} against {}", task.id, held.map_or("nothing", |(by, _)| by))
    })?;
    let free = oracle.free(run, task, steady);
    demand(free.contains(&agent), NAME, || {
        format!("{} starts with a{agent}, and may with {free:?}", task.id)
    })?;
    turns(run, task, agent, &free)
}

/// In turns, nobody is passed over that can work. (Weights are held to their shares by tests of the policy.)
fn turns(run: &ORun, task: &OTask, agent: u32, free: &[u32]) -> Verdict {
    let Some(Who::Several(agents, share)) = run.who(task) else { return Ok(()) };
    let (pool, _) = run.allowed(task);
    if !pool.contains(&agent) || task.life.handed_to.is_some() {
        return Ok(());
    }
    let expected = match share {
        Share::Turns => {
            let last = run
                .last_turns
                .get(&run.node(task))
                .and_then(|last| agents.iter().position(|one| one == last));
            let from = last.map_or(0, |last| last + 1);
            (0..agents.len()).map(|step| agents[(from + step) % agents.len()]).find(|one| free.contains(one))
        }
        Share::Load => {
            let load = |agent: &u32| run.load(task, *agent);
            agents.iter().copied().filter(|one| free.contains(one)).min_by_key(load)
        }
        Share::Weight => Some(agent),
    };
    demand(expected == Some(agent), NAME, || {
        format!("{} starts with a{agent}, and it was the turn of {expected:?}", task.id)
    })
}

/// Only some kinds lead to another agent, and to the next that is left.
fn heir(run: &ORun, task: &OTask, to: Option<u32>, kind: ErrorKind) -> Verdict {
    let failed = task.newest().and_then(|attempt| attempt.agent);
    let expected = failed.filter(|_| leads_on(run, task, kind)).and_then(|failed| run.heir(task, failed));
    demand(to == expected, NAME, || {
        format!("{} goes on with {to:?} after {kind}, and was to with {expected:?}", task.id)
    })
}

/// Whether a failure leads to another agent, written down from the table of DESIGN: where that agent gets no other attempt
/// for it, also because none is left.
pub(crate) fn leads_on(run: &ORun, task: &OTask, kind: ErrorKind) -> bool {
    use ErrorKind::{Auth, ContextOverflow, Refused, SpawnDenied, SpawnInvalid, SpawnNotFound};
    let (life, retry) = (&task.life, &run.spec(task).retry);
    let is_last = life.charged + 1 >= retry.max_attempts + life.granted;
    let in_the_end = kind == ContextOverflow && (life.once.contains(&kind) || is_last);
    let at_once = matches!(kind, Auth | Refused | SpawnNotFound | SpawnDenied | SpawnInvalid);
    (in_the_end || at_once) && !retry.non_retryable.contains(&kind)
}

/// At rest no breaker and no concurrency is to change.
pub(crate) fn at_rest(oracle: &Oracle) -> Verdict {
    let now = oracle.now.ms - oracle.steps_ms;
    for (name, account) in &oracle.accounts {
        demand(account.phase_due.is_none() && account.cap_due.is_none(), NAME, || {
            format!("{name} was to change: {account:?}")
        })?;
        demand(account.until.is_none_or(|until| until > now), NAME, || {
            format!("the breaker of {name} was to be half open before")
        })?;
    }
    Ok(())
}
