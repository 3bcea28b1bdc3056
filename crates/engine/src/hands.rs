//! Carrying out what a turn orders, and bringing back what comes of it. Never: choosing; and never waiting, since the
//! engine's thread calls it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::mpsc::{self, Sender, SyncSender};

use windlass_core::effect::{Assignment, Effect, ErrandOrder, Program, Settle};
use windlass_core::event::{Event, Exit, LossReason, Record, Usage};
use windlass_core::failure::{ErrorKind, Failure};
use windlass_core::id::{AttemptKey, Digest, Fence};
use windlass_core::input::{Answer, Ended, LostAttempt, Report};
use windlass_core::output::{Output, RawOutput};
use windlass_core::state::State;
use windlass_core::template::PromptPart;
use windlass_journal::blob::{Blobs as _, FolderBlobs};
use windlass_journal::error::BlobError;
use windlass_worker::{Blobs, Settings, Supervisor, Surroundings, settle};

use crate::bureau::{self, Bureau};
use crate::error::EngineError;
use crate::feed::{self, Feeder};
use crate::guard::Guard;
use crate::inbox::Message;
use crate::turn::Outside;

/// The engine's hands.
pub(crate) struct Hands {
    inbox: Sender<Message>,
    blobs: Arc<FolderBlobs>,
    supervisor: Option<Supervisor>,
    feeders: Vec<Feeder>,
    bureau: Option<Bureau>,
    env: BTreeMap<Digest, Arc<BTreeMap<String, String>>>,
    unknown: Vec<LostAttempt>,
    swept: BTreeMap<AttemptKey, u32>,
    /// The blobs that a person has given up: nobody does that while an engine is alive.
    given_up: BTreeSet<Digest>,
    /// The attempts that wait for runs that they started, as far as their watch was told.
    waiting: BTreeSet<Fence>,
    settler: Option<Sender<Unsettled>>,
    /// The errands that are being done.
    errands: BTreeMap<Fence, ErrandOrder>,
}

impl Hands {
    pub(crate) fn new(
        inbox: Sender<Message>,
        blobs: Arc<FolderBlobs>,
        swept: BTreeMap<AttemptKey, u32>,
        given_up: BTreeSet<Digest>,
    ) -> Self {
        Self {
            inbox,
            blobs,
            supervisor: None,
            feeders: Vec::new(),
            bureau: None,
            env: BTreeMap::new(),
            unknown: Vec::new(),
            swept,
            given_up,
            waiting: BTreeSet::new(),
            settler: None,
            errands: BTreeMap::new(),
        }
    }

    /// Starts the keeper.
    pub(crate) fn employ(&mut self, settings: Settings) -> Result<(), EngineError> {
        let (bureau, intake) = Bureau::open(self.inbox.clone(), Arc::clone(&self.blobs))?;
        self.supervisor = Some(Supervisor::start(settings, move |report| intake.take(report))?);
        self.bureau = Some(bureau);
        Ok(())
    }

    pub(crate) fn subscribe(&mut self, feeder: Feeder) {
        self.feeders.push(feeder);
    }

    /// The attempts of lower epochs whose fate was asked for: the old keeper is gone and the sweep was done before the
    /// journal opened, so all of them are lost and nothing of them is left.
    pub(crate) fn learn(&mut self) -> Option<Report> {
        let attempts = std::mem::take(&mut self.unknown);
        (!attempts.is_empty()).then_some(Report::Lost { attempts, reason: LossReason::EngineDied })
    }

    /// The fences of attempts whose end was not reported yet.
    pub(crate) fn live(&self) -> Vec<Fence> {
        let live = self.supervisor.as_ref().map(Supervisor::live).unwrap_or_default();
        // What is at the bureau has left the worker and not reached the engine.
        let at_the_bureau = self.bureau.as_ref().map(Bureau::holds).unwrap_or_default();
        live.into_iter().map(|(_, fence)| fence).chain(at_the_bureau).collect()
    }

