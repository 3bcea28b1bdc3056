//! Every key of a plan: its name, what it may hold, what it is for, and whether it is built. Never: code.

use super::LIMIT_MAX;
use super::gates::GATE;
use super::inputs::TYPES;
use super::shape::Kind::{
    Any, Bytes, Choice, Condition, Either, Length, List, Map, Number, Rate, Scalar, Schema, Shape as Of,
    Signed, Template, Text, Truth, Whole, Word,
};
use super::shape::{Kind, Shape, key, later, must, partly};

const LIMIT: u64 = LIMIT_MAX as u64;
const COUNT: Kind = Whole(1, LIMIT);
const TEXTS: Kind = List(&Text);
/// A command: a list is argv, a text goes through the shell.
pub(super) const COMMAND: Kind = Either(&[Template, List(&Scalar)]);
const TIMES: Kind = Either(&[Kind::Limit, Of(&TIMEOUT)]);

/// The adapters that the language knows.
pub(super) const ADAPTERS: &[&str] =
    &["command", "scripted", "claude", "codex", "gemini", "opencode", "acp", "http"];
/// Those that are built.
pub(super) const ADAPTERS_BUILT: &[&str] = &["command", "scripted"];

/// The ways to choose among several agents that the language knows.
const BALANCES: &[&str] = &["round_robin", "least_loaded", "weighted", "auction"];
/// Those that are built.
const BALANCES_BUILT: &[&str] = &["round_robin", "least_loaded", "weighted"];

/// The keys that say what a task does; each task has one of them.
pub(super) const WORKS: [&str; 6] = ["prompt", "run", "plan", "approval", "emit", "wait_for"];

/// A plan's file.
#[rustfmt::skip]
pub(super) static PLAN: Shape = Shape {
    name: "plan", called: "a plan",
    about: "A goal with its tasks, which Windlass runs in the order that their needs allow.",
    fields: &[
        key("$schema", Text, "The address of this schema, for editors."),
        key("version", Whole(1, 1), "The version of the language: 1."),
        key("goal", Text, "What is wanted, in a sentence."),
        key("agents", Map(&Of(&AGENT)), "Named ways to do work, over those of windlass.toml."),
        key("defaults", Of(&DEFAULTS), "What tasks take where they say nothing themselves."),
        key("budget", Of(&BUDGET), "What the run may use in all."),
        key("limits", Of(&LIMITS), "Caps over the whole tree of the run."),
        later("target", Either(&[Word(&["run", "current"]), Of(&TARGET)]),
            "Where accepted work lands: a branch of the run, the current one, or a command."),
        key("concurrency", COUNT, "How many attempts of the run may be in flight at the same time."),
        must("tasks", Map(&Of(&TASK)), "The tasks by their names: `[A-Za-z_][A-Za-z0-9_-]{0,63}`."),
        key("inputs", Map(&Of(&INPUT)), "Values that `--input name=value` gives, for templates."),
        key("weight", COUNT, "The run's share where several runs compete for slots; 1 if nothing is said."),
        key("nested", Truth, "Whether its tasks may start runs in other homes."),
    ],
};

