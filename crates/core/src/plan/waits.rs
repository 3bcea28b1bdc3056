//! Tasks that emit a message, and tasks that wait for one. Never: an expression for a topic, since who can wake whom is
//! known before a run starts.

use std::collections::{BTreeMap, BTreeSet};

use super::check::Owner;
use super::diagnostic::{Code, Findings, Mark};
use super::layers::TimeoutLayer;
use super::node::{Entry, Node, Tree};
use super::subplans::OF_ATTEMPTS;
use super::{Plan, Task, WaitFor, Work, tasks};
use crate::template::nearest;
use crate::time::Time;

/// How long the name of a topic may be, in bytes.
const TOPIC_BYTES_MAX: usize = 128;

/// What a task is that emits or waits.
pub(super) fn read(
    entry: &Entry<'_>,
    owner: Owner<'_>,
    places: &BTreeMap<&str, usize>,
    findings: &mut Findings,
) -> Option<Work> {
    let node = &entry.value;
    if let Some(emit) = node.get("emit") {
        refuse_settings(node, "emit", findings);
        let topic = topic(emit.get("topic")?, findings)?;
        return Some(Work::Emit { topic, data: emit.get("data").map(Node::json).unwrap_or_default() });
    }
    let wait = node.get("wait_for")?;
    refuse_settings(node, "wait_for", findings);
    let (key, written) = kind_of_wait(wait, findings)?;
    match key {
        "after" => return Some(Work::Wait(WaitFor::After(written.text()?.parse().ok()?))),
        "at" => return date(written, findings).map(|date| Work::Wait(WaitFor::At(date))),
        _ => {}
    }
    let topic = topic(written, findings)?;
    let matches = tasks::condition("match", wait.get("match"), findings);
    let since = match wait.get("since") {
        Some(since) => Some(needed(since, owner, places, findings)?),
        None => None,
    };
    let external = matches!(wait.get("external").map(|node| &node.tree), Some(Tree::Bool(true)));
    Some(Work::Wait(WaitFor::Topic { topic, matches, since, external }))
}

/// What is waited for: a topic, a moment or a length of time.
fn kind_of_wait<'n>(wait: &'n Node<'n>, findings: &mut Findings) -> Option<(&'static str, &'n Node<'n>)> {
    let kinds = ["topic", "at", "after"].into_iter().filter_map(|key| Some((key, wait.get(key)?)));
    let kinds: Vec<(&str, &Node<'_>)> = kinds.collect();
    let (key, written) = match kinds.as_slice() {
        [one] => *one,
        [] => {
            let one_of = "name one of `topic: NAME`, `at: DATE` and `after: TIME`".to_owned();
            findings.error(Code::MissingKey, wait.at, "a wait is for something", Some(one_of));
            return None;
        }
        [(first, _), (second, at), ..] => {
            let message = format!("a wait can't have both `{first}` and `{second}`");
            findings.error(Code::BadValue, at.at, message, Some("make two tasks of it".to_owned()));
            return None;
        }
    };
    for entry in wait.entries().iter().filter(|_| key != "topic") {
        if ["match", "since", "external"].contains(&entry.key.as_ref()) {
            let message = format!("`{}` says something only beside `topic`", entry.key);
            findings.error(Code::BadValue, entry.at, message, Some("leave it out".to_owned()));
        }
    }
    Some((key, written))
}

/// A moment in RFC 3339, in any zone.
fn date(node: &Node<'_>, findings: &mut Findings) -> Option<Time> {
    let text = node.text()?;
    if let Some(date) = moment(text) {
        return Some(date);
    }
    let (message, hint) = if text.contains("{{") || text.contains("{%") {
        ("`at` can't be an expression".to_owned(), "write the date as it is")
    } else {
        let hint = "write it as in `2026-01-31T08:00:00Z` or `2026-01-31T08:00:00+01:00`";
        (format!("`{text}` is no moment in RFC 3339"), hint)
    };
    findings.error(Code::BadValue, node.at, message, Some(hint.to_owned()));
    None
}

fn moment(text: &str) -> Option<Time> {
    let parsed = |local: &str| {
        let moment: Time = local.parse().ok()?;
        // A day that its month does not have would be one of the next.
        (moment.to_string().get(..10) == local.get(..10)).then_some(moment)
    };
    if text.ends_with(['Z', 'z']) {
        return parsed(text);
    }
    let cut = text.len().checked_sub("+00:00".len())?;
    let (local, zone) = (text.get(..cut)?, text.get(cut..)?);
    let sign = match zone.get(..1)? {
        "+" => 1,
        "-" => -1,
        _ => return None,
    };
    let number = |digits: &str, below: i64| {
        let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse().ok().filter(|number: &i64| is_number && *number < below)
    };
    let (hours, minutes) = zone[1..].split_once(':')?;
    let ahead_ms = (number(hours, 24)? * 60 + number(minutes, 60)?) * 60_000;
    let local = parsed(&format!("{local}Z"))?;
    Some(Time::from_ms(local.ms - sign * ahead_ms))
}

/// The name of a topic.
fn topic(node: &Node<'_>, findings: &mut Findings) -> Option<String> {
    let name = node.text()?;
    let mut bytes = name.bytes();
    let begins = bytes.next().is_some_and(|first| first.is_ascii_alphanumeric() || first == b'_');
    let is_name = begins && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"_.:/-".contains(&byte));
    let (message, hint) = if name.contains("{{") || name.contains("{%") {
        let hint = "name it as it is, put what differs into `data`, and let `match` look at that: \
                    who can emit a topic must be known before the plan starts";
        ("a topic can't be an expression".to_owned(), hint)
    } else if name.len() > TOPIC_BYTES_MAX {
        (format!("the name of a topic has at most {TOPIC_BYTES_MAX} characters"), "take a shorter one")
    } else if !is_name {
        let hint =
            "names are letters, digits and any of `_ . : / -`, and begin with a letter, a digit or `_`";
        (format!("`{name}` can't be the name of a topic"), hint)
    } else {
        return Some(name.to_owned());
    };
    findings.error(Code::BadName, node.at, message, Some(hint.to_owned()));
    None
}

