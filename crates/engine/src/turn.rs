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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::ops::ControlFlow;

    use windlass_core::event::{Exit, Role, RunOutcome, Usage};
    use windlass_core::id::{CommandId, Epoch, RunId, Seq};
    use windlass_core::input::{Ask, Command, Ended, Submission};
    use windlass_core::output::{Output, RawOutput};
    use windlass_core::time::{Span, Time};
    use windlass_journal::Head;
    use windlass_journal::blob::Blobs as _;
    use windlass_journal::memory::{MemoryJournal, MemoryStore};

    use super::*;
    use crate::embed;

    /// A journal that counts its appends.
    struct Counting {
        journal: MemoryJournal,
        appends: usize,
    }

    impl Journal for Counting {
        fn head(&self) -> Head {
            self.journal.head()
        }

        fn append(&mut self, epoch: Epoch, expected: Seq, batch: &[Record]) -> Result<(), JournalError> {
            self.appends += 1;
            self.journal.append(epoch, expected, batch)
        }

        fn replay(
            &mut self,
            after: Seq,
            each: &mut dyn FnMut(Record) -> ControlFlow<()>,
        ) -> Result<(), JournalError> {
            self.journal.replay(after, each)
        }

        fn save_snapshot(&mut self, at: Seq, bytes: &[u8]) -> Result<(), JournalError> {
            self.journal.save_snapshot(at, bytes)
        }

        fn newest_snapshot(&mut self) -> Option<(Seq, Vec<u8>)> {
            self.journal.newest_snapshot()
        }

        fn last_alive(&self) -> Span {
            self.journal.last_alive()
        }

        fn note_alive(&mut self, alive: Span) {
            self.journal.note_alive(alive);
        }
    }

    /// What a turn has answered and ordered.
    #[derive(Default)]
    struct Seen {
        answers: Vec<Answer>,
        orders: Vec<Effect>,
    }

    impl Outside for Seen {
        type Reply = ();

        fn answer(&mut self, (): (), answer: Answer) {
            self.answers.push(answer);
        }

        fn publish(&mut self, _: &State, _: &Arc<[Record]>) {}

        fn perform(&mut self, effect: Effect) {
            self.orders.push(effect);
        }
    }

    /// An engine whose journal counts.
    struct Bench {
        core: Core,
        store: MemoryStore,
        journal: Counting,
        seen: Seen,
    }

    impl Bench {
        fn new() -> Self {
            let store = MemoryStore::new();
            let journal = MemoryJournal::open(&store, "test", 1).expect("it is empty");
            let journal = Counting { journal, appends: 0 };
            let mut bench =
                Self { core: Core::new(State::default(), 1), store, journal, seen: Seen::default() };
            let began = Report::EngineStarted {
                epoch: Epoch(1),
                role: Role::Engine,
                build: "test".into(),
                last_alive: Span::default(),
            };
            assert_eq!(bench.turn(vec![Input::Report(began)]), 1);
            bench
        }

        /// One turn. Gives how many appends it took.
        fn turn(&mut self, inputs: Vec<Input>) -> usize {
            let stamp = Stamp { now: Time::from_ms(1_700_000_000_000), seed: 7 };
            let letter = |input| Letter { input, stamp, reply: Some(()) };
            let letters = inputs.into_iter().map(letter).collect();
            let before = self.journal.appends;
            let more = turn(&mut self.core, &mut self.journal, letters, stamp, &mut self.seen);
            assert!(!more.expect("it is written"), "nothing is left to follow");
            self.journal.appends - before
        }

        fn submit(&self, number: u64, plan: &str) -> Input {
            let plan = Arc::new(embed::plan(plan, &BTreeMap::new()).expect("a plan"));
            let blobs = self.store.blobs();
            let bytes = serde_json::to_vec(&*plan).expect("plain data");
            let submission = Submission {
                run: RunId::from_random(number),
                plan,
                plan_digest: blobs.put(&bytes).expect("memory takes it"),
                folder: "/".into(),
                env_digest: blobs.put(b"{}").expect("memory takes it"),
                source: "-".into(),
                repository: None,
            };
            let id = CommandId(format!("c{number}").into());
            Input::Command(Command { id, by: "test".into(), ask: Ask::SubmitPlan(Box::new(submission)) })
        }

        /// The good end of the attempt that was ordered last.
        fn ended(&mut self) -> Input {
            let Some(Effect::SpawnAttempt(assignment)) = self.seen.orders.pop() else {
                panic!("an attempt was ordered last")
            };
            Input::Report(Report::Ended(Box::new(Ended {
                key: assignment.key,
                fence: assignment.fence,
                exit: Exit::Code(0),
                error: None,
                raw: RawOutput::default(),
                output: Some(Ok(Output::default())),
                usage: Usage::default(),
                leftovers: 0,
            })))
        }
    }

    #[test]
    fn a_turn_is_one_append_however_much_comes_in() {
        let mut bench = Bench::new();
        let commands: Vec<Input> =
            (0..100).map(|number| bench.submit(number, "tasks: { a: { run: 'true' } }")).collect();
        assert_eq!(bench.turn(commands), 1);
        assert_eq!(bench.seen.answers.len(), 100);
        assert_eq!(bench.turn(Vec::new()), 0, "nothing happened");
    }

    #[test]
    fn a_step_of_a_chain_is_one_append() {
        let mut bench = Bench::new();
        let chain =
            "tasks: { a: { run: 'true' }, b: { needs: [a], run: 'true' }, c: { needs: [b], run: 'true' } }";
        let submit = bench.submit(1, chain);
        assert_eq!(bench.turn(vec![submit]), 1, "the first task starts with its run");
        for task in ["a", "b", "c"] {
            let ended = bench.ended();
            assert_eq!(bench.turn(vec![ended]), 1, "the end of {task}, and the start of the next");
        }
        let run = &bench.core.state().runs[&RunId::from_random(1)];
        assert_eq!(run.outcome, Some(RunOutcome::Succeeded));
    }
}