/// A task.
#[rustfmt::skip]
pub(super) static TASK: Shape = Shape {
    name: "task", called: "a task",
    about: "A node of the plan. One of prompt, run, plan, approval, emit and wait_for says what it does.",
    fields: &[
        key("prompt", Template, "What an agent is asked."),
        key("run", COMMAND, "A command: a list is a program with its arguments, a text goes through the shell."),
        key("plan", Either(&[Text, Of(&MANAGED)]), "A sub-plan: a file, from the folder of the plan, or a manager that writes it."),
        key("inputs", Map(&Any), "The inputs of the sub-plan."),
        key("approval", Either(&[Template, Of(&APPROVAL)]), "What a person is asked to say yes or no to."),
        key("emit", Of(&EMIT), "A message for those who wait for its topic."),
        key("wait_for", Of(&WAIT), "A topic, a moment or a length of time to wait for."),
        key("needs", TEXTS, "The tasks it depends on."),
        key("join", Either(&[Word(&["all", "any"]), COUNT]), "How many of them must have succeeded: all, any, or a number."),
        key("when", Condition, "It starts only if this is true; otherwise it is skipped."),
        key("for_each", Either(&[Template, List(&Any)]), "One child for each item of this list."),
        key("max_parallel", COUNT, "How many attempts of its children may be in flight at the same time, those of all their sub-plans together."),
        key("replicas", COUNT, "How many children do the same, to choose among what they give."),
        partly("select", Word(&["first", "majority", "best", "all"]), &["first", "majority", "all"],
            "How one of the replicas is chosen; `all` gives the list of what they gave."),
        later("judge", Text, "The agent that chooses the best."),
        later("k", COUNT, "How many votes decide."),
        later("max", COUNT, "How many rounds there are at most."),
        later("bids", COUNT, "How many bids an auction waits for."),
        key("repeat", Of(&REPEAT), "Rounds until a condition holds."),
        key("agent", Either(&[Template, TEXTS]), "Who works on the prompt."),
        partly("balance", Word(BALANCES), BALANCES_BUILT, "How one of several agents is chosen."),
        partly("workspace", Word(&["shared", "scratch", "worktree"]), &["shared", "worktree"],
            "Where it works: the run's folder, an empty one, or a git worktree and branch of its own."),
        later("gates", List(&Choice(&GATE)), "Checks that its result must pass."),
        key("timeout", TIMES, "Limits of time; a bare value is start_to_close."),
        key("retry", Of(&RETRY), "How failed attempts are tried again."),
        key("budget", Of(&BUDGET), "What it may use in all, its children included."),
        key("priority", Signed(-100, 100), "Higher goes first; 0 if nothing is said. Ten minutes of waiting make up for 1."),
        key("optional", Truth, "Whether the run may succeed without it."),
        key("rerun", Word(&["safe", "never"]), "Whether an attempt of unknown outcome may simply be repeated."),
        later("commit", Word(&["auto", "require"]), "Who commits what it leaves in its worktree."),
        key("cancel_rest", Truth, "Whether the other needs are cancelled once the join is met."),
        later("touches", TEXTS, "The files that it will change, as globs."),
        later("setup", COMMAND, "A command that prepares its worktree."),
        later("copy", TEXTS, "Ignored files to copy into its worktree."),
        later("link", TEXTS, "Ignored files to link into its worktree."),
        later("ports", Either(&[COUNT, TEXTS]), "Ports to keep free for it."),
        later("merge_attempts", COUNT, "How often a conflict is tried again."),
        key("output", Of(&OUTPUT), "What its output must be."),
        key("env", Map(&Scalar), "Variables of its own."),
        key("pass", TEXTS, "Globs of names of surrounding variables that are let through."),
        key("dir", Template, "Its working directory, inside the run's folder."),
        key("memory", Bytes, "The most memory that its processes may use together."),
    ],
};

/// What tasks take where they say nothing themselves.
#[rustfmt::skip]
pub(super) static DEFAULTS: Shape = Shape {
    name: "defaults", called: "the defaults",
    about: "What tasks take where they say nothing themselves; timeout, retry, budget and env are merged key by key.",
    fields: &[
        key("agent", Either(&[Template, TEXTS]), "Who works on prompts."),
        partly("balance", Word(BALANCES), BALANCES_BUILT, "How one of several agents is chosen."),
        partly("workspace", Word(&["shared", "scratch", "worktree"]), &["shared", "worktree"], "Where tasks work."),
        later("gates", List(&Choice(&GATE)), "Checks that results must pass."),
        key("timeout", TIMES, "Limits of time; a bare value is start_to_close."),
        key("retry", Of(&RETRY), "How failed attempts are tried again."),
        key("budget", Of(&BUDGET), "What each task may use in all, its children included."),
        key("priority", Signed(-100, 100), "Higher goes first."),
        key("rerun", Word(&["safe", "never"]), "Whether an attempt of unknown outcome may simply be repeated."),
        later("commit", Word(&["auto", "require"]), "Who commits what tasks leave in their worktrees."),
        later("setup", COMMAND, "A command that prepares worktrees."),
        later("copy", TEXTS, "Ignored files to copy into worktrees."),
        later("link", TEXTS, "Ignored files to link into worktrees."),
        later("merge_attempts", COUNT, "How often a conflict is tried again."),
        key("env", Map(&Scalar), "Variables of all tasks."),
        key("pass", TEXTS, "Globs of names of surrounding variables that are let through."),
        key("dir", Template, "The working directory, inside the run's folder."),
        key("memory", Bytes, "The most memory that a task's processes may use together."),
    ],
};