/// The task after whose success messages count.
fn needed(
    node: &Node<'_>,
    owner: Owner<'_>,
    places: &BTreeMap<&str, usize>,
    findings: &mut Findings,
) -> Option<usize> {
    let name = node.text()?;
    match places.get(name) {
        Some(place) if owner.needs(*place) => return Some(*place),
        Some(_) => {
            let message = format!("`{}` waits since `{name}` without needing it", owner.name);
            let hint = format!("add `{name}` to its `needs`");
            findings.error(Code::MissingNeed, node.at, message, Some(hint));
        }
        None => tasks::no_such_task(name, node.at, places, findings),
    }
    None
}

/// Reports what says something of attempts, of which a task has none that emits or waits. The limit of a wait is its
/// `timeout`.
fn refuse_settings(node: &Node<'_>, work: &str, findings: &mut Findings) {
    let is_topic = node.get("wait_for").is_some_and(|wait| wait.get("topic").is_some());
    let is_bound = |key: &str| key == "timeout" && is_topic;
    for entry in node.entries() {
        let key = entry.key.as_ref();
        if (OF_ATTEMPTS.contains(&key) || key == "budget") && !is_bound(key) {
            let message = format!("`{key}` says nothing beside `{work}`");
            let hint = "leave it out: nothing is started for such a task".to_owned();
            findings.error(Code::BadValue, entry.at, message, Some(hint));
        }
    }
}

/// Reports who is to work on what nobody is asked to work on.
pub(super) fn refuse_workers(node: &Node<'_>, findings: &mut Findings) {
    let works = [("run", "a command is its own program"), ("approval", "a person answers it")];
    let is_work = |(work, _): &(&str, &str)| node.get(work).is_some() && node.get("prompt").is_none();
    let Some((work, why)) = works.into_iter().find(is_work) else { return };
    for entry in node.entries().iter().filter(|entry| ["agent", "balance"].contains(&entry.key.as_ref())) {
        let message = format!("`{}` says nothing beside `{work}`", entry.key);
        let hint = format!("leave it out: {why}; an agent works on a `prompt`");
        findings.error(Code::BadValue, entry.at, message, Some(hint));
    }
}

/// Whether a task, or its children, are carried out by attempts.
pub(super) fn has_attempts(node: &Node<'_>) -> bool {
    ["prompt", "run", "plan"].iter().any(|work| node.get(work).is_some())
}

/// Reports limits of time that say nothing of a wait for a person or a message: it has one, as a whole.
pub(super) fn refuse_limits(node: &Node<'_>, findings: &mut Findings) {
    let is_message = node.get("wait_for").is_some_and(|wait| wait.get("topic").is_some());
    let what = match (node.get("approval"), is_message) {
        (Some(_), _) => "an approval",
        (None, true) => "a wait for a message",
        (None, false) => return,
    };
    let own = node.entries().iter().find(|entry| entry.key == "budget");
    if let Some(own) = own.filter(|_| node.get("approval").is_some()) {
        let hint = "say how long it may wait as `timeout`".to_owned();
        findings.error(Code::BadValue, own.at, "`budget` says nothing of an approval", Some(hint));
    }
    let limits = node.get("timeout").map(Node::entries).unwrap_or_default();
    for limit in limits.iter().filter(|limit| limit.key != "schedule_to_close") {
        let message = format!("`timeout.{}` says nothing of {what}", limit.key);
        let hint = "say how long it may wait in all, as in `timeout: 2h`".to_owned();
        findings.error(Code::BadValue, limit.at, message, Some(hint));
    }
}