    /// The disk has little room left, or has room again: logs are cut meanwhile.
    pub(crate) fn spare_logs(&self, sparing: bool) {
        if let Some(supervisor) = &self.supervisor {
            supervisor.spare_logs(sparing);
        }
    }

    /// Tells who watches attempts which of them wait for runs that they started, and which do so no more.
    fn tell_who_waits(&mut self, state: &State, records: &[Record]) {
        let fence = |record: &Record| {
            if let Event::PlanNested { fence, .. } = record.event { Some(fence) } else { None }
        };
        let nested = records.iter().filter_map(fence);
        let begin: Vec<Fence> = nested.filter(|fence| !self.waiting.contains(fence)).collect();
        self.waiting.extend(&begin);
        // Also one whose run has ended within the same turn.
        let end: Vec<Fence> =
            self.waiting.iter().filter(|fence| !state.lent.contains(fence)).copied().collect();
        let Some(supervisor) = &self.supervisor else { return };
        for fence in begin {
            supervisor.waits(fence, true);
        }
        for fence in end {
            self.waiting.remove(&fence);
            supervisor.waits(fence, false);
        }
    }

    /// Ends the keeper, and with it all that still runs.
    pub(crate) fn rest(&mut self) {
        if let Some(supervisor) = self.supervisor.take() {
            supervisor.shutdown();
        }
        if let Some(bureau) = self.bureau.take() {
            bureau.close();
        }
    }

    fn spawn(&mut self, assignment: Assignment) {
        let found = self.see_given_up(&assignment).and_then(|()| self.surroundings(assignment.env_base));
        let env_base = match found {
            Ok(env) => env,
            Err(failure) => {
                let not_given = (failure.kind == ErrorKind::Interrupted).then(|| failure.message.clone());
                let message = bureau::over_with(never_began(&assignment, failure), not_given);
                // The inbox outlives the hands: the engine holds both.
                return self.inbox.send(message).unwrap_or_default();
            }
        };
        let blobs: Arc<dyn Blobs> = Arc::new(Bodies(Arc::clone(&self.blobs)));
        match (&self.supervisor, &self.bureau) {
            (Some(supervisor), Some(bureau)) => {
                bureau.expect(assignment.fence, &assignment.settle);
                supervisor.spawn(assignment, Surroundings { env_base, blobs });
            }
            _ => unreachable!("an engine without a keeper starts nothing"),
        }
    }

    /// Has an errand done, as an attempt is: by a process under the keeper.
    fn run_errand(&mut self, order: ErrandOrder) {
        let fence = order.fence;
        if let Some(bureau) = &self.bureau {
            self.errands.retain(|fence, _| bureau.expects_errand(*fence));
            bureau.expect_errand(fence);
        }
        self.errands.insert(fence, order.clone());
        match self.surroundings(order.env_base) {
            Ok(env_base) => {
                let blobs: Arc<dyn Blobs> = Arc::new(Bodies(Arc::clone(&self.blobs)));
                let supervisor =
                    self.supervisor.as_ref().expect("an engine without a keeper does no errands");
                supervisor.spawn(order.assignment(), Surroundings { env_base, blobs });
            }
            Err(failure) => {
                let report = Report::ErrandDone { key: order.key, fence, outcome: Err(failure) };
                self.inbox.send(Message::Report(report)).unwrap_or_default();
            }
        }
    }

    /// Errands that the keeper took along when it died are done anew: each looks first at what is there.
    pub(crate) fn do_again(&mut self, lost: &[Fence]) {
        for fence in lost {
            if let Some(order) = self.errands.get(fence).cloned() {
                self.run_errand(order);
            }
        }
    }

