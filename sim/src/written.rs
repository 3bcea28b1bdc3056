//! A draft as the file that a user would write, so that it can't go beyond what users can write. Never: a choice.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use windlass_core::plan::Plan;
use windlass_core::plan::file::{self, Format, Options, PlanText, Source};
use windlass_core::plan::settings::Settings;

use crate::draft::{
    AgentDraft, From, Pick, PlanDraft, RetryDraft, Share, TaskDraft, TimeoutDraft, Until, Who, Work, name,
};
use crate::talk::Await;

/// The files of plans, by their names.
type Files = BTreeMap<String, String>;

impl TaskDraft {
    /// `path` is that of its plan, before which the files stand of the plans that it is.
    fn written(&self, path: &str, files: &mut Files) -> Value {
        let mut task = Map::new();
        let mut words: Vec<String> = self.refs.iter().map(|name| name.written()).collect();
        if self.in_env {
            task.insert("env".into(), json!({ "SEEN": words.join(" ") }));
            words.clear();
        }
        if self.in_folder {
            task.insert("dir".into(), json!("attempts/{{ attempt }}"));
        }
        self.write_work(&words, (path, files), &mut task);
        let has_attempts = self.work.has_attempts();
        if !self.needs.is_empty() {
            task.insert("needs".into(), self.needs.iter().copied().map(name).collect());
        }
        match self.join {
            0 => {}
            1 => drop(task.insert("join".into(), json!("any"))),
            number => drop(task.insert("join".into(), json!(number))),
        }
        if self.cancel_rest && self.join > 0 {
            task.insert("cancel_rest".into(), json!(true));
        }
        if self.priority != 0 {
            task.insert("priority".into(), json!(self.priority));
        }
        if let Some(when) = &self.when {
            task.insert("when".into(), when.written());
        }
        self.write_children(&mut task);
        if self.optional {
            task.insert("optional".into(), json!(true));
        }
        if has_attempts {
            task.insert("retry".into(), self.retry.written());
            if self.rerun_never {
                task.insert("rerun".into(), json!("never"));
            }
            if self.schema {
                task.insert(
                    "output".into(),
                    json!({ "schema": { "type": ["object", "array", "number", "null"] } }),
                );
            }
        }
        if has_attempts || self.work.plan().is_some() {
            if let Some(most) = self.attempts_max {
                task.insert("budget".into(), json!({ "attempts": most }));
            }
            if let Some(most) = self.wall_ms_max {
                let budget = task.entry("budget").or_insert_with(|| json!({}));
                budget["wall"] = json!(format!("{most}ms"));
            }
        }
        let timeout = self.timeout.written(!has_attempts);
        let is_bound =
            !matches!(self.work, Work::Emit(_) | Work::Wait(Await::After(_) | Await::At(_)) | Work::Plan(_));
        if !timeout.is_empty() && is_bound {
            task.insert("timeout".into(), Value::Object(timeout));
        }
        Value::Object(task)
    }

    /// What it does.
    fn write_work(&self, words: &[String], (path, files): (&str, &mut Files), task: &mut Map<String, Value>) {
        match &self.work {
            Work::Shell => drop(task.insert("run".into(), json!(format!("true {}", words.join(" "))))),
            Work::Argv => {
                let argv: Vec<String> =
                    std::iter::once("true".to_owned()).chain(words.iter().cloned()).collect();
                task.insert("run".into(), json!(argv));
            }
            Work::Prompt(who) => {
                who.write(task);
                task.insert("prompt".into(), json!(format!("say {}", words.join(" "))));
            }
            Work::Approval { show } => {
                let show: Vec<String> = show.iter().copied().map(name).collect();
                task.insert(
                    "approval".into(),
                    json!({ "text": format!("well? {}", words.join(" ")), "show": show }),
                );
            }
            Work::Emit(emit) => emit.written(task),
            Work::Wait(wait) => wait.written(task),
            Work::Plan(within) => {
                let file = format!("{path}{}", name(self.label));
                task.insert("plan".into(), json!(format!("{file}.json")));
                task.extend(
                    within.flag.iter().map(|flag| ("inputs".into(), json!({ "flag": flag.written() }))),
                );
                within.plan.write_into(&file, files);
            }
        }
    }

    /// The modifiers that make children.
    fn write_children(&self, task: &mut Map<String, Value>) {
        if let Some(each) = &self.each {
            let items = match each.from {
                From::Literal(count) => (0..count).map(Value::from).collect(),
                From::Items(task) => json!(format!("{{{{ tasks.t{task}.output.items }}}}")),
                From::ItemsWithin(task, inner) => {
                    json!(format!("{{{{ tasks.t{task}.output.t{inner}.items }}}}"))
                }
                From::Whole(task) => json!(format!("{{{{ tasks.t{task}.output }}}}")),
            };
            task.insert("for_each".into(), items);
            task.extend(each.max_parallel.map(|most| ("max_parallel".into(), json!(most))));
        }
        if let Some((until, most)) = self.rounds {
            let mut repeat = json!({ "max": most });
            match until {
                Until::Never => {}
                Until::Index(number) => repeat["until"] = json!(format!("{{{{ index >= {number} }}}}")),
                Until::Ok => {
                    repeat["until"] = json!(format!("{{{{ tasks.{}.output.ok }}}}", name(self.label)));
                }
            }
            task.insert("repeat".into(), repeat);
        }
        if let Some((count, pick)) = self.replicas {
            let select = match pick {
                Pick::First => "first",
                Pick::Majority => "majority",
                Pick::All => "all",
            };
            task.insert("replicas".into(), json!(count));
            task.insert("select".into(), json!(select));
        }
    }
}