/// A named way to do work.
#[rustfmt::skip]
pub(super) static AGENT: Shape = Shape {
    name: "agent", called: "an agent",
    about: "A named way to do work: an adapter with its settings.",
    fields: &[
        partly("adapter", Word(ADAPTERS), ADAPTERS_BUILT, "The code that drives it."),
        key("program", Text, "The program to start: a path, or a name on PATH."),
        key("args", TEXTS, "Arguments, after the adapter's own."),
        later("model", Text, "The model that it uses."),
        key("env", Map(&Scalar), "Variables of its own."),
        later("secrets", TEXTS, "Names of surrounding variables that are passed through and redacted."),
        key("concurrency", COUNT, "How many of its attempts may be in flight at the same time."),
        key("rate", Rate, "How many attempts may start in a time, as `30/min`."),
        key("weight", COUNT, "Its share where work is balanced by weight."),
        key("fallback", TEXTS, "Who takes over, in this order."),
        key("memory", Bytes, "The most memory that an attempt's processes may use together."),
        later("permissions", Word(&["read", "edit", "all"]), "What it may do."),
        later("sandbox", Word(&["none", "bwrap", "landlock", "pid"]), "What it is locked into."),
        later("network", Word(&["none"]), "Whether it reaches the network."),
        key("account", Text, "Agents of one account share breaker, rate and pauses."),
        later("resume", Truth, "Whether its sessions are resumed."),
        later("price", Any, "What its tokens cost."),
        later("labels", TEXTS, "What workers must offer to run it."),
    ],
};

#[rustfmt::skip]
static BUDGET: Shape = Shape {
    name: "budget", called: "a budget",
    about: "What may be used in all.",
    fields: &[
        later("usd", Number(0.0, 1e9), "Money, in dollars."),
        later("tokens", Whole(0, u64::MAX), "Tokens."),
        key("wall", Length(false), "Time in which it is worked on."),
        key("attempts", COUNT, "Attempts that are charged."),
        later("turns", COUNT, "Turns of agents."),
        later("resumes", Whole(0, LIMIT), "Resumed sessions."),
    ],
};

/// Caps.
#[rustfmt::skip]
pub(super) static LIMITS: Shape = Shape {
    name: "limits", called: "the limits",
    about: "Caps over the whole tree of a run.",
    fields: &[
        key("tasks", COUNT, "Tasks, children included; 1000 if nothing is said."),
        key("fan_out", COUNT, "Children of one parent; 100 if nothing is said."),
        key("depth", COUNT, "Levels of tasks; 3 if nothing is said. The plan's own tasks are level 1."),
    ],
};

#[rustfmt::skip]
static TARGET: Shape = Shape {
    name: "target", called: "a target",
    about: "A command that brings accepted work to where it belongs.",
    fields: &[
        must("command", COMMAND, "What brings it there."),
        key("lookup", COMMAND, "What says whether it is there already."),
    ],
};

/// An input.
#[rustfmt::skip]
pub(super) static INPUT: Shape = Shape {
    name: "input", called: "an input",
    about: "A value that whoever starts the run can give.",
    fields: &[
        must("type", Word(TYPES), "Its type."),
        key("default", Any, "What it is if nothing is given; without it something must be."),
        key("description", Text, "What it is for."),
    ],
};

#[rustfmt::skip]
static MANAGED: Shape = Shape {
    name: "managed", called: "a managed plan",
    about: "A sub-plan that an agent writes when it is reached.",
    fields: &[
        must("manager", Text, "The agent that writes it."),
        must("goal", Template, "What it is for."),
    ],
};

#[rustfmt::skip]
static APPROVAL: Shape = Shape {
    name: "approval", called: "an approval",
    about: "What a person is asked to say yes or no to.",
    fields: &[
        must("text", Template, "The question."),
        key("show", TEXTS, "The tasks whose outputs are shown with it."),
    ],
};

