//! People: what they ask, under which ids, what they were told, and what only they can do once the world has healed.
//! Never: knowing more than the journal shows.

use std::collections::BTreeMap;
use std::sync::Arc;

use windlass_core::event::Raise;
use windlass_core::event::{ApprovalAnswer, PauseReason, Role, Settlement};
use windlass_core::id::{AgentName, CommandId, Digest, RunId};
use windlass_core::input::{Answer, Ask, Command, Input, Revision, Submission};
use windlass_core::machine::task::Phase;
use windlass_core::output::Output;
use windlass_core::plan::Work;
use windlass_core::state::{Blocked, Run, State, Task};
use windlass_core::time::Span;
use windlass_journal::blob::Blobs as _;

use crate::broken::{Broken, Verdict, broken};
use crate::case::{Act, Aim, Id};
use crate::check::Checker;
use crate::queue::Item;
use crate::random::mixed;
use crate::revise;
use crate::talk;
use crate::world::{ENVIRONMENT, World};

/// What people have asked so far.
#[derive(Default)]
pub(crate) struct People {
    issued: Vec<Command>,
    replies: u64,
    asked: BTreeMap<u64, CommandId>,
    submitted: usize,
    /// Ids of approvals that are over.
    old: Vec<String>,
    /// What was told, for the trace and the digest of the world.
    pub(crate) told: Vec<(u64, Answer)>,
}

impl People {
    /// Whether an answer has come.
    pub(crate) fn was_told(&self, reply: u64) -> bool {
        self.told.iter().rev().any(|(told, _)| *told == reply)
    }

    /// Answers have come to some of what was asked in a turn: what was accepted must be in the journal.
    pub(crate) fn answered(
        &mut self,
        answers: Vec<(u64, Answer)>,
        asked: usize,
        checker: &mut Checker,
    ) -> Verdict {
        // What else was asked may have taken back what one did, also where a crash keeps its answer.
        let is_lone = asked == 1;
        for (reply, answer) in answers {
            let id = self.asked.get(&reply).ok_or_else(|| broken("2 prefix", "an answer to nobody"))?;
            // A drain leaves events only where something is under way.
            let drains = |command: &&Command| command.id == *id && matches!(command.ask, Ask::Drain { .. });
            let leaves_events = !self.issued.iter().any(|command| drains(&command));
            checker.acknowledged(id, &answer, leaves_events)?;
            let first = self.issued.iter().find(|command| command.id == *id);
            if let Some(Command { ask: Ask::Cancel { run, task }, .. }) = first
                && answer == Answer::Already
                && is_lone
            {
                checker.cancel_acknowledged(*run, task.as_ref())?;
            }
            self.told.push((reply, answer));
        }
        Ok(())
    }
}

impl World {
    /// A person does something.
    pub(crate) fn act(&mut self, act: &Act) -> Verdict {
        self.trace.say(|| format!("act: {act:?}"));
        if let Act::Repeat(number) = act {
            let count = self.people.issued.len().max(1);
            let at = usize::try_from(*number).expect("32 bits fit") % count;
            if let Some(command) = self.people.issued.get(at).cloned() {
                return self.send(command);
            }
            return Ok(());
        }
        self.ask_of(act).map_or(Ok(()), |ask| self.ask(ask))
    }