impl Who {
    fn write(&self, task: &mut Map<String, Value>) {
        let names = |agents: &[u32]| agents.iter().map(|agent| format!("a{agent}")).collect::<Vec<_>>();
        let agent = match self {
            Self::One(agent) => json!(format!("a{agent}")),
            Self::Several(agents, share) => {
                let balance = match share {
                    Share::Turns => "round_robin",
                    Share::Load => "least_loaded",
                    Share::Weight => "weighted",
                };
                task.insert("balance".into(), json!(balance));
                json!(names(agents))
            }
            Self::InTurn(agents) => {
                let list = json!(names(agents)).to_string().replace('"', "'");
                json!(format!("{{{{ {list}[(attempt - 1) % {}] }}}}", agents.len()))
            }
            Self::Given(by) => json!(format!("{{{{ tasks.{}.output.who }}}}", name(*by))),
        };
        task.insert("agent".into(), agent);
    }
}

impl AgentDraft {
    fn written(&self) -> Value {
        let mut agent = json!({ "adapter": "scripted" });
        let fields = [
            ("concurrency", self.most.map(|most| json!(most))),
            ("weight", (self.weight > 0).then(|| json!(self.weight))),
            ("account", self.account.map(|account| json!(format!("x{account}")))),
            (
                "rate",
                self.rate
                    .map(|(starts, minute)| json!(format!("{starts}/{}", if minute { "min" } else { "s" }))),
            ),
        ];
        for (key, value) in fields {
            if let Some(value) = value {
                agent[key] = value;
            }
        }
        if !self.fallback.is_empty() {
            agent["fallback"] = self.fallback.iter().map(|other| format!("a{other}")).collect();
        }
        agent
    }
}

impl RetryDraft {
    fn written(&self) -> Value {
        let coefficient: Value = serde_json::from_str(&format!(
            "{}.{:03}",
            self.coefficient_milli / 1000,
            self.coefficient_milli % 1000
        ))
        .expect("a number");
        json!({
            "max_attempts": self.max_attempts,
            "losses_max": self.losses_max,
            "initial_interval": format!("{}ms", self.initial_ms),
            "backoff_coefficient": coefficient,
            "max_interval": format!("{}ms", self.max_ms),
            "jitter": if self.jitter { "full" } else { "none" },
            "non_retryable": self.non_retryable,
        })
    }
}

impl TimeoutDraft {
    fn written(&self, is_approval: bool) -> Map<String, Value> {
        let spans = [
            ("start_to_close", self.start_to_close_ms.filter(|_| !is_approval)),
            ("heartbeat", self.heartbeat_ms.filter(|_| !is_approval)),
            ("schedule_to_start", self.schedule_to_start_ms.filter(|_| !is_approval)),
            ("schedule_to_close", self.schedule_to_close_ms),
            ("grace", self.grace_ms.filter(|_| !is_approval)),
        ];
        let written = |(key, ms): (&str, Option<u64>)| Some((key.to_owned(), json!(format!("{}ms", ms?))));
        spans.into_iter().filter_map(written).collect()
    }
}

impl PlanDraft {
    /// Writes the plan's file, and those of the plans within it. Its tasks stand in the draft's order, which a map of JSON
    /// would not keep.
    fn write_into(&self, file: &str, files: &mut Files) {
        let within = format!("{file}-");
        let mut task =
            |task: &TaskDraft| format!("\"{}\":{}", name(task.label), task.written(&within, files));
        let mut tasks: Vec<String> = self.tasks.iter().map(&mut task).collect();
        if self.reversed {
            tasks.reverse();
        }
        let agents = self.agents.iter().enumerate().filter(|(_, agent)| !agent.retired);
        let agents = agents.map(|(number, agent)| (format!("a{number}"), agent.written()));
        let inputs = json!({ "flag": { "type": "boolean", "default": self.flag } });
        let mut plan = json!({ "version": 1, "goal": "be tried", "inputs": inputs });
        plan["agents"] = Value::Object(agents.collect());
        let limits = [("tasks", self.tasks_max), ("fan_out", self.fan_out), ("depth", self.depth)];
        let limits: Map<String, Value> =
            limits.into_iter().filter_map(|(key, most)| Some((key.to_owned(), json!(most?)))).collect();
        if !limits.is_empty() {
            plan["limits"] = Value::Object(limits);
        }
        if let Some(most) = self.concurrency {
            plan["concurrency"] = json!(most);
        }
        if let Some(most) = self.attempts_max {
            plan["budget"]["attempts"] = json!(most);
        }
        if let Some(most) = self.wall_ms_max {
            plan["budget"]["wall"] = json!(format!("{most}ms"));
        }
        if let Some(weight) = self.weight {
            plan["weight"] = json!(weight);
        }
        let rest = plan.to_string();
        let text = format!("{{\"tasks\":{{{}}},{}", tasks.join(","), &rest[1..]);
        files.insert(format!("{file}.json"), text);
    }

    /// The plan, read from its files.
    pub(crate) fn load(&self) -> Result<Plan, String> {
        let mut files = Files::new();
        self.write_into("plan", &mut files);
        let read = |_: &str, name: &str| {
            let text = files.get(name).ok_or("it is not there")?;
            Ok(PlanText { name: name.to_owned(), bytes: text.as_bytes().to_vec(), dir: "/plan".into() })
        };
        let name = "plan.json";
        let source = Source { name, text: files[name].as_bytes(), format: Some(Format::Json) };
        let options = Options { file: name, dir: "/plan", read: Some(&read), ..Options::default() };
        match file::load(&source, &Settings::default(), &BTreeMap::new(), &options) {
            Ok(loaded) => Ok(loaded.plan),
            Err(diagnostics) => Err(format!("{diagnostics:#?}\n{files:#?}")),
        }
    }
}
