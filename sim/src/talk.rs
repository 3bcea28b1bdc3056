//! Tasks that emit and tasks that wait: as they are drafted and written, and what their messages come to by the draft
//! and the journal. Never: a call into the core's topics or its knots.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use windlass_core::time::Time;

use crate::clocks::BEGIN_MS;
use crate::draft::{self, Pick, PlanDraft, TaskDraft, Work};
use crate::family::{self, Choice, Form};
use crate::invariants::joins::{self, Standing};
use crate::oracle::{End, OAttempt, ORun, OTask};

/// What a task says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Emit {
    pub(crate) topic: u32,
    /// A number; none is that of the child.
    pub(crate) says: Option<u32>,
}

/// What a task waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Await {
    Topic(Listen),
    /// So many milliseconds.
    After(u64),
    /// So many milliseconds after the world began.
    At(i64),
}

/// A wait for a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Listen {
    pub(crate) topic: u32,
    pub(crate) heeds: Heeds,
    /// The task after whose success messages count.
    pub(crate) since: Option<u32>,
    pub(crate) external: bool,
}

/// Which messages count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Heeds {
    All,
    More(u32),
    /// The number of the child.
    Index,
    /// What a quotient is large enough for: of zero nobody can tell.
    Quotient,
}

/// A message that was emitted.
#[derive(Clone, Debug)]
pub(crate) struct OMessage {
    pub(crate) seq: u64,
    pub(crate) topic: String,
    /// The task that says it; none where it came from outside the run.
    pub(crate) from: Option<usize>,
    pub(crate) data: Value,
}

/// What a waiter hears.
#[derive(Clone, Debug)]
pub(crate) enum Heard<'r> {
    Nothing,
    This(&'r OMessage),
}

/// The name of a topic.
pub(crate) fn topic(number: u32) -> String {
    format!("c{number}")
}

/// When a wait for a date ends.
pub(crate) fn date(offset_ms: i64) -> Time {
    Time::from_ms(BEGIN_MS + offset_ms)
}

impl Emit {
    pub(crate) fn written(self, task: &mut Map<String, Value>) {
        let data = self.says.map_or_else(|| json!("{{ index }}"), |number| json!(number));
        task.insert("emit".into(), json!({ "topic": topic(self.topic), "data": data }));
    }
}

impl Await {
    pub(crate) fn written(self, task: &mut Map<String, Value>) {
        let wait = match self {
            Self::Topic(listen) => listen.written(),
            Self::After(ms) => json!({ "after": format!("{ms}ms") }),
            Self::At(offset_ms) => json!({ "at": date(offset_ms).to_string() }),
        };
        task.insert("wait_for".into(), wait);
    }
}

impl Listen {
    fn written(self) -> Value {
        let mut wait = json!({ "topic": topic(self.topic), "external": self.external });
        if let Some(since) = self.since {
            wait["since"] = json!(draft::name(since));
        }
        match self.heeds {
            Heeds::All => {}
            Heeds::More(number) => wait["match"] = json!(format!("{{{{ data > {number} }}}}")),
            Heeds::Index => wait["match"] = json!("{{ data == index }}"),
            Heeds::Quotient => wait["match"] = json!("{{ 6 // data > 2 }}"),
        }
        wait
    }
}

/// What a task listens to, if it waits for a message.
pub(crate) fn listens(draft: &TaskDraft) -> Option<Listen> {
    match draft.work {
        Work::Wait(Await::Topic(listen)) => Some(listen),
        _ => None,
    }
}

/// The number of a child.
pub(crate) fn index(run: &ORun, ix: usize) -> Option<usize> {
    let parent = &run.tasks[run.tasks[ix].parent?];
    parent.children.iter().position(|child| *child == ix)
}

/// The first message that a waiter has not had and that counts for it.
pub(crate) fn heard(run: &ORun, ix: usize) -> Heard<'_> {
    let task = &run.tasks[ix];
    let Some(listen) = listens(run.draft(task)) else { return Heard::Nothing };
    let since = match listen.since {
        None => 0,
        // Who failed has no success after which anything could count.
        Some(label) => match run.beside(task, label).filter(|since| joins::counts(run, task, since)) {
            Some(since) => since.ended.expect("it has succeeded"),
            None => return Heard::Nothing,
        },
    };
    // Rounds of a task have had what the round before had.
    let around = task.parent.map(|parent| &run.tasks[parent]);
    let rounds = around.filter(|parent| family::form(run, parent) == Form::Rounds);
    let before = rounds.and_then(|parent| {
        let place = parent.children.iter().position(|child| *child == ix)?;
        Some(run.tasks[parent.children[place.checked_sub(1)?]].had)
    });
    let from = since.max(task.had).max(before.unwrap_or_default());
    let name = topic(listen.topic);
    let is_meant = |message: &&OMessage| listen.external || message.from.is_some();
    let said = run.messages.iter().filter(|message| message.topic == name && message.seq > from);
    for message in said.filter(is_meant) {
        let counts = match (listen.heeds, message.data.as_u64()) {
            (Heeds::All, _) => true,
            (Heeds::More(least), Some(number)) => number > u64::from(least),
            (Heeds::Index, number) => number == index(run, ix).map(|index| index as u64),
            (Heeds::Quotient, Some(number)) => number > 0 && 6 / number > 2,
            (Heeds::More(_) | Heeds::Quotient, None) => false,
        };
        if counts {
            return Heard::This(message);
        }
    }
    Heard::Nothing
}

