//! The five lines. One thread, one batch at a time; nothing leaves the room before the journal has it.

use std::iter::Peekable;
use std::sync::Arc;
use std::vec::IntoIter;

use windlass_core::decide::Stamp;
use windlass_core::effect::Effect;
use windlass_core::event::Record;
use windlass_core::input::{Answer, Input, Report};
use windlass_core::planted::{Bug, is_planted};
use windlass_core::react::react;
use windlass_core::state::State;
use windlass_core::turn::Core;
use windlass_journal::Journal;
use windlass_journal::error::JournalError;

/// An input on its way into a turn.
pub struct Letter<R> {
    /// What is asked or reported.
    pub input: Input,
    /// When it was received.
    pub stamp: Stamp,
    /// Where the answer goes.
    pub reply: Option<R>,
}

/// Everything that a turn reaches after its batch is durable.
pub trait Outside {
    /// Where an answer goes.
    type Reply;
    /// Gives an answer to whoever asked.
    fn answer(&mut self, reply: Self::Reply, answer: Answer);
    /// Shows what happened, and the state after it.
    fn publish(&mut self, state: &State, records: &Arc<[Record]>);
    /// Carries out an order, or has it carried out: it does not wait, and what comes of it is reported.
    fn perform(&mut self, effect: Effect);
}

/// Takes letters in, in as many batches as they need. True where more follows from the state without further input.
///
/// # Errors
/// When a batch could not be made durable: the process must end, since the state is ahead of the disk.
pub fn turn<O: Outside>(
    core: &mut Core,
    journal: &mut dyn Journal,
    inbox: Vec<Letter<O::Reply>>,
    stamp: Stamp,
    outside: &mut O,
) -> Result<bool, JournalError> {
    let mut inbox = inbox.into_iter().peekable();
    loop {
        let more = batch(core, journal, &mut inbox, stamp, outside)?;
        if inbox.peek().is_none() {
            return Ok(more);
        }
    }
}

fn batch<O: Outside>(
    core: &mut Core,
    journal: &mut dyn Journal,
    inbox: &mut Peekable<IntoIter<Letter<O::Reply>>>,
    stamp: Stamp,
    outside: &mut O,
) -> Result<bool, JournalError> {
    let before = core.state().head;
    let mut answers = Vec::new();
    if is_planted(Bug::TimersFirst) {
        core.end_waits(stamp);
    }
    while let Some(letter) =
        (comes_first(inbox.peek()) || core.takes_more(stamp)).then(|| inbox.next()).flatten()
    {
        answers.extend(letter.reply.zip(core.handle(&letter.input, letter.stamp)));
    }
    let more = core.end_waits(stamp);
    let records: Arc<[Record]> = core.take_records().into();
    if is_planted(Bug::PublishedBeforeAppend) {
        outside.publish(core.state(), &records);
    }
    if is_planted(Bug::EffectBeforeAppend) {
        order(core, &records, outside);
    }
    if !records.is_empty() {
        journal.append(core.state().epoch, before, &records)?;
    }
    for (reply, answer) in answers {
        outside.answer(reply, answer);
    }
    outside.publish(core.state(), &records);
    order(core, &records, outside);
    Ok(more)
}

/// Whether a letter comes before what is left from a turn that was cut short: an epoch begins with its
/// `engine_started`, and what is stamped after a jump of the clocks is written after it.
fn comes_first<R>(letter: Option<&Letter<R>>) -> bool {
    let is_first = |letter: &Letter<R>| {
        matches!(letter.input, Input::Report(Report::EngineStarted { .. } | Report::ClockJumped { .. }))
    };
    letter.is_some_and(is_first)
}

fn order<O: Outside>(core: &Core, records: &[Record], outside: &mut O) {
    let effects = records.iter().flat_map(|record| react(core.state(), record));
    for effect in effects {
        outside.perform(effect);
    }
}
