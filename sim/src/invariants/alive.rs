//! 6, time counts: what an engine lived through since its last record is known to the next opening, but for what it lived
//! since it last noted that, and never more than that. Never: whose time it was (`due.rs`, `budget.rs`).

use windlass_core::event::{Event, Record};
use windlass_core::state::State;

use crate::broken::{Verdict, demand};
use crate::oracle::Oracle;

const NAME: &str = "6 time counts";
/// For how long an engine may not have noted it: about a second, and as long as the clocks are not compared.
const UNKNOWN_MS_MAX: u64 = 4200;
/// What is lost to whole numbers, and how much earlier than its turn a letter may have been received.
const EARLIER_MS: u64 = 4;

pub(crate) fn of_record(oracle: &Oracle, _: &State, record: &Record) -> Verdict {
    let Event::EngineStarted { last_alive_ms, .. } = &record.event else { return Ok(()) };
    let (told, lived) = (last_alive_ms.unwrap_or_default(), oracle.worked - oracle.witnessed);
    // Of what was noted a power cut leaves what the disk has.
    let is_known = oracle.has_lost_power || lived <= told + UNKNOWN_MS_MAX + oracle.drift_ms;
    let is_right = told <= lived + EARLIER_MS + oracle.drift_ms && is_known;
    demand(is_right, NAME, || {
        format!("the engine lived {lived} ms after its last record, and {told} ms are known")
    })
}