    fn ask_of(&mut self, act: &Act) -> Option<Ask> {
        let run_of = |number: &u32| {
            let at = usize::try_from(*number).expect("32 bits fit") % self.planned.len();
            self.planned[at].id
        };
        let state = &self.checker.shadow;
        let ask = match act {
            Act::Submit | Act::SubmitAgain | Act::Revise(..) => return self.plan(act),
            Act::Emit(number, topic, data) => said(run_of(number), *topic, *data),
            Act::CancelRun(number) => Ask::Cancel { run: run_of(number), task: None },
            Act::Pause(number) => Ask::Pause { run: run_of(number), now: false },
            Act::PauseNow(number) => Ask::Pause { run: run_of(number), now: true },
            Act::Resume(number) => Ask::Resume { run: run_of(number), raise: Raise::default() },
            Act::Raise(number, attempts, wall_ms) => {
                let raise = Raise { attempts: *attempts, wall: Span::from_ms(*wall_ms) };
                Ask::Resume { run: run_of(number), raise }
            }
            Act::Cancel(aim) => {
                let (run, task) = aimed(state, *aim, |_, task| !task.phase.is_final())?;
                Ask::Cancel { run, task: Some(task.id.clone()) }
            }
            Act::Retry(aim) | Act::RetryOtherwise(aim, ..) => {
                let may_come_back = |run: &Run, task: &Task| {
                    (task.phase.is_final() && task.phase != Phase::Skipped) || is_unknown(run, task)
                };
                let is_asked = |run: &Run, task: &Task| {
                    let has_agent = matches!(run.spec(task).work, Work::Prompt { .. });
                    may_come_back(run, task) && (has_agent || matches!(act, Act::Retry(_)))
                };
                let (run, task) = aimed(state, *aim, is_asked)?;
                let (agent, prompt) = match act {
                    Act::RetryOtherwise(_, agent, prompt) => {
                        let agent = AgentName(format!("a{agent}").into());
                        (Some(agent), prompt.then(|| "say {{ it }}".to_owned()))
                    }
                    _ => (None, None),
                };
                Ask::Retry { run, task: task.id.clone(), agent, prompt }
            }
            Act::Settle(aim, answer) => {
                let (run, task) = aimed(state, *aim, is_unknown)?;
                Ask::Settle { run, task: task.id.clone(), answer: *answer, output: Output::default() }
            }
            Act::Approve { aim, yes, id } => {
                let (run, task) = aimed(state, *aim, |_, task| task.approval_open().is_some())?;
                let right = task.approval.as_ref().map(|asked| asked.id.clone()).unwrap_or_default();
                let approval = match id {
                    Id::Right => right.clone(),
                    Id::Old => self.people.old.first().cloned().unwrap_or_default(),
                    Id::Wrong => "deadbeef".into(),
                };
                let ask = approve(run, task, approval, *yes);
                self.people.old.push(right);
                ask
            }
            Act::Drop(aim) => {
                let (run, task) = aimed(state, *aim, |_, task| task.dead_letter)?;
                Ask::DropDeadLetter { run, task: task.id.clone() }
            }
            Act::Drain { at_once } => {
                let engine = self.engine.as_mut()?;
                engine.draining = true;
                Ask::Drain { at_once: *at_once }
            }
            Act::Astray => {
                let nowhere = RunId::from_random(self.case.seed);
                Ask::Cancel { run: nowhere, task: Some("nobody".parse().expect("a name")) }
            }
            Act::Repeat(_) => return None,
        };
        Some(ask)
    }

    /// A plan for a run, or another.
    fn plan(&mut self, act: &Act) -> Option<Ask> {
        match act {
            Act::Submit => self.submission(),
            Act::SubmitAgain => self.submission_again(),
            Act::Revise(number, revision) => {
                let at = usize::try_from(*number).expect("32 bits fit") % self.planned.len();
                self.revision(self.planned[at].id, *revision)
            }
            _ => None,
        }
    }

    fn submission(&mut self) -> Option<Ask> {
        let ask = self.submission_of(self.people.submitted, None)?;
        self.people.submitted += 1;
        Some(ask)
    }

    /// The first plan again, under the id of the last run.
    fn submission_again(&self) -> Option<Ask> {
        let last = *self.checker.shadow.runs.keys().next_back()?;
        self.submission_of(0, Some(last))
    }

    fn submission_of(&self, number: usize, run: Option<RunId>) -> Option<Ask> {
        let planned = self.planned.get(number)?;
        Some(Ask::SubmitPlan(Box::new(Submission {
            run: run.unwrap_or(planned.id),
            plan: planned.plan.clone(),
            plan_digest: planned.digest,
            folder: "/work".into(),
            env_digest: Digest::of(ENVIRONMENT),
            source: "plan.json".into(),
            repository: None,
        })))
    }

    /// Another plan for a run, from the one that it has.
    fn revision(&mut self, run: RunId, number: u32) -> Option<Ask> {
        let draft = revise::revised(&self.checker.oracle.runs.get(&run)?.draft, number);
        let plan = draft.load().unwrap_or_else(|why| panic!("a revision is refused: {why}"));
        let bytes = serde_json::to_vec(&plan).expect("a plan is plain data");
        // Where the disk is full nobody hands a plan over.
        let plan_digest = self.store.blobs().put(&bytes).ok()?;
        let plan = Arc::new(plan);
        self.checker.knows(plan_digest, Arc::clone(&plan), Arc::new(draft));
        Some(Ask::Revise(Box::new(Revision { run, plan, plan_digest, source: "plan.json".into() })))
    }

    /// Asks under a new id.
    pub(crate) fn ask(&mut self, ask: Ask) -> Verdict {
        let id = CommandId(format!("c{}", self.people.issued.len()).into());
        let command = Command { id, by: "somebody".into(), ask };
        if let Ask::Approve { approval, .. } = &command.ask {
            self.checker.oracle.named.insert(command.id.clone(), approval.clone());
        }
        self.people.issued.push(command.clone());
        self.send(command)
    }

    /// Asks this engine and no other. What its answer will be known by.
    pub(crate) fn ask_of_engine(&mut self, engine: u32, ask: Ask) -> u64 {
        let id = CommandId(format!("c{}", self.people.issued.len()).into());
        let command = Command { id, by: "cli".into(), ask };
        self.people.issued.push(command.clone());
        self.people.replies += 1;
        let reply = self.people.replies;
        self.people.asked.insert(reply, command.id.clone());
        let (engine, input) = (Some(engine), Box::new(Input::Command(command)));
        self.queue.send(self.clocks.awake, Item::Letter { engine, input, reply: Some(reply) });
        reply
    }

