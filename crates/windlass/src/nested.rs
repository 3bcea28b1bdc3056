//! Windlass called from within a task: a run that it starts is a part of the run around it, and nothing there may wait for
//! what waits for that task. Never: refusing a look, or steering, which wait for nothing.

use std::sync::Arc;
use std::thread;

use windlass_core::id::AttemptKey;
use windlass_engine::handle::NewRun;
use windlass_engine::reading::Reading;
use windlass_worker::environment::{NESTED, count_of, home_of_innermost, innermost, innermost_of};

use crate::cli::run::Hosting;
use crate::desk::Desk;
use crate::error::{Outcome, Report};
use crate::exit::Exit;
use crate::following::Following;
use crate::opening::OWNERS;
use crate::part::Part;
use crate::reaching::BETWEEN_TRIES;
use crate::socket::{BY_BYTES_MAX, Client, Lost, Reply, Request};
use crate::surroundings::Surroundings;
use crate::{calling, reaching, signals};

/// From where a command is called that starts runs, or goes on with them.
pub(crate) enum Caller {
    /// From outside all runs.
    Person,
    /// From within an attempt of this home.
    Attempt(AttemptKey),
    /// From within an attempt of another home, by whose plan there may be so many levels of attempts from here on.
    Elsewhere {
        /// How many.
        levels: u32,
    },
}

impl Caller {
    /// Who calls; `what` that is for, in words. Who may not do it in this home is refused.
    pub(crate) fn of(desk: &Desk, what: &str) -> Outcome<Self> {
        let Some(marks) = desk.surroundings.text(OWNERS) else { return Ok(Self::Person) };
        let home = Reading::open(&desk.place.home).ok().and_then(|reading| reading.home_id());
        if let Some((home, key)) = home.and_then(|home| Some((home.clone(), innermost_of(&home, marks)?))) {
            if home_of_innermost(marks) == Some(&home) {
                return Ok(Self::Attempt(key));
            }
            let report =
                Report::new(Exit::Failed, format!("a task of a run can't {what} in a home around its own"))
                    .cause(format!(
                        "{key}, an attempt of that home, is around this one, and would not end with it"
                    ))
                    .hint("use the home of the run that this is a task of".to_owned());
            return Err(report.into());
        }
        if let Some(levels) = levels_elsewhere(&desk.surroundings) {
            return Ok(Self::Elsewhere { levels });
        }
        let report = Report::new(Exit::Failed, format!("a task of a run can't {what} in another home"))
            .cause(format!("{OWNERS} is set: this is called from within an attempt, of another home than this"))
            .cause("the plan of that attempt's run does not say `nested: true`")
            .hint(
                "use the home of the run around it, which is what WINDLASS_HOME says there; or let that plan say \
                 `nested: true`"
                    .to_owned(),
            );
        Err(report.into())
    }

    /// Refuses what a run within a task can't do.
    pub(crate) fn refuse_options(&self, hosting: &Hosting) -> Outcome<()> {
        if let Self::Person = self {
            return Ok(());
        }
        if hosting.detach {
            let report = Report::usage("a run within a task can't be detached from it")
                .cause("it ends with the attempt that started it")
                .hint("leave `--detach` out: the command waits for its end".to_owned());
            return Err(report.into());
        }
        if hosting.yes {
            let report = Report::usage("a task can't answer with `--yes` what a person is asked")
                .cause("who may answer is who started the run around it")
                .hint(match self {
                    Self::Elsewhere { .. } => {
                        "leave `--yes` out: a person answers by `windlass approve`".to_owned()
                    }
                    Self::Person | Self::Attempt(_) => {
                        "leave `--yes` out: that of the run around it answers what is asked here, too"
                            .to_owned()
                    }
                });
            return Err(report.into());
        }
        Ok(())
    }

    /// Refuses so many levels of attempts in another home, where those around this have used up what there may be.
    pub(crate) fn refuse_depth(&self, desk: &Desk, wanted: usize) -> Outcome<()> {
        let Self::Elsewhere { levels } = *self else { return Ok(()) };
        let left = usize::try_from(levels).unwrap_or(usize::MAX);
        if wanted <= left {
            return Ok(());
        }
        let around = desk.surroundings.text(OWNERS).map_or(0, count_of);
        let report = Report::new(Exit::Failed, "the runs around this go too deep for another")
            .cause(format!(
                "with it there would be {} levels of attempts, and the plans around it allow {}",
                around + wanted,
                around + left
            ))
            .hint(
                "a plan that starts itself would go on for ever; if it is meant, raise `depth` under `limits` of the \
                 outermost plan"
                    .to_owned(),
            );
        Err(report.into())
    }
}

/// Who asks, for the journal: the command line, or the attempt within which it is.
pub(crate) fn asker(desk: &Desk) -> String {
    let marks = desk.surroundings.text(OWNERS);
    let Some((marks, key)) = marks.and_then(|marks| Some((marks, innermost(marks)?))) else {
        return "cli".into();
    };
    let home = Reading::open(&desk.place.home).ok().and_then(|reading| reading.home_id());
    let is_ours = home.is_some_and(|home| home_of_innermost(marks) == Some(&home));
    let by = if is_ours { key.to_string() } else { format!("{key} of another home") };
    Some(by).filter(|by| by.len() <= BY_BYTES_MAX).unwrap_or_else(|| "a task".into())
}

