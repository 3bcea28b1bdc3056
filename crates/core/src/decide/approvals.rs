//! What people are asked: the question, what is shown with it, and the question anew where that has changed.
//! Never: the answer (`command.rs`).

use std::collections::BTreeMap;

use crate::decide::{Stamp, judge};
use crate::event::Event;
use crate::failure::{ErrorKind, Failure};
use crate::id::{Digest, TaskId};
use crate::plan::Work;
use crate::size;
use crate::state::render::View;
use crate::state::{Approval, Run, State, Task, TaskIx};

/// How long the text of an approval may be, in bytes of JSON.
const TEXT_BYTES_MAX: usize = 64 * 1024;

/// The digests of what is shown with a question, as it is now.
fn shown(run: &Run, task: &Task) -> BTreeMap<TaskId, Digest> {
    let Work::Approval { show, .. } = &run.spec(task).work else { unreachable!("only approvals ask") };
    let shown = show.iter().map(|place| run.task(run.beside(task, *place)));
    let digest =
        |task: &Task| Digest::of(&serde_json::to_vec(&run.given(task)).expect("outputs are plain data"));
    shown.map(|task| (task.id.clone(), digest(task))).collect()
}

/// The question anew, under another id, where what it shows has changed since it was asked.
pub(crate) fn ask_again(state: &State, run: &Run, ix: TaskIx, asked: &Approval, stamp: Stamp) -> Vec<Event> {
    let task = run.task(ix);
    if task.cancel_wished || asked.digests == shown(run, task) {
        return Vec::new();
    }
    question(state, run, ix, stamp)
}

/// The question, or the death of a task that can't ask it.
pub(crate) fn question(state: &State, run: &Run, ix: TaskIx, stamp: Stamp) -> Vec<Event> {
    let task = run.task(ix);
    let Work::Approval { text, .. } = &run.spec(task).work else { unreachable!("only approvals ask") };
    let failure = match text.render_text(&View::of(run, ix)) {
        Ok(text) => match ask(state, run, task, text, stamp) {
            Ok(asked) => return vec![asked],
            Err(failure) => failure,
        },
        Err(failure) => failure.within("approval"),
    };
    vec![judge::dead(run, task, None, failure)]
}

fn ask(state: &State, run: &Run, task: &Task, text: String, stamp: Stamp) -> Result<Event, Failure> {
    let bytes = size::of(&text);
    if bytes > TEXT_BYTES_MAX {
        let message = format!("its text is {bytes} bytes of JSON, over the {TEXT_BYTES_MAX} that are kept");
        return Err(
            Failure::new(ErrorKind::InvalidOutput, message).hint("name the task under `show` instead")
        );
    }
    // What an answer was given to is gone with the attempt that asked: whether it holds again only people can say.
    let text = match run.answered_before(task) {
        Some(before) => format!("{text} ({before})"),
        None => text,
    };
    let digests = shown(run, task);
    let name = format!("{}/{}/{}", run.id, task.id, state.head.next());
    let id = Digest::of(name.as_bytes()).to_string()[..8].to_owned();
    let due = run.spec(task).timeout.schedule_to_close.map(|bound| stamp.now.after(bound));
    let shows = digests.len();
    let asked = Event::ApprovalRequested { run: run.id, task: task.id.clone(), id, text, digests, due };
    if size::too_large(&asked) {
        let message = format!("it shows {shows} tasks, more than a record of the journal can name");
        return Err(Failure::new(ErrorKind::InvalidOutput, message).hint("show fewer tasks"));
    }
    Ok(asked)
}

/// The failure of a task whose question nobody answered in time.
pub(crate) fn expired(run: &Run, task: &Task) -> Failure {
    let bound = run.spec(task).timeout.schedule_to_close.unwrap_or_default();
    Failure::new(ErrorKind::Expired, format!("nobody answered within {bound}"))
        .hint(format!("`windlass retry {} {}` asks anew; `timeout` says how long it waits", run.id, task.id))
}
