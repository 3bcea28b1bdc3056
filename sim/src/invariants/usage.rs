//! 12, usage, as far as it is counted: what an attempt used is in the journal as it was reported, also where its result
//! does not count. Never: budgets, which later parts build on this.

use windlass_core::event::{Event, Record};
use windlass_core::state::State;

use crate::broken::{Verdict, demand};
use crate::oracle::Oracle;

const NAME: &str = "12 usage";

pub(crate) fn of_record(oracle: &Oracle, _: &State, record: &Record) -> Verdict {
    let (Event::AttemptFinished { fence, usage, .. } | Event::ResultIgnored { fence, usage, .. }) =
        &record.event
    else {
        return Ok(());
    };
    let Some(truth) = oracle.truth.get(fence) else { return Ok(()) };
    demand(*usage == truth.usage, NAME, || {
        format!("fence {fence} used {:?}, the journal says {usage:?}", truth.usage)
    })
}