    /// A command on its way. Without an engine it finds one, or opens one for itself, or waits.
    fn send(&mut self, command: Command) -> Verdict {
        self.people.replies += 1;
        let reply = self.people.replies;
        self.people.asked.insert(reply, command.id.clone());
        let drains = matches!(command.ask, Ask::Drain { .. });
        let may_open = self.engine.is_none() && self.keeper_is_done_at().is_none() && self.dying.is_none();
        if may_open && !drains && self.random.chance(300) {
            self.open(Role::Command)?;
        }
        let at = self.clocks.awake + u64::from(self.random.below(5));
        let engine = if drains { self.engine.as_ref().map(|engine| engine.number) } else { None };
        let input = Box::new(Input::Command(command));
        self.queue.send(at, Item::Letter { engine, input, reply: Some(reply) });
        Ok(())
    }

    /// What a started engine goes on with: every unfinished run but those that a person paused.
    pub(crate) fn resume_all(&mut self) {
        let state = &self.checker.shadow;
        let unfinished = state.unfinished.iter().map(|id| &state.runs[id]);
        let a_persons = |run: &&Run| {
            let asked = [PauseReason::Requested, PauseReason::Budget];
            asked.iter().any(|reason| run.pauses.contains_key(reason))
        };
        let ours = unfinished.filter(|run| !a_persons(run));
        let ours: Vec<RunId> = ours.map(|run| run.id).collect();
        for run in ours {
            if self.healed || self.random.chance(900) {
                // An ask for the engine that was just opened: it is there.
                self.ask(Ask::Resume { run, raise: Raise::default() }).expect("an engine lives");
            }
        }
    }

    /// What only people can do, once the world has healed. False where nothing is left for them.
    pub(crate) fn mend(&mut self) -> Result<bool, Broken> {
        let mut asks = Vec::new();
        let state = &self.checker.shadow;
        asks.extend(self.planned[self.people.submitted..].iter().map(|_| None));
        for run in state.unfinished.iter().map(|id| &state.runs[id]) {
            if !self
                .engine
                .as_ref()
                .is_some_and(|engine| engine.core.state().is_active(&engine.core.state().runs[&run.id]))
            {
                asks.push(Some(Ask::Resume { run: run.id, raise: enough(run) }));
                continue;
            }
            for task in run.tasks.iter().filter(|task| awaits_people(task)) {
                asks.push(Some(self.answer(run, task)));
            }
        }
        let any = !asks.is_empty();
        for ask in asks {
            match ask {
                Some(ask) => self.ask(ask)?,
                None => self.act(&Act::Submit)?,
            }
        }
        Ok(any)
    }

    fn answer(&self, run: &Run, task: &Task) -> Ask {
        let drawn = mixed(self.case.seed, u64::from(self.step));
        if let Some(asked) = task.approval_open() {
            return approve(run.id, task, asked.id.clone(), drawn.is_multiple_of(2));
        }
        let answer = if drawn.is_multiple_of(3) { Settlement::Failed } else { Settlement::Done };
        Ask::Settle { run: run.id, task: task.id.clone(), answer, output: Output::default() }
    }
}

/// What a person who wants it to end adds to the budgets of a run: as much wall time as it had, since a date may be years away.
fn enough(run: &Run) -> Raise {
    let budget = &run.plan.budget;
    let wall = run.purse.wall_max(budget).map_or(0, |wall| wall.ms.max(86_400_000));
    Raise { attempts: budget.attempts.map_or(0, |_| 20), wall: Span::from_ms(wall) }
}

fn said(run: RunId, topic: u32, data: u32) -> Ask {
    Ask::Emit { run, topic: talk::topic(topic), data: data.into() }
}

fn approve(run: RunId, task: &Task, approval: String, yes: bool) -> Ask {
    let answer = if yes { ApprovalAnswer::Approved } else { ApprovalAnswer::Denied };
    Ask::Approve { run, task: task.id.clone(), approval, answer, text: String::new() }
}

fn is_unknown(_: &Run, task: &Task) -> bool {
    awaits_people(task) && task.approval_open().is_none()
}

fn awaits_people(task: &Task) -> bool {
    let waits = matches!(task.blocked, Some(Blocked::Topic | Blocked::Timer));
    task.phase == Phase::Blocked && !waits
}

/// The task that is meant.
fn aimed(state: &State, aim: Aim, fits: impl Fn(&Run, &Task) -> bool) -> Option<(RunId, &Task)> {
    let all: Vec<(RunId, &Task)> =
        state.runs.values().flat_map(|run| run.tasks.iter().map(move |task| (run.id, task))).collect();
    let fitting: Vec<(RunId, &Task)> =
        all.iter().copied().filter(|(run, task)| fits(&state.runs[run], task)).collect();
    let among = if aim.fitting && !fitting.is_empty() { fitting } else { all };
    let at = usize::try_from(aim.number).expect("32 bits fit") % among.len().max(1);
    among.get(at).copied()
}