    /// What a person has given up ends the task that needs it and nothing else, unless it was put back.
    fn see_given_up(&self, assignment: &Assignment) -> Result<(), Failure> {
        let gone = |digest: &Digest| self.given_up.contains(digest) && self.blobs.get(*digest).is_err();
        if gone(&assignment.env_base) {
            return Err(lacks("the variables of its run are", assignment.env_base));
        }
        let Program::Agent { prompt, .. } = &assignment.program else { return Ok(()) };
        for part in prompt {
            if let PromptPart::Blob(digest) = part
                && gone(digest)
            {
                return Err(lacks("a large output that its prompt needs is", *digest));
            }
        }
        Ok(())
    }

    fn surroundings(&mut self, digest: Digest) -> Result<Arc<BTreeMap<String, String>>, Failure> {
        if let Some(env) = self.env.get(&digest) {
            return Ok(Arc::clone(env));
        }
        let unreadable = |kind, why: &dyn std::fmt::Display| {
            Failure::new(kind, format!("the variables of its run can't be read: {why}"))
                .hint("`windlass doctor` looks the store through")
        };
        // That the store does not give them is no fault of the attempt.
        let bytes = self.blobs.get(digest).map_err(|error| {
            let kind = if error.is_exhausted() { ErrorKind::SpawnExhausted } else { ErrorKind::Interrupted };
            unreadable(kind, &error)
        })?;
        let env: BTreeMap<String, String> =
            serde_json::from_slice(&bytes).map_err(|error| unreadable(ErrorKind::SpawnInvalid, &error))?;
        let env = Arc::new(env);
        self.env.insert(digest, Arc::clone(&env));
        Ok(env)
    }

    /// Hands a large output to the thread that settles them, one after another: each may be 16 MiB of JSON.
    fn settle(&mut self, order: Unsettled) {
        let settler = match self.settler.take() {
            Some(settler) => settler,
            None => match settler(self.inbox.clone(), Arc::clone(&self.blobs)) {
                Ok(settler) => settler,
                Err(error) => return self.inbox.send(Message::Fatal(error)).unwrap_or_default(),
            },
        };
        // The thread ends only with its queue, which is held here.
        settler.send(order).unwrap_or_default();
        self.settler = Some(settler);
    }
}

/// A large output that is to be settled.
struct Unsettled {
    key: AttemptKey,
    fence: Fence,
    raw: RawOutput,
    wanted: Settle,
}

/// The name of the thread that settles them.
const SETTLER: &str = "windlass-settle";

/// Starts the thread that settles large outputs.
fn settler(inbox: Sender<Message>, blobs: Arc<FolderBlobs>) -> Result<Sender<Unsettled>, EngineError> {
    let (orders, queue) = mpsc::channel::<Unsettled>();
    let guard = Guard::of(SETTLER, inbox.clone());
    let settle_all = move || {
        let _guard = guard;
        for order in queue {
            let message = match settle_one(&blobs, order) {
                Ok(settled) => Message::Report(settled),
                Err(error) => Message::Fatal(error.into()),
            };
            inbox.send(message).unwrap_or_default();
        }
    };
    let failed = |source| EngineError::System { doing: "start a thread", source };
    std::thread::Builder::new().name(SETTLER.into()).spawn(settle_all).map_err(failed)?;
    Ok(orders)
}

fn settle_one(blobs: &FolderBlobs, order: Unsettled) -> Result<Report, BlobError> {
    let Unsettled { key, fence, raw, wanted } = order;
    let bytes = raw.blob.map(|digest| blobs.get(digest)).transpose()?.unwrap_or_default();
    let (output, error) = match settle(&bytes, raw.truncated, &wanted) {
        Ok(output) => (output, None),
        Err(failure) => (Output::default(), Some(failure)),
    };
    Ok(Report::OutputSettled { key, fence, output, error })
}

impl Outside for Hands {
    type Reply = SyncSender<Answer>;

    fn answer(&mut self, reply: Self::Reply, answer: Answer) {
        // Where the asker has gone, the answer is in the journal.
        reply.send(answer).unwrap_or_default();
    }

