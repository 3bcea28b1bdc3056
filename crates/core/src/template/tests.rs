//! Templates as plans write them, and what they give. Never: a plan or a run around them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::id::Digest;
use crate::output::Output;

struct Seen {
    inputs: BTreeMap<String, Value>,
    item: Option<Value>,
    large: Output,
    small: Output,
    children: Vec<Output>,
    version: Output,
}

impl Seen {
    fn new() -> Self {
        let large = Output {
            blob: Some(Digest::of(b"large")),
            extracts: BTreeMap::from([
                ("/a/b".to_owned(), json!(7)),
                ("/list".to_owned(), json!([{"x": 1}])),
            ]),
            ..Output::default()
        };
        let one = |value: Value| Output { value, ..Output::default() };
        Self {
            inputs: BTreeMap::from([
                ("name".to_owned(), json!("Ada Lovelace")),
                ("count".to_owned(), json!(3)),
                ("on".to_owned(), json!(true)),
                ("nothing".to_owned(), json!(null)),
                ("list".to_owned(), json!([1, "two", null, true, 2.5])),
                ("object".to_owned(), json!({"b": 1, "a": [true]})),
                ("evil".to_owned(), json!("it's $(touch x) `id` \"q\" \\ ; rm -rf *")),
            ]),
            item: Some(json!({"file": "a b.rs"})),
            large: large.clone(),
            small: one(json!({"places": [{"file": "a.rs"}, {"file": "b.rs"}]})),
            children: vec![one(json!({"n": 1})), large],
            version: written(1.1, "1.10"),
        }
    }
}

/// A number that was printed in another way than JSON writes it.
fn written(value: f64, as_text: &str) -> Output {
    Output { value: value.into(), written: Some(as_text.to_owned()), ..Output::default() }
}

impl Scope for Seen {
    fn input(&self, name: &str) -> Option<&Value> {
        self.inputs.get(name)
    }
    fn inputs(&self) -> &BTreeMap<String, Value> {
        &self.inputs
    }
    fn task(&self, name: &str) -> Option<TaskSeen<'_>> {
        let output = match name {
            "large" => OutputSeen::One(&self.large),
            "small" | "with-dash" => OutputSeen::One(&self.small),
            "version" | "the-version" => OutputSeen::One(&self.version),
            "versions" => OutputSeen::List(vec![OutputSeen::Null, OutputSeen::One(&self.version)]),
            "skipped" => OutputSeen::Null,
            "parent" => OutputSeen::List(self.children.iter().map(OutputSeen::One).collect()),
            _ => return None,
        };
        Some(TaskSeen { state: if name == "skipped" { "skipped" } else { "succeeded" }, output })
    }
    fn item(&self) -> Option<&Value> {
        self.item.as_ref()
    }
    fn index(&self) -> Option<u32> {
        Some(4)
    }
    fn plan_dir(&self) -> &'static str {
        "/plans"
    }
    fn run_id(&self) -> &'static str {
        "abc234"
    }
    fn attempt(&self) -> Option<u32> {
        Some(2)
    }
}

fn text(source: &str) -> Result<String, String> {
    Template(source.into()).render_text(&Seen::new()).map_err(|failure| failure.message)
}

fn value(source: &str) -> Result<Value, String> {
    Template(source.into()).evaluate(&Seen::new()).map_err(|failure| failure.message)
}

#[test]
fn a_text_without_templates_is_itself() {
    assert_eq!(text("a { b } \u{FDD0} \n"), Ok("a { b } \u{FDD0} \n".into()));
    assert_eq!(value("5"), Ok(json!("5")));
}

