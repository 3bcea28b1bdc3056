//! The promises of SEMANTICS section 10 that the simulator checks, one file each. Each looks at a record before the
//! oracle takes it in, or at the world at rest. Never: a promise that is checked by asking the core whether it kept it.

pub(crate) mod accounts;
pub(crate) mod alive;
pub(crate) mod approval;
pub(crate) mod attempts;
pub(crate) mod blobs;
pub(crate) mod budget;
pub(crate) mod budgets;
pub(crate) mod cancel;
pub(crate) mod caps;
pub(crate) mod children;
pub(crate) mod commands;
pub(crate) mod disk;
pub(crate) mod due;
pub(crate) mod effects;
pub(crate) mod ends;
pub(crate) mod fairness;
pub(crate) mod fences;
pub(crate) mod head;
pub(crate) mod joins;
pub(crate) mod limits;
pub(crate) mod order;
pub(crate) mod pause;
pub(crate) mod prefix;
pub(crate) mod reaped;
pub(crate) mod replay;
pub(crate) mod rest;
pub(crate) mod topics;
pub(crate) mod usage;
pub(crate) mod wake;
pub(crate) mod winner;

use windlass_core::event::Record;
use windlass_core::state::State;

use crate::broken::Verdict;
use crate::oracle::Oracle;

/// What is asked about each record, before it is taken in. `before` is the core's own state at that place.
const OF_RECORDS: [fn(&Oracle, &State, &Record) -> Verdict; 23] = [
    order::of_record,
    commands::of_record,
    winner::of_record,
    fences::of_record,
    reaped::of_record,
    budget::of_record,
    budgets::of_record,
    cancel::of_record,
    rest::of_record,
    attempts::of_record,
    due::of_record,
    alive::of_record,
    joins::of_record,
    limits::of_record,
    accounts::of_record,
    ends::of_record,
    usage::of_record,
    disk::of_record,
    pause::of_record,
    approval::of_record,
    caps::of_record,
    children::of_record,
    topics::of_record,
];

pub(crate) fn of_record(oracle: &Oracle, before: &State, record: &Record) -> Verdict {
    OF_RECORDS.iter().try_for_each(|of_record| of_record(oracle, before, record))
}

/// What is asked when a turn is over and nothing more follows from the state.
pub(crate) fn at_rest(oracle: &Oracle, state: &State) -> Verdict {
    joins::at_rest(oracle, state)?;
    pause::at_rest(oracle)?;
    budget::at_rest(oracle, state)?;
    budgets::at_rest(oracle, state)?;
    accounts::at_rest(oracle)?;
    rest::at_rest(oracle)?;
    children::at_rest(oracle)?;
    topics::at_rest(oracle)?;
    wake::at_rest(oracle, state)
}