#[rustfmt::skip]
static EMIT: Shape = Shape {
    name: "emit", called: "an emit",
    about: "A message for those who wait for its topic.",
    fields: &[
        must("topic", Text, "The topic: letters, digits, and any of `_ . : / -`."),
        key("data", Any, "What it says; null if nothing is said. Its texts are templates."),
    ],
};

#[rustfmt::skip]
static WAIT: Shape = Shape {
    name: "wait_for", called: "a wait",
    about: "A topic, a moment or a length of time to wait for.",
    fields: &[
        key("topic", Text, "The topic."),
        key("match", Condition, "Which of its messages count: an expression over `data`; all if nothing is said."),
        key("since", Text, "Only what came after this task's success counts."),
        key("external", Truth, "Whether others than this run's tasks may emit it."),
        key("at", Text, "A moment, in RFC 3339: `2026-01-31T08:00:00+01:00`."),
        key("after", Length(false), "A length of time."),
    ],
};

#[rustfmt::skip]
static REPEAT: Shape = Shape {
    name: "repeat", called: "a repeat",
    about: "Rounds until a condition holds.",
    fields: &[
        key("until", Condition, "What ends the rounds; it sees the last round as `tasks.NAME`. Without it there are `max`."),
        must("max", COUNT, "How many rounds there are at most."),
    ],
};

#[rustfmt::skip]
static OUTPUT: Shape = Shape {
    name: "output", called: "an output",
    about: "What a task's output must be.",
    fields: &[key("schema", Schema, "The JSON Schema that it must hold against.")],
};

/// Limits of time.
#[rustfmt::skip]
pub(super) static TIMEOUT: Shape = Shape {
    name: "timeout", called: "a timeout",
    about: "Limits of time; `none` lifts one.",
    fields: &[
        key("schedule_to_start", Kind::Limit, "From ready to started."),
        key("start_to_close", Kind::Limit, "One attempt; 60m for prompts if nothing is said."),
        key("heartbeat", Kind::Limit, "Silence: no output and no use of the processor; 10m for prompts if nothing is said."),
        key("schedule_to_close", Kind::Limit, "All attempts together, waits included, the one for its first start too; 24h if nothing is said."),
        key("grace", Length(false), "From the polite stop to the hard one; 10s if nothing is said."),
    ],
};

/// How failed attempts are tried again.
#[rustfmt::skip]
pub(super) static RETRY: Shape = Shape {
    name: "retry", called: "a retry",
    about: "How failed attempts are tried again.",
    fields: &[
        key("initial_interval", Length(false), "The ceiling of the first wait; 1s if nothing is said."),
        key("backoff_coefficient", Number(1.0, 1000.0), "By how much the ceiling grows; 2.0 if nothing is said."),
        key("max_interval", Length(false), "The highest ceiling; 60s if nothing is said."),
        key("jitter", Word(&["full", "none"]), "Whether the wait is drawn from below the ceiling."),
        key("max_attempts", COUNT, "How many attempts there are; 5 for prompts, 1 for commands if nothing is said."),
        key("losses_max", COUNT, "How many losses there are before a task counts as poison; 3 if nothing is said."),
        key("non_retryable", List(&Kind::Failing), "Kinds of error that are not tried again."),
    ],
};

/// windlass.toml.
#[rustfmt::skip]
pub(super) static SETTINGS: Shape = Shape {
    name: "settings", called: "windlass.toml",
    about: "Settings of a person or a project.",
    fields: &[
        key("agents", Map(&Of(&AGENT)), "Named ways to do work."),
        key("defaults", Of(&DEFAULTS), "What tasks take where neither they nor their plan say anything."),
        key("limits", Of(&LIMITS), "Caps for plans that set none."),
        key("home", Of(&HOME), "Where the state lives."),
        key("checks", Map(&Text), "Commands that check this project, by name."),
        later("on_finish", COMMAND, "A command that is run when a run has ended."),
    ],
};

/// Where the state lives.
#[rustfmt::skip]
pub(super) static HOME: Shape = Shape {
    name: "home", called: "the home",
    about: "Room on the disk.",
    fields: &[
        key("reserve", Bytes, "What is kept free for the journal; 64MiB if nothing is said."),
        key("min_free", Bytes, "Below this nothing starts; 256MiB if nothing is said."),
        later("keep", Length(true), "How long ended runs are kept."),
    ],
};