/// Reports replicas of a task that emits or waits.
pub(super) fn refuse_replicas(node: &Node<'_>, key: &str, findings: &mut Findings) {
    let Some(replicas) = node.get(key).filter(|_| key == "replicas") else { return };
    let (message, hint) = if node.get("emit").is_some() {
        ("an emit can't have `replicas`", "emit once; for several messages there is `for_each`")
    } else if node.get("wait_for").is_some() {
        ("a wait can't have `replicas`", "wait once, and let what follows need it")
    } else {
        return;
    };
    findings.error(Code::BadValue, replicas.at, message, Some(hint.to_owned()));
}

/// The limits of time of a task: a bare `timeout` of a wait, for a person or a message, is that of the whole wait.
pub(super) fn bound(node: &Node<'_>, limits: &TimeoutLayer) -> TimeoutLayer {
    let is_wait = node.get("wait_for").is_some() || node.get("approval").is_some();
    let own = node.get("timeout").filter(|own| is_wait && own.text().is_some());
    let bare = own.and_then(|own| TimeoutLayer::read(own).start_to_close);
    TimeoutLayer { schedule_to_close: bare.or(limits.schedule_to_close), ..limits.clone() }
}

/// The topics on which a task emits.
pub(super) fn emits(work: &Work) -> Vec<String> {
    match work {
        Work::Emit { topic, .. } => vec![topic.clone()],
        Work::Plan(sub) => {
            let all: BTreeSet<&String> = sub.plan.tasks.iter().flat_map(|task| &task.emits).collect();
            all.into_iter().cloned().collect()
        }
        Work::Prompt { .. } | Work::Argv(_) | Work::Shell(_) | Work::Approval { .. } | Work::Wait(_) => {
            Vec::new()
        }
    }
}

/// Warns of topics that are waited for and that nothing emits.
pub(super) fn warn_of_silence(entries: &[Entry<'_>], tasks: &[Task], findings: &mut Findings) {
    let emitted: BTreeSet<&str> = tasks.iter().flat_map(|task| &task.emits).map(String::as_str).collect();
    for (entry, task) in entries.iter().zip(tasks) {
        let mut heard = Vec::new();
        waited_for(task, &mut heard);
        for topic in heard.into_iter().filter(|topic| !emitted.contains(topic)) {
            let hint = nearest(topic, emitted.iter().copied()).map(|near| format!("did you mean `{near}`?"));
            let message = format!("nothing emits the topic `{topic}`, which `{}` waits for", entry.key);
            findings.warning(Code::SilentTopic, mark(entry), message, hint);
        }
    }
}

/// The topics that a task, or a task of the plan that it is, waits for.
fn waited_for<'t>(task: &'t Task, heard: &mut Vec<&'t str>) {
    match &task.work {
        Work::Wait(WaitFor::Topic { topic, external: false, .. }) => heard.push(topic),
        Work::Plan(sub) => {
            let plan: &Plan = &sub.plan;
            plan.tasks.iter().for_each(|task| waited_for(task, heard));
        }
        Work::Prompt { .. }
        | Work::Argv(_)
        | Work::Shell(_)
        | Work::Approval { .. }
        | Work::Emit { .. }
        | Work::Wait(_) => {}
    }
}

fn mark(entry: &Entry<'_>) -> Mark {
    let topic = entry.value.get("wait_for").and_then(|wait| wait.get("topic"));
    topic.or_else(|| entry.value.get("plan")).map_or(entry.at, |node| node.at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_may_stand_in_any_zone() {
        let told = |text: &str| moment(text).map(|moment| moment.to_string());
        let noon = Some("2026-01-31T12:00:00.000Z".to_owned());
        for text in [
            "2026-01-31T12:00:00Z",
            "2026-01-31 12:00:00z",
            "2026-01-31T13:30:00+01:30",
            "2026-01-31T07:00:00.0-05:00",
        ] {
            assert_eq!(told(text), noon, "{text}");
        }
        assert_eq!(told("2026-03-01T00:30:00+01:00").as_deref(), Some("2026-02-28T23:30:00.000Z"));
        for text in [
            "",
            "noon",
            "2026-02-30T12:00:00Z",
            "2026-01-31T12:00:00",
            "2026-01-31T12:00:00+1:00",
            "2026-01-31T12:00:00+24:00",
            "2026-01-31",
            "é2026-01-31T12:00:00+01:0é",
        ] {
            assert_eq!(told(text), None, "{text}");
        }
    }
}