/// How many levels of attempts the attempt around this lets a run in another home have; none where it lets none be.
pub(crate) fn levels_elsewhere(surroundings: &Surroundings) -> Option<u32> {
    surroundings.text(NESTED)?.parse().ok()
}

/// Makes the plan a sub-plan of the task from within which this is called, and follows that to its end.
pub(crate) fn run(desk: &mut Desk, new: &NewRun, within: AttemptKey, hosting: &Hosting) -> Outcome {
    signals::catch()?;
    if hosting.slots.is_some_and(|_| desk.surroundings.text("WINDLASS_SLOTS").is_none()) {
        desk.note("--slots is ignored: what runs within a task has the slots of the engine around it.");
    }
    if new.plan.concurrency.is_some() {
        desk.note("`concurrency` of this plan counts only where it is run by itself.");
    }
    let id = within.run;
    let asked = Request::Nest { new: Box::new(new.clone()), within };
    match ask(desk, &asked) {
        Ok((client, Reply::Nested { task, is_answered })) => {
            let followed = Following::new(hosting.json, false, desk)
                .part(desk, &Arc::new(Part { run: id, task, is_answered }))?;
            client.leave();
            Ok(followed)
        }
        Ok((_, Reply::Refused(why))) => Err(not_taken(why).into()),
        Ok((_, Reply::OverCap(why))) => {
            let hint = "the caps are those of the runs around it: their plans may raise them under `limits`";
            Err(not_taken(why).hint(hint.to_owned()).into())
        }
        Ok((_, Reply::TurnedAway { why, hint })) => Err(Report::environment(why).hint(hint).into()),
        Ok((_, Reply::Started(_) | Reply::NotYet(_) | Reply::Answer(_))) => Err(reaching::out_of_place()),
        Err(lost) => {
            let why = match lost {
                Lost::Closed => "the engine of the run around this is gone, or is ending",
                Lost::Silent => "the engine of the run around this does not answer",
            };
            Err(Report::environment("the plan was not taken").cause(why).into())
        }
    }
}

fn not_taken(why: String) -> Report {
    Report::new(Exit::Failed, "the plan was not taken").cause(why)
}

/// Asks for a nested run until the engine takes it or says no: one of the same plan may have to end first.
fn ask(desk: &mut Desk, asked: &Request) -> Result<(Client, Reply), Lost> {
    let mut client = reaching::connect(desk)?;
    let mut is_told = false;
    loop {
        let reply = client.ask(asked)?;
        let Reply::NotYet(why) = &reply else { return Ok((client, reply)) };
        if !std::mem::replace(&mut is_told, true) {
            desk.note(&format!("Waiting: {why}."));
        }
        thread::sleep(BETWEEN_TRIES);
    }
}

/// What is said of a wait for the very run that waits for it.
pub(crate) fn waits_for_itself() -> Report {
    Report::new(Exit::Failed, "a task of a run can't go on with a run")
        .cause(format!("{OWNERS} is set: this is called from within an attempt"))
        .hint(format!("`{}` carries a plan out within this task", calling::command("run").with("PLAN")))
}

/// Refuses what only people say, `what` in words: an agent that is asked to wait for them could say it in their place.
pub(crate) fn refuse_what_people_say(desk: &Desk, what: &str) -> Outcome<()> {
    if desk.surroundings.text(OWNERS).is_none() {
        return Ok(());
    }
    let report = Report::new(Exit::Failed, format!("a task of a run can't {what}"))
        .cause(format!("{OWNERS} is set: this is called from within an attempt"))
        .hint("leave it to a person, who does it from outside".to_owned());
    Err(report.into())
}

/// Refuses another plan for a run around this: what its owner wants people to be asked could be left out of it.
pub(crate) fn refuse_to_revise(desk: &Desk) -> Outcome<()> {
    let marks = desk.surroundings.text(OWNERS);
    let home = Reading::open(&desk.place.home).ok().and_then(|reading| reading.home_id());
    match home.zip(marks).and_then(|(home, marks)| innermost_of(&home, marks)) {
        Some(_) => refuse_what_people_say(desk, "change the plan of a run around it"),
        None => Ok(()),
    }
}

/// Refuses to follow what is under way in a home from within an attempt of that same home: it may wait for the end of
/// that attempt, or for the slot that it holds.
pub(crate) fn refuse_to_follow(desk: &Desk, reading: &Reading) -> Outcome<()> {
    let marks = desk.surroundings.text(OWNERS);
    let Some(key) = marks.zip(reading.home_id()).and_then(|(marks, home)| innermost_of(&home, marks)) else {
        return Ok(());
    };
    let report = Report::new(Exit::Failed, "this would wait for itself")
        .cause(format!("it is called from within {key}, an attempt of the same home"))
        .hint("look without `-f`; a task that is to come after another names it under `needs`".to_owned());
    Err(report.into())
}