#[test]
fn values_become_text_as_json_writes_them_and_null_is_empty() {
    assert_eq!(
        text("{{ inputs.name }}|{{ inputs.count }}|{{ inputs.on }}|{{ inputs.nothing }}|\n"),
        Ok("Ada Lovelace|3|true||\n".into())
    );
    assert_eq!(
        text("{{ inputs.list }} {{ inputs.object }}"),
        Ok(r#"[1,"two",null,true,2.5] {"a":[true],"b":1}"#.into())
    );
    assert_eq!(text("{{ inputs.list | join(' ') }}"), Ok("1 two  true 2.5".into()));
    assert_eq!(text("{{ 1.0 }} {{ 1e300 }} {{ inputs.on | string }}"), Ok("1.0 1e+300 true".into()));
}

#[test]
fn a_number_reads_in_a_text_as_it_was_printed_and_is_reckoned_with_as_a_number() {
    for (source, becomes) in [
        ("{{ tasks.version.output }}", "1.10"),
        ("v{{tasks.the-version.output}}, {{ tasks['version'].output }}!", "v1.10, 1.10!"),
        ("{{ 'v' ~ tasks.version.output ~ '-' ~ inputs.count }}", "v1.10-3"),
        ("{{ 1 ~ tasks.version.output ~ tasks.version.output ~ 2 }}", "11.101.102"),
        ("{{ (tasks.version.output) | string | length }} {{ tasks.version.output | raw }}", "4 1.10"),
        ("{{ tasks.version.output if inputs.on else 'none' }}", "1.10"),
        ("{{ tasks.version.output | default('none') }}", "1.10"),
        ("{{ tasks.versions.output[1] }}", "1.10"),
        ("{{ tasks.version.output + 1 }} {{ tasks.version.output > 1 }}", "2.1 true"),
        ("{% set tasks = {'version': {'output': 2}} %}{{ tasks.version.output }}", "2"),
        ("{% if tasks.version.output == 1.1 %}{{ tasks.version.output }}{% endif %}", "1.10"),
    ] {
        assert_eq!(text(source).as_deref(), Ok(becomes), "{source}");
    }
    assert_eq!(value("{{ tasks.version.output }}"), Ok(json!(1.1)), "alone it keeps its type");
    let shell = Template("echo {{ tasks.version.output }}".into()).render_shell(&Seen::new());
    assert_eq!(shell.map_err(|failure| failure.message).as_deref(), Ok("echo '1.10'"));
    let failed = text("{{ tasks.version.output }} {{ tasks.version.output.x }}").expect_err("undefined");
    assert_eq!(failed, "`tasks.version.output.x` is undefined");
}

#[test]
fn every_name_of_the_language_can_be_seen() {
    let all = "{{ item.file }} {{ index }} {{ plan.dir }} {{ run.id }} {{ attempt }} {{ feedback }} {{ tasks.small.state }}";
    assert_eq!(text(all), Ok("a b.rs 4 /plans abc234 2  succeeded".into()));
    assert_eq!(text("{{ tasks.with-dash.output.places[1].file }}"), Ok("b.rs".into()));
    assert_eq!(text("{{ tasks['with-dash'].output.places.0.file }}"), Ok("a.rs".into()));
    assert_eq!(value("{{ tasks.skipped.output }}"), Ok(json!(null)));
    assert_eq!(value("{{ tasks.skipped.state }}"), Ok(json!("skipped")));
}

#[test]
fn one_expression_keeps_its_type() {
    assert_eq!(value(" {{ inputs.list }}\n"), Ok(json!([1, "two", null, true, 2.5])));
    assert_eq!(value("{{ inputs.count + 1 }}"), Ok(json!(4)));
    assert_eq!(value("{{ tasks.with-dash.output.places }}"), Ok(json!([{"file": "a.rs"}, {"file": "b.rs"}])));
    assert_eq!(value("{{ inputs.count }} "), Ok(json!(3)));
    assert_eq!(value("n{{ inputs.count }}"), Ok(json!("n3")));
    assert_eq!(value("{{ inputs.count }}{{ inputs.count }}"), Ok(json!("33")));
    assert_eq!(value("{{ '}}' }}"), Ok(json!("}}")));
    assert_eq!(value("{{- inputs.count -}}"), Ok(json!(3)));
    assert_eq!(value("{{ {'a': {'b': inputs.count}} }}"), Ok(json!({"a": {"b": 3}})));
    assert_eq!(value("{# why #}{{ inputs.count }}"), Ok(json!(3)));
    assert_eq!(value("{% raw %}{{ x }}{% endraw %}"), Ok(json!("{{ x }}")));
    assert_eq!(value("{{ (1, 2) }}"), Ok(json!([1, 2])));
    assert_eq!(value("{{ inputs.list | reverse | first }}"), Ok(json!(2.5)));
    assert_eq!(value("{{ tasks.small.output.places | map(attribute='file') }}"), Ok(json!(["a.rs", "b.rs"])));
    assert_eq!(value("{{ inputs.count | raw }}"), Ok(json!("3")));
    assert_eq!(value("{{ 18446744073709551615 }}"), Ok(json!(18_446_744_073_709_551_615_u64)));
}

#[test]
fn a_condition_is_a_boolean_null_or_one_of_two_words() {
    let truth = |source: &str| Template(source.into()).truth(&Seen::new()).map_err(|failure| failure.kind);
    assert_eq!(truth("{{ inputs.on }}"), Ok(true));
    assert_eq!(truth("{{ inputs.nothing }}"), Ok(false));
    assert_eq!(truth("true"), Ok(true));
    assert_eq!(truth(" false\n"), Ok(false));
    assert_eq!(truth("{{ inputs.on }} "), Ok(true));
    assert_eq!(truth("{% if inputs.on %}false{% endif %}"), Ok(false));
    assert_eq!(truth("{{ inputs.count }}"), Err(ErrorKind::Expression));
    assert_eq!(truth("{{ inputs.list }}"), Err(ErrorKind::Expression));
    assert_eq!(truth("yes"), Err(ErrorKind::Expression));
}

#[test]
fn what_is_undefined_is_an_error_that_names_it() {
    assert_eq!(text("x {{ item.why }}"), Err("`item.why` is undefined".into()));
    assert_eq!(value("{{ item.why }}"), Err("`item.why` is undefined".into()));
    assert_eq!(
        text("{{ tasks.with-dash.output.nope.deep }}").map_err(|error| error.contains("undefined")),
        Err(true)
    );
    assert_eq!(text("{{ item.why | default('none') }}"), Ok("none".into()));
    assert_eq!(text("{{ inputs.list[9] }}"), Err("`inputs.list[9]` is undefined".into()));
    for source in [
        "{{ item.why | length }}",
        "{{ item.why > 2 }}",
        "{{ (item.why or 1) + 1 }}",
        "{{ item.not | default(2) + item.why }}",
        "{% if item.not is defined or item.why > 1 %}x{% endif %}",
    ] {
        assert_eq!(text(source), Err("`item.why` is undefined".into()), "{source}");
    }
    assert_eq!(text("{{ item.why + item.how }}"), Err("`item.why` or `item.how` is undefined".into()));
    let own = "{% for part in inputs.list %}{{ part.why | length }}{% endfor %}";
    assert_eq!(text(own), Err(format!("a value in `{own}` is undefined")));
    assert_eq!(text("{{ [item.why] }}").map_err(|error| error.contains("undefined")), Err(true));
}

#[test]
fn nothing_reaches_outside_and_work_is_bounded() {
    for source in
        ["{% include 'x' %}", "{% import 'x' as x %}", "{% extends 'x' %}", "{% macro x() %}{% endmacro %}"]
    {
        assert!(Template(source.into()).check().is_err(), "{source}");
    }
    for source in [
        "{% for a in range(10000) %}{% for b in range(10000) %}x{% endfor %}{% endfor %}",
        "{% for a in range(10000) %}{{ 'x' * 100000 }}{% endfor %}",
        "{{ 'x' * 1000000000000 }}",
    ] {
        assert!(text(source).is_err(), "{source}");
    }
}

#[test]
fn deep_and_long_expressions_are_refused_and_break_nothing() {
    let many = |part: &str, times: usize| part.repeat(times);
    for source in [
        format!("{{{{ a{} }}}}", many(".b", 100_000)),
        format!("{{{{ 1{} }}}}", many("+1", 100_000)),
        format!("{{{{ {}1{} }}}}", many("(", 100_000), many(")", 100_000)),
        format!("{{{{ {}1{} }}}}", many("[", 100_000), many("]", 100_000)),
        format!("{{{{ {}1 }}}}", many("not ", 100_000)),
        format!("{{{{ {}1 }}}}", many("-", 100_000)),
        format!("{{{{ 1{} }}}}", many("|abs", 100_000)),
        many("{% if true %}", 100_000),
        format!("{{% if 1 %}}{}{{% endif %}}", many("{% elif 1 %}", 100_000)),
        many("{{", 1_000_000),
        many("{{ 1 }}", 100_000),
    ] {
        assert!(Template(source).check().is_err());
    }
    for source in [
        format!("{{{{ inputs{} }}}}", many(".b", 190)),
        format!("{{{{ 1{} }}}}", many("+inputs.count", 99)),
        format!("{{{{ {}inputs.on }}}}", many("not ", 390)),
        format!("{{{{ {}inputs.count }}}}", many("-", 390)),
        format!("{{{{ inputs.count{} }}}}", many("|abs", 190)),
        format!("{{{{ inputs.count{} }}}}", many(" if inputs.on else 2", 60)),
        format!("{{{{ {}1{} }}}}", many("[", 70), many("]", 70)),
        format!("{}{}", many("{% if true %}", 100), many("{% endif %}", 100)),
        format!("{{% if 0 %}}{}{{% endif %}}", many("{% elif 0 %}", 49)),
        "{% for x in [[[[1]]]] recursive %}{{ loop([x]) }}{% endfor %}".into(),
    ] {
        let template = Template(source);
        drop((template.references(Purpose::Content), template.render_text(&Seen::new())));
    }
}

#[test]
fn nesting_that_a_template_builds_breaks_nothing() {
    let source =
        "{% set n = namespace(x=1) %}{% for a in range(100000) %}{% set n.x = [n.x] %}{% endfor %}{{ n.x }}";
    assert!(text(source).is_err());
}

#[test]
fn a_large_output_is_its_parts_and_in_a_prompt_its_blob() {
    assert_eq!(text("{{ tasks.large.output.a.b }}"), Ok("7".into()));
    assert_eq!(value("{{ tasks.large.output['list'] }}"), Ok(json!([{"x": 1}])));
    assert_eq!(text("{% for l in tasks.large.output.list %}{{ l.x }}{% endfor %}"), Ok("1".into()));
    let needed = Err("the output of task large would be needed whole, and is larger than 64 KiB or has numbers that can't be kept exactly".into());
    for source in [
        "{{ tasks.large.output }}",
        "{{ tasks.large.output | upper }}",
        "{{ tasks.large.output | length }}",
        "{{ tasks.large.output ~ 'x' }}",
        "{{ tasks.large.output == 1 }}",
        "{{ tasks.large.output | tojson }}",
        "{{ [tasks.large.output] }}",
        "{{ tasks.large.output.a }}",
        "{% for x in tasks.large.output %}{{ x }}{% endfor %}",
    ] {
        assert_eq!(text(source), needed, "{source}");
    }
    assert!(text("{{ tasks.parent.output }}").is_err());
    let prompt = |source: &str| Template(source.into()).render_prompt(&Seen::new());
    let blob = PromptPart::Blob(Digest::of(b"large"));
    let part = |text: &str| PromptPart::Text(text.into());
    assert_eq!(
        prompt("Sum up: {{ tasks.large.output }}!"),
        Ok(vec![part("Sum up: "), blob.clone(), part("!")])
    );
    assert_eq!(
        prompt("{% for o in tasks.parent.output %}- {{ o }}\n{% endfor %}"),
        Ok(vec![part("- {\"n\":1}\n- "), blob, part("\n")])
    );
    assert!(prompt("{% set x %}<{{ tasks.large.output }}>{% endset %}{{ x }}").is_err());
    assert!(prompt("{{ tasks.large.output | upper }}").is_err());
}

#[test]
fn a_text_that_looks_like_a_placeholder_is_a_text() {
    let mut seen = Seen::new();
    seen.item = Some(json!("\u{FDD0}0\u{FDD1}"));
    let template = Template("{{ tasks.large.output }}{{ item }}".into());
    let parts = vec![PromptPart::Blob(Digest::of(b"large")), PromptPart::Text("\u{FDD0}0\u{FDD1}".into())];
    assert_eq!(template.render_prompt(&seen), Ok(parts));
}

fn uses(source: &str, purpose: Purpose) -> References {
    Template(source.into()).references(purpose).expect("it parses")
}

fn pointers(source: &str, task: &str, lists: usize) -> Vec<String> {
    uses(source, Purpose::Content).tasks[task].pointers(lists).into_iter().collect()
}

#[test]
fn references_name_the_parts_that_are_needed() {
    assert_eq!(pointers("{{ tasks.a.output.b['c/d'][0] }}", "a", 0), ["/b/c~1d/0"]);
    assert_eq!(pointers("{{ tasks.a-b.output.c }}{{ tasks['a-b'].output.d }}", "a-b", 0), ["/c", "/d"]);
    assert_eq!(pointers("{{ tasks.a.output.b[index].c }}", "a", 0), ["/b"]);
    assert_eq!(pointers("{{ tasks.a.output.b[1:] }}", "a", 0), ["/b"]);
    assert_eq!(pointers("{{ tasks.a.output | length }}", "a", 0), [""]);
    assert_eq!(
        pointers("{{ tasks.a.output.b }}{{ tasks.a.output.b.c }}{{ tasks.a.output.bc }}", "a", 0),
        ["/b", "/bc"]
    );
    assert_eq!(pointers("{% for x in tasks.a.output.l %}{{ x.y }}{% endfor %}", "a", 0), ["/l"]);
    assert_eq!(pointers("{% for x in tasks.a.output %}{{ x.y }}{% endfor %}", "a", 1), ["/y"]);
    assert_eq!(pointers("{% for x in tasks.a.output %}{{ x }}{% endfor %}", "a", 1), [""]);
    assert_eq!(pointers("{{ tasks.a.output[2].y.z }}", "a", 1), ["/y/z"]);
    assert_eq!(pointers("{{ tasks.a.output.items() }}", "a", 0), [""]);
    assert_eq!(pointers("{% set x = tasks.a.output %}{{ x.y }}", "a", 0), [""]);
    assert!(pointers("{{ tasks.a.state }}", "a", 0).is_empty());
    assert_eq!(pointers("{{ tasks.a }}", "a", 0), [""]);
    let prompt = |source: &str, lists: usize| {
        uses(source, Purpose::Prompt).tasks["a"].pointers(lists).into_iter().collect::<Vec<_>>()
    };
    assert!(prompt("{{ tasks.a.output }}", 0).is_empty());
    assert_eq!(prompt("{{ tasks.a.output.b }}", 0), ["/b"]);
    assert_eq!(prompt("{{ tasks.a.output | trim }}", 0), [""]);
    assert_eq!(prompt("{{ tasks.a.output }}", 1), [""]);
    assert!(prompt("{% for x in tasks.a.output %}{{ x }}{% endfor %}", 1).is_empty());
    assert_eq!(prompt("{% for x in tasks.a.output %}{{ x }}{% endfor %}", 0), [""]);
}

#[test]
fn references_tell_names_of_the_template_from_those_of_the_plan() {
    let source = "{% set a = 1 %}{% for b in range(3) %}{{ a + b + loop.index }}{% endfor %}{% with c = 1 %}{{ c }}{% endwith %}{{ dict(x=1) }}";
    let found = uses(source, Purpose::Content);
    assert_eq!(found.problems, []);
    assert!(found.uses.is_empty() && found.tasks.is_empty());
    let problems = |source: &str| -> Vec<(String, String)> {
        let found = uses(source, Purpose::Content).problems.into_iter();
        found.map(|problem| (problem.message, source[problem.range].to_owned())).collect()
    };
    let one = |message: &str, place: &str| vec![(message.to_owned(), place.to_owned())];
    assert_eq!(problems("a {{ itme.file }}"), one("there is no variable `itme`", "itme"));
    assert_eq!(problems("{{ tasks.a-b.output }}{{ x }}"), one("there is no variable `x`", "x"));
    assert_eq!(problems("{{ inputs.a | uper }}"), one("there is no filter `uper`", "uper"));
    assert_eq!(problems("{{ inputs.a is emtpy }}"), one("there is no test `emtpy`", "emtpy"));
    assert_eq!(problems("{{ plan.file }}"), one("of `plan` there is only `plan.dir`", "plan.file"));
    assert_eq!(
        problems("{{ tasks.a.result }}"),
        one("of a task there are `output` and `state`, not `result`", "tasks.a.result")
    );
    assert_eq!(problems("{{ tasks[inputs.x].output }}").len(), 1);
    let found = uses("{{ inputs.a }} {{ inputs['b'] }}", Purpose::Content);
    assert_eq!(found.inputs, ["a".to_owned(), "b".to_owned()].into());
}

#[test]
fn every_filter_and_test_that_is_known_exists() {
    for name in names::FILTERS {
        let error = Template(format!("{{{{ inputs.list | {name} }}}}")).render_text(&Seen::new());
        let unknown = error.is_err_and(|failure| failure.message.contains("unknown filter"));
        assert!(!unknown, "{name}");
    }
    for name in
        names::TESTS.into_iter().filter(|name| name.is_ascii() && name.as_bytes()[0].is_ascii_alphabetic())
    {
        let error = Template(format!("{{{{ inputs.list is {name} }}}}")).render_text(&Seen::new());
        assert!(!error.is_err_and(|failure| failure.message.contains("unknown test")), "{name}");
    }
}

#[test]
fn syntax_errors_say_where_and_what_to_do() {
    let error = |source: &str| Template(source.into()).check().expect_err("it is wrong");
    for source in
        ["{{ a", "{{ a b }}", "{% if x %}", "{{ tasks.a-b.output ! }}", "{% frob %}", "{{ 'x }}", "}} {{"]
    {
        let found = error(source);
        assert!(found.range.end <= source.len() && found.hint.is_some(), "{source}: {found:?}");
    }
    assert_eq!(error("ok {{ a b }}").range, 8..9);
    assert_eq!(error("{{ tasks.a-b.output ! }}").range, 20..21);
}

/// The inputs and tasks of [`Seen`], and a message.
struct Heard<'a>(Seen, &'a Value);

