//! A full disk, of section 3: a run whose attempt dies of it is paused in the same breath. Never: how full is full.

use windlass_core::event::{Event, PauseReason, Record};
use windlass_core::state::State;

use crate::broken::{Verdict, demand};
use crate::oracle::Oracle;

const NAME: &str = "3.2 disk full";

pub(crate) fn of_record(oracle: &Oracle, _: &State, record: &Record) -> Verdict {
    let Some(run) = oracle.met_full_disk else { return Ok(()) };
    let pauses = matches!(
        &record.event,
        Event::PauseRequested { run: paused, reason: PauseReason::DiskLow, .. } if *paused == run
    );
    demand(pauses, NAME, || format!("{run} met a full disk, and {} follows", record.event.name()))
}