/// The tasks that go on by themselves or through others that do: the least set of which that can be said.
pub(crate) fn going(run: &ORun) -> Vec<bool> {
    let mut going = vec![false; run.tasks.len()];
    loop {
        let more: Vec<usize> = (0..run.tasks.len())
            .filter(|ix| !going[*ix] && run.tasks[*ix].end.is_none() && goes(run, *ix, &going))
            .collect();
        if more.is_empty() {
            return going;
        }
        for ix in more {
            going[ix] = true;
        }
    }
}

fn goes(run: &ORun, ix: usize, going: &[bool]) -> bool {
    let task = &run.tasks[ix];
    if task.is_expanded {
        let mut open = task.children.iter().filter(|child| run.tasks[**child].end.is_none());
        let chooses = family::form(run, task) == Form::Replicas
            && task.choice.is_none()
            && task.children.iter().all(|child| family::chooser(run, &run.tasks[*child]).is_some());
        return if chooses { may_choose(run, task, going) } else { open.all(|child| going[*child]) };
    }
    if task.life.listens {
        let listen = listens(run.draft(task)).expect("it waits for a message");
        let emits = |other: &usize| going[*other] && may_emit(run, &run.tasks[*other], listen.topic);
        return listen.external || (0..run.tasks.len()).any(|other| emits(&other));
    }
    if waits_for_parts(run, task) {
        return task.nests.iter().all(|part| going[*part] || run.tasks[*part].end.is_some());
    }
    if task.life.began || !task.is_node() {
        return true;
    }
    match joins::standing(run, task) {
        Standing::Met => true,
        Standing::AllSkipped | Standing::Impossible => false,
        Standing::Open => {
            let mut needs = run.needs(task);
            match run.spec(task).join {
                windlass_core::plan::Join::All => {
                    needs.all(|need| going[need] || run.tasks[need].end.is_some())
                }
                windlass_core::plan::Join::AtLeast(enough) => {
                    let succeeds =
                        |need: &usize| going[*need] || run.tasks[*need].end == Some(End::Succeeded);
                    needs.filter(succeeds).count() >= usize::try_from(enough).expect("few")
                }
            }
        }
    }
}

/// Whether the choice among replicas may become certain by what those of them do that go on: all agree with most of those that
/// passed, or all fail.
fn may_choose(run: &ORun, parent: &OTask, going: &[bool]) -> bool {
    if family::choice(run, parent) != Choice::Open {
        return true;
    }
    let replicas = || parent.children.iter().map(|child| (&run.tasks[*child], going[*child]));
    let undecided = || replicas().filter(|(child, _)| child.end.is_none() && child.passed.is_none());
    let (go, stay): (Vec<_>, Vec<_>) = undecided().partition(|(_, goes)| *goes);
    match run.draft(parent).replicas {
        Some((_, Pick::Majority)) => {
            let (most, wanted) = family::majority(run, parent);
            most + go.len() >= wanted || most + stay.len() < wanted
        }
        Some((_, Pick::First | Pick::All)) | None => !go.is_empty(),
    }
}

/// Whether an attempt of a task goes on that has brought plans, and waits for their ends as far as anybody knows.
fn waits_for_parts(run: &ORun, task: &OTask) -> bool {
    let goes_on = |attempt: &OAttempt| {
        attempt.epoch == run.host
            && attempt.stop.is_none()
            && attempt.exit.is_none()
            && attempt.lost.is_none()
    };
    task.newest().is_some_and(goes_on) && run.lends(task)
}

/// Whether a task says something on a topic, or a task of the plan that it is.
pub(crate) fn emits(work: &Work, topic: u32) -> bool {
    let within = |plan: &PlanDraft| plan.tasks.iter().any(|task| emits(&task.work, topic));
    matches!(work, Work::Emit(emit) if emit.topic == topic) || work.plan().is_some_and(within)
}

impl ORun {
    /// Whether a task of it waits on a topic for what comes from outside, or one of a plan that an attempt brought and that
    /// goes on.
    pub(crate) fn hears_others(&self, name: &str) -> bool {
        let brought = self.tasks.iter().filter(|task| task.brought_by.is_some() && task.end.is_none());
        let mut brought = brought.filter_map(|task| self.draft(task).work.plan());
        hears_others(&self.draft, name) || brought.any(|plan| hears_others(plan, name))
    }
}

/// Whether a task of a plan, or of one within it, waits on a topic for what comes from outside.
pub(crate) fn hears_others(plan: &PlanDraft, name: &str) -> bool {
    plan.tasks.iter().any(|task| {
        let hears = |listen: Listen| listen.external && topic(listen.topic) == name;
        listens(task).is_some_and(hears) || task.work.plan().is_some_and(|plan| hears_others(plan, name))
    })
}

/// Whether an unfinished task can say something on a topic, by itself or through children that it does not have yet.
fn may_emit(run: &ORun, task: &OTask, topic: u32) -> bool {
    let draft = run.draft(task);
    if !emits(&draft.work, topic) {
        return false;
    }
    let behind = task.children.len() - task.earlier_children;
    let most = draft.rounds.map_or(0, |(_, most)| usize::try_from(most).expect("few"));
    !task.is_expanded || (family::form(run, task) == Form::Rounds && behind < most)
}