impl Scope for Heard<'_> {
    fn input(&self, name: &str) -> Option<&Value> {
        self.0.input(name)
    }
    fn inputs(&self) -> &BTreeMap<String, Value> {
        self.0.inputs()
    }
    fn task(&self, name: &str) -> Option<TaskSeen<'_>> {
        self.0.task(name)
    }
    fn item(&self) -> Option<&Value> {
        self.0.item()
    }
    fn plan_dir(&self) -> &str {
        self.0.plan_dir()
    }
    fn run_id(&self) -> &str {
        self.0.run_id()
    }
    fn message(&self) -> Option<&Value> {
        Some(self.1)
    }
}

#[test]
fn a_condition_on_messages_that_fails_whatever_one_says_is_told_apart() {
    let told = |source: &str| Template(format!("{{{{ {source} }}}}")).judges_messages(&Seen::new());
    let data = [json!(null), json!(3), json!("x"), json!([1]), json!({ "low": 1, "tag": "v" }), json!(true)];
    for source in [
        "data > inputs.object.low",
        "inputs.object.low == data.tag",
        "inputs.object['low'] != data",
        "data + inputs.object.low > 3",
        "data in inputs.object.low",
        "inputs.object.low.lower > data",
        "(data - inputs.object.low) | abs > 2",
        "not inputs.object.low",
        "inputs.object.low and data",
        "data > inputs.object.low and data.tag",
        "data if inputs.object.low else false",
        "item.line < data",
        "tasks.small.output.nowhere == data",
        "tasks.with-dash.output.nowhere == data",
        "-inputs.object.low < data",
        "(data > inputs.object.low) is true",
    ] {
        let failure = told(source).expect_err(source);
        assert!(failure.message.ends_with("` is undefined"), "{source}: {}", failure.message);
        for data in &data {
            let judged = Template(format!("{{{{ {source} }}}}")).truth(&Heard(Seen::new(), data));
            assert!(judged.is_err(), "{source} of {data}");
        }
    }
    for source in [
        "data.low > 3",
        "data > inputs.count",
        "data > inputs.object.low | default(3)",
        "data == (inputs.object.low | default(3))",
        "inputs.object.low is defined and data > inputs.object.low",
        "inputs.object.low is undefined or data > inputs.object.low",
        "data and data > inputs.object.low",
        "data > inputs.object.low if data is number else true",
        "data > inputs.object[data]",
        "1 < data < inputs.object.low",
        "data in [inputs.object.low, 3]",
        "tasks.elsewhere.output.low == data",
        "tasks.skipped.output.low == data",
    ] {
        assert_eq!(told(source), Ok(()), "{source}");
    }
    assert_eq!(
        Template("{% if data > inputs.object.low %}true{% endif %}".into()).judges_messages(&Seen::new()),
        Ok(())
    );
}

#[test]
fn items_are_a_list_or_nothing() {
    let seen = Seen::new();
    let of = |source: &str| {
        items(&Items::Expression(Template(source.into())), &seen).map_err(|failure| failure.kind)
    };
    assert_eq!(of("{{ inputs.list[:2] }}"), Ok(vec![json!(1), json!("two")]));
    assert_eq!(of("{{ inputs.nothing }}"), Ok(vec![]));
    assert_eq!(of("{{ inputs.name }}"), Err(ErrorKind::InvalidOutput));
    assert_eq!(of("{{ range(2) }}"), Ok(vec![json!(0), json!(1)]));
    let list = Items::List(vec![json!({"a": "{{ inputs.count }}", "b": ["x{{ index }}"]}), json!(1)]);
    assert_eq!(items(&list, &seen), Ok(vec![json!({"a": 3, "b": ["x4"]}), json!(1)]));
}
