//! The handle by which faces reach an engine: they send commands, ask about the state, and see what happens.
//! Never: the journal itself.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};

use windlass_core::errand::{ObjectId, Repository};
use windlass_core::id::{AttemptKey, CommandId, Digest, RunId, TaskId};
use windlass_core::input::{Answer, Ask, Command, Nesting, Rejection, Submission};
use windlass_core::plan::Plan;
use windlass_core::state::State;
use windlass_journal::blob::{Blobs, FolderBlobs};

use crate::error::{EngineError, Gone};
use crate::feed::{self, Feed};
use crate::inbox::{Asked, Message};
use crate::room::Room;

/// A way to an engine on another thread. Cheap to clone.
#[derive(Clone)]
pub struct Handle {
    pub(crate) inbox: Sender<Message>,
    pub(crate) blobs: Arc<FolderBlobs>,
    pub(crate) home: Arc<Path>,
    /// Room for the commands in the inbox.
    pub(crate) room: Arc<Room>,
}

/// How many commands may wait for the engine at once.
pub(crate) const COMMANDS_MAX: usize = 8192;

/// A plan with its surroundings, on its way to become a run.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct NewRun {
    /// The client's id for this wish, so that asking twice makes one run.
    pub command: CommandId,
    /// Who asks.
    pub by: String,
    /// The plan.
    pub plan: Arc<Plan>,
    /// Where its tasks work: absolute.
    pub folder: String,
    /// The variables that attempts get.
    pub env: BTreeMap<String, String>,
    /// Where the plan came from, for people.
    pub source: String,
    /// The repository that its worktrees are of, where its tasks have some.
    pub origin: Option<Origin>,
}

/// What the worktrees of a run are made of.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Origin {
    /// The repository's top folder: absolute.
    pub root: String,
    /// The run's folder, relative to that.
    pub within: String,
    /// The commit that the run begins at.
    pub start: ObjectId,
    /// The folder of all worktrees of the home: absolute.
    pub worktrees: String,
}

impl Origin {
    fn of(&self, run: RunId) -> Repository {
        Repository {
            root: self.root.clone(),
            within: self.within.clone(),
            worktrees: format!("{}/{run}", self.worktrees),
            start: self.start.clone(),
            // No task has such a name, so that no branch of one lies beside it.
            target: format!("windlass/{run}/@target"),
        }
    }
}

impl Handle {
    /// Asks for something; returns once the answer is durable, or at once where too much is asked already.
    ///
    /// # Errors
    /// When the engine ended before it answered, or is ending and takes on nothing: to the one who asks both are the
    /// same. Whether the command was carried out is in the journal, under its id.
    pub fn submit(&self, command: Command) -> Result<Answer, Gone> {
        let seat = self.room.try_enter();
        // To tell it to end there is always room.
        if seat.is_none() && !matches!(command.ask, Ask::Drain { .. }) {
            return Ok(Answer::Refused(Rejection::Busy));
        }
        let (reply, answer) = mpsc::sync_channel(1);
        let asked = Asked { command: Box::new(command), reply, seat };
        self.inbox.send(Message::Command(asked)).map_err(|_| Gone)?;
        match answer.recv() {
            Ok(Answer::Refused(Rejection::Ending)) | Err(_) => Err(Gone),
            Ok(answer) => Ok(answer),
        }
    }

    /// Makes a run of a plan. Returns once it is in the journal. `named` hears each name that is tried before it is.
    ///
    /// # Errors
    /// When the engine has ended, or ends before it answers; when it does not take the plan; when the home can't hold it.
    pub fn start(&self, new: &NewRun, named: &dyn Fn(RunId)) -> Result<RunId, EngineError> {
        let (plan_digest, env_digest) = self.keep_bodies(new)?;
        loop {
            let run = RunId::from_random(random()?);
            named(run);
            let submission = Submission {
                run,
                plan: Arc::clone(&new.plan),
                plan_digest,
                folder: new.folder.clone(),
                env_digest,
                source: new.source.clone(),
                repository: new.origin.as_ref().map(|origin| origin.of(run)),
            };
            let ask = Ask::SubmitPlan(Box::new(submission));
            let command = Command { id: new.command.clone(), by: new.by.clone(), ask };
            match self.submit(command)? {
                Answer::Refused(Rejection::RunIdTaken(_)) => {}
                Answer::Refused(why) => return Err(EngineError::Refused(why)),
                Answer::Accepted | Answer::Already => return Ok(self.run_of(new.command.clone(), run)?),
            }
        }
    }

    /// Makes a plan a sub-plan of the task of an attempt, which carries it out for that attempt. `levels` is how many the
    /// plans around the engine leave its run, where it is within any. Returns its name, once it is in the journal.
    ///
    /// # Errors
    /// As of [`Self::start`].
    pub fn nest(
        &self,
        new: &NewRun,
        within: &AttemptKey,
        levels: Option<u32>,
    ) -> Result<TaskId, EngineError> {
        let (plan_digest, env_digest) = self.keep_bodies(new)?;
        let nesting = Nesting {
            within: within.clone(),
            plan: Arc::clone(&new.plan),
            plan_digest,
            folder: new.folder.clone(),
            env_digest,
            source: new.source.clone(),
            levels,
        };
        let ask = Ask::Nest(Box::new(nesting));
        match self.submit(Command { id: new.command.clone(), by: new.by.clone(), ask })? {
            Answer::Refused(why) => return Err(EngineError::Refused(why)),
            Answer::Accepted | Answer::Already => {}
        }
        let (command, run) = (new.command.clone(), within.run);
        let named = self.query(move |state| {
            let at = state.commands.get(&command).copied()?;
            state.run(run)?.brought_at(at).map(|task| task.id.clone())
        })?;
        Ok(named.ok_or(Gone)?)
    }

