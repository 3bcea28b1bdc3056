//! 1, order: places are 1…n without a gap, times never fall but where the clock was set back, and never stand while an
//! engine is alive; epochs never fall.
//! That hashes chain is verified by the journal whenever it is opened. Never: content.

use windlass_core::event::{Event, Record};
use windlass_core::id::Epoch;
use windlass_core::state::State;

use crate::broken::{Verdict, demand};
use crate::oracle::Oracle;

const NAME: &str = "1 order";
/// How much earlier than the one before a record's letter may have been received, and what is lost to whole numbers.
const EARLIER_MS: u64 = 4;

pub(crate) fn of_record(oracle: &Oracle, _: &State, record: &Record) -> Verdict {
    demand(record.seq == oracle.seq.next(), NAME, || format!("{} follows {}", record.seq, oracle.seq))?;
    let set_back = matches!(&record.event, Event::ClockJumped { by_ms, .. } if *by_ms < 0);
    demand(record.at >= oracle.at || set_back, NAME, || {
        format!("time fell at {}: {}", record.seq, record.at)
    })?;
    let goes_on = matches!(record.event, Event::EngineStarted { .. } | Event::ClockJumped { .. })
        || record.at.since(oracle.at).ms + EARLIER_MS >= (oracle.boot - oracle.record_boot) * 9 / 10;
    demand(goes_on, NAME, || {
        format!("time stands at {}: {} since {} ms", record.seq, record.at, oracle.boot - oracle.record_boot)
    })?;
    if let Event::EngineStarted { epoch, .. } = &record.event {
        let next = Epoch(oracle.epoch.0 + 1);
        demand(*epoch == next, NAME, || format!("epoch {} after {}", epoch.0, oracle.epoch.0))?;
    }
    Ok(())
}