    fn publish(&mut self, state: &State, records: &Arc<[Record]>) {
        for record in &**records {
            if let Event::RunFinished { run, .. } = &record.event
                && let Some(run) = state.run(*run)
            {
                // Others that have the same, and this one where it is reopened, read them anew.
                self.env.remove(&run.env);
                let brought = run.scopes.iter().filter_map(|scope| scope.brought.as_ref());
                for brought in brought {
                    self.env.remove(&brought.env);
                }
            }
        }
        self.tell_who_waits(state, records);
        if !records.is_empty() && !self.feeders.is_empty() {
            let bytes = feed::bytes_of(records);
            self.feeders.retain(|feeder| feeder.feed(records, bytes));
        }
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::SpawnAttempt(assignment) => self.spawn(*assignment),
            Effect::StopAttempt { fence, grace, .. } => {
                if let Some(supervisor) = &self.supervisor {
                    supervisor.stop(fence, grace);
                }
            }
            Effect::RunErrand(order) => self.run_errand(*order),
            Effect::LearnAttempt { key, fence } => {
                let leftovers = self.swept.get(&key).copied().unwrap_or(0);
                self.unknown.push(LostAttempt { key, fence, leftovers });
            }
            Effect::SettleOutput { key, fence, raw, settle } => {
                self.settle(Unsettled { key, fence, raw, wanted: settle });
            }
        }
    }
}

/// The failure of a task that can't begin any more.
fn lacks(what_is: &str, blob: Digest) -> Failure {
    let message = format!("{what_is} gone, as was accepted: blob {blob}");
    Failure::new(ErrorKind::Expression, message)
        .hint("put the blob back from a backup, then `windlass retry RUN TASK`; or run the plan anew")
}

/// The end of an attempt that failed before there was anything to start.
fn never_began(assignment: &Assignment, failure: Failure) -> Ended {
    Ended {
        key: assignment.key.clone(),
        fence: assignment.fence,
        exit: Exit::NotStarted,
        error: Some(failure),
        raw: RawOutput::default(),
        output: None,
        usage: Usage::default(),
        leftovers: 0,
    }
}

/// The blobs of the home, as the worker reads prompts from them.
struct Bodies(Arc<FolderBlobs>);

impl Blobs for Bodies {
    fn open(&self, digest: &Digest) -> io::Result<Box<dyn Read>> {
        let blob = self.0.open(*digest).map_err(|error| {
            // With its number, by which the worker knows what can be had later.
            if let BlobError::Io { source, .. } = error { source } else { io::Error::other(error) }
        })?;
        Ok(Box::new(blob))
    }
}

#[cfg(test)]
mod tests {
    use windlass_core::event::RunOutcome;
    use windlass_core::fold::evolve;
    use windlass_core::id::Seq;
    use windlass_journal::suite::created;

    use super::*;

    #[test]
    fn the_variables_of_a_run_are_let_go_with_its_end() {
        let home = tempfile::TempDir::new().expect("a folder");
        let blobs = Arc::new(FolderBlobs::new(&home.path().join("blobs")));
        let record = created(1, &*blobs);
        let Event::RunCreated { run, env, .. } = record.event else { unreachable!("a run that is created") };
        let mut state = State::default();
        evolve(&mut state, &record);
        let mut hands = Hands::new(mpsc::channel().0, blobs, BTreeMap::new(), BTreeSet::new());
        let first = hands.surroundings(env).expect("they are there");
        assert!(Arc::ptr_eq(&first, &hands.surroundings(env).expect("they are there")), "they are read once");
        let event = Event::RunFinished { run, outcome: RunOutcome::Succeeded };
        let ended = Record { seq: Seq(2), at: record.at, event };
        evolve(&mut state, &ended);
        hands.publish(&state, &[ended].into());
        assert!(hands.env.is_empty());
    }
}