    /// Keeps the plan and the variables of a run among the blobs.
    fn keep_bodies(&self, new: &NewRun) -> Result<(Digest, Digest), EngineError> {
        let plan = serde_json::to_vec(&*new.plan).expect("a plan is plain data");
        let env = serde_json::to_vec(&new.env).expect("variables are plain data");
        Ok((self.keep(&plan)?, self.keep(&env)?))
    }

    /// Keeps a body among the blobs. Where the disk can't be believed any more the engine ends: nobody may try again.
    fn keep(&self, body: &[u8]) -> Result<Digest, EngineError> {
        self.blobs.put(body).map_err(|error| {
            if !error.is_fatal() {
                return error.into();
            }
            // Where it has ended already it needs no telling.
            self.inbox.send(Message::Fatal(error.into())).unwrap_or_default();
            Gone.into()
        })
    }

    /// The run that a command made: the one just named, or an earlier one if the command was repeated.
    fn run_of(&self, command: CommandId, named: RunId) -> Result<RunId, Gone> {
        self.query(move |state| {
            let made =
                |run: &&windlass_core::state::Run| state.commands.get(&command) == Some(&run.created.0);
            state.runs.values().find(made).map_or(named, |run| run.id)
        })
    }

    /// Asks about the state. What the answer rests on is durable.
    ///
    /// # Errors
    /// When the engine has ended.
    pub fn query<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&State) -> T + Send + 'static,
    ) -> Result<T, Gone> {
        let (reply, answer) = mpsc::sync_channel(1);
        let question = Box::new(move |state: &State| {
            // Nobody listens any more where the asker's thread ended: then the answer is not needed.
            reply.send(ask(state)).unwrap_or_default();
        });
        self.inbox.send(Message::Query(question)).map_err(|_| Gone)?;
        answer.recv().map_err(|_| Gone)
    }

    /// Every batch of records from here on, each once it is durable. Ends with the engine.
    pub fn subscribe(&self) -> Feed {
        let (feeder, feed) = feed::feed(Arc::clone(&self.home));
        // Where the engine has ended the feed ends at once.
        self.inbox.send(Message::Subscribe(feeder)).unwrap_or_default();
        feed
    }

    /// Whether a body lies in the home.
    pub fn has_body(&self, digest: Digest) -> bool {
        self.blobs.contains(digest).unwrap_or(false)
    }
}

/// A random number from the operating system.
pub(crate) fn random() -> Result<u64, EngineError> {
    let failed = |source| EngineError::System { doing: "get random numbers", source };
    Ok(u64::from_ne_bytes(windlass_journal::random().map_err(failed)?))
}

/// A name for a command that nobody else gives.
///
/// # Errors
/// Where the operating system gives no random numbers.
pub fn new_id() -> Result<CommandId, EngineError> {
    Ok(CommandId(format!("{:016x}{:016x}", random()?, random()?).into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(ask: Ask) -> Command {
        Command { id: CommandId("one".into()), by: "test".into(), ask }
    }

    #[test]
    fn where_too_much_is_asked_commands_are_refused_and_reports_and_the_end_are_not() {
        let (inbox, messages) = mpsc::channel();
        let handle = Handle {
            inbox: inbox.clone(),
            blobs: Arc::new(FolderBlobs::new(Path::new("/nowhere"))),
            home: Path::new("/nowhere").into(),
            room: Room::for_at_most(COMMANDS_MAX),
        };
        let cancel = || command(Ask::Pause { run: RunId::from_random(1), now: false });
        let taken: Vec<_> =
            (0..COMMANDS_MAX).map(|_| handle.room.try_enter().expect("there is room")).collect();
        let busy = handle.submit(cancel()).expect("an answer");
        assert_eq!(busy, Answer::Refused(Rejection::Busy));
        assert!(messages.try_recv().is_err(), "it does not reach the engine");
        std::thread::scope(|scope| {
            let engine = scope.spawn(move || {
                messages
                    .iter()
                    .take(2)
                    .map(|message| match message {
                        Message::Command(Asked { command, reply, .. }) => {
                            reply.send(Answer::Accepted).expect("somebody waits");
                            matches!(command.ask, Ask::Drain { .. })
                        }
                        Message::Report(_)
                        | Message::Errands(_)
                        | Message::Query(_)
                        | Message::Subscribe(_)
                        | Message::Fatal(_)
                        | Message::Last(..) => panic!("a command"),
                    })
                    .collect::<Vec<bool>>()
            });
            let drain = handle.submit(command(Ask::Drain { at_once: false }));
            assert_eq!(drain, Ok(Answer::Accepted));
            drop(taken);
            assert_eq!(handle.submit(cancel()), Ok(Answer::Accepted));
            assert_eq!(engine.join().expect("it answers"), [true, false]);
        });
    }
}
