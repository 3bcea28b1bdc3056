//! Templates and expressions, one a line, with what they may refer to: they are refused or read, and give a value or say why not.

#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use windlass_core::output::Output;
use windlass_core::template::{OutputSeen, Purpose, Scope, TEXT_BYTES_MAX, TaskSeen, Template};

/// A run with something of each kind.
struct Run {
    inputs: BTreeMap<String, Value>,
    item: Value,
    one: Output,
    message: Value,
}

impl Scope for Run {
    fn input(&self, name: &str) -> Option<&Value> {
        self.inputs.get(name)
    }
    fn inputs(&self) -> &BTreeMap<String, Value> {
        &self.inputs
    }
    fn task(&self, name: &str) -> Option<TaskSeen<'_>> {
        let output = match name {
            "one" => OutputSeen::One(&self.one),
            "many" => OutputSeen::List(vec![OutputSeen::One(&self.one), OutputSeen::Null]),
            "within" => OutputSeen::Map(vec![("one", OutputSeen::One(&self.one))]),
            _ => return None,
        };
        Some(TaskSeen { state: "succeeded", output })
    }
    fn item(&self) -> Option<&Value> {
        Some(&self.item)
    }
    fn index(&self) -> Option<u32> {
        Some(1)
    }
    fn plan_dir(&self) -> &str {
        "/plan"
    }
    fn run_id(&self) -> &str {
        "abcdef"
    }
    fn attempt(&self) -> Option<u32> {
        Some(2)
    }
    fn feedback(&self) -> Option<&str> {
        Some("say more")
    }
    fn message(&self) -> Option<&Value> {
        Some(&self.message)
    }
}

fuzz_target!(|text: &str| {
    for line in text.lines() {
        render(line);
    }
});

fn render(source: &str) {
    let template = Template(source.to_owned());
    if template.check().is_err() {
        return;
    }
    for purpose in [Purpose::Content, Purpose::Shell, Purpose::Prompt] {
        drop(template.references(purpose));
    }
    let value = json!({ "a": { "b": [1, 2.5, null, true, "it's $(touch x) `id` \"q\" \\ ; rm -rf *"] } });
    let run = Run {
        inputs: BTreeMap::from([
            ("n".to_owned(), json!(3)),
            ("text".to_owned(), json!("a\nb")),
            ("deep".to_owned(), value.clone()),
        ]),
        item: value.clone(),
        one: Output { value: value.clone(), ..Output::default() },
        message: value,
    };
    drop(template.evaluate(&run));
    drop(template.truth(&run));
    drop(template.render_shell(&run));
    drop(template.render_prompt(&run));
    if let Ok(text) = template.render_text(&run) {
        assert!(text.len() <= TEXT_BYTES_MAX, "{} bytes", text.len());
        assert_eq!(template.render_text(&run).as_deref(), Ok(text.as_str()), "the same each time");
    }
}
