//! What came of it: what was injected, what held, and what did not. Never: a word that the witness did not see.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use windlass_core::event::RunOutcome;

use super::drive::{Answers, Injected};
use super::ground::Kept;
use super::schedule::Fault;
use super::witness::{Broken, Promise, Witness};
use crate::render::plural::{count, list};
use crate::render::style::{ERROR, OK, paint};
use crate::render::table::{Cell, Table};
use crate::render::text;

/// All that came of it.
pub(super) struct Came<'a> {
    pub(super) seed: u64,
    pub(super) injected: &'a [Injected],
    pub(super) answers: Answers,
    pub(super) witness: &'a Witness,
    /// Why the disk could not be full, if it could not.
    pub(super) no_disk: Option<String>,
    pub(super) kept: Option<&'a Kept>,
}

impl Came<'_> {
    /// How often a fault was injected, and after how many of these everything held.
    fn of(&self, fault: Fault) -> (usize, usize) {
        let those = || self.injected.iter().filter(|injected| injected.fault == fault);
        (those().count(), those().filter(|injected| injected.held).count())
    }

    /// Why a fault could not be injected on this machine, if it could not.
    fn why_not(&self, fault: Fault) -> Option<String> {
        let why = self.no_disk.as_ref().filter(|_| fault == Fault::DiskFull)?;
        Some(format!("not here: it takes a mount, as root or in a user namespace ({why})"))
    }

    fn holds(&self, promise: Promise) -> bool {
        self.witness.broken().iter().all(|broken| broken.promise != promise)
    }

    /// What did not hold, with places as they are now.
    fn broken(&self) -> Vec<Broken> {
        let mut broken = self.witness.broken().to_owned();
        for Broken { what, .. } in &mut broken {
            *what = self.kept.map_or_else(|| what.clone(), |kept| kept.meant_now(what));
        }
        broken
    }

    /// How the runs ended, by outcome.
    fn outcomes(&self) -> BTreeMap<&'static str, u32> {
        let mut outcomes = BTreeMap::new();
        for run in self.witness.runs() {
            let name = match run.outcome {
                Some(RunOutcome::Succeeded) => "succeeded",
                Some(RunOutcome::Failed) => "failed",
                Some(RunOutcome::Cancelled) => "cancelled",
                None => "unfinished",
            };
            *outcomes.entry(name).or_default() += 1;
        }
        outcomes
    }

    pub(super) fn document(&self) -> Value {
        let faults = Fault::ALL.map(|fault| {
            let (injected, held) = self.of(fault);
            json!({ "fault": fault, "injected": injected, "held": held, "why_not": self.why_not(fault) })
        });
        let promises = Promise::ALL.map(|promise| {
            json!({
                "promise": promise,
                "looked_at": self.witness.looked_at(promise),
                "held": self.holds(promise),
            })
        });
        json!({
            "seed": self.seed,
            "held": self.witness.broken().is_empty(),
            "faults": faults,
            "promises": promises,
            "broken": self.broken(),
            "injected": self.injected,
            "runs": self.outcomes(),
            "settled": self.answers.settled,
            "cancelled": self.answers.cancelled,
            "kept": self.kept.map(|kept| &kept.root),
        })
    }

    pub(super) fn lines(&self) -> Vec<String> {
        let mut table = Table::with_head(["FAULT", "INJECTED", "HELD"]);
        for fault in Fault::ALL {
            let (injected, held) = self.of(fault);
            let held = self.why_not(fault).map_or_else(|| share(injected, held), Cell::from);
            table.row([fault.in_words().into(), injected.to_string().into(), held]);
        }
        let mut lines = table.lines();
        lines.push(String::new());
        let mut table = Table::with_head(["PROMISE", "LOOKED AT", "HELD"]);
        for promise in Promise::ALL {
            let (words, counted) = promise.in_words();
            let held = if self.holds(promise) { Cell::styled(OK, "yes") } else { Cell::styled(ERROR, "no") };
            table.row([words.into(), count(self.witness.looked_at(promise), counted).into(), held]);
        }
        lines.extend(table.lines());
        lines.push(String::new());
        lines.extend(self.broken().iter().map(|broken| {
            let mark = paint(ERROR, "did not hold:");
            format!("{mark} {}: {}", broken.promise.in_words().0, text::plain(&broken.what))
        }));
        lines.push(self.in_short());
        if self.outcomes().contains_key("failed") {
            lines.push("An attempt that is killed counts: a task with `retry` bears it.".to_owned());
        }
        lines.extend(self.said_for_people());
        lines
    }

    /// What was said since nobody else would.
    fn said_for_people(&self) -> Option<String> {
        let Answers { settled, cancelled } = self.answers;
        let parts = [
            (settled, format!("{} of `rerun: never` settled as failed", count(settled, "outcome"))),
            (
                cancelled,
                format!(
                    "{} cancelled that did not end by {}",
                    count(cancelled, "run"),
                    if cancelled == 1 { "itself" } else { "themselves" }
                ),
            ),
        ];
        let said: Vec<String> =
            parts.into_iter().filter(|(number, _)| *number > 0).map(|(_, words)| words).collect();
        (!said.is_empty()).then(|| format!("Said in place of people: {}.", list(&said)))
    }

    fn in_short(&self) -> String {
        let ended: Vec<String> =
            self.outcomes().into_iter().map(|(name, number)| format!("{number} {name}")).collect();
        let ended = if ended.is_empty() { "none began".to_owned() } else { list(&ended) };
        format!("Runs of the plan: {ended}. Seed {} gives these faults again.", self.seed)
    }
}

fn share(injected: usize, held: usize) -> Cell {
    match injected {
        0 => "-".into(),
        all if all == held => Cell::styled(OK, "all"),
        _ => Cell::styled(ERROR, format!("{held} of {injected}")),
    }
}
