//! Each format of a few pictures, and what holds of all of them. Never: a picture that depends on the clock.

use std::collections::BTreeMap;

use super::model::Graph;
use super::{dot, fold, json, mermaid, svg, text};
use crate::staged::{Stage, plan};

const PLAN: &str = "
version: 1
goal: Fix every parser, and ship it
agents: { coder: { adapter: scripted } }
tasks:
  survey: { run: \"grep -rl keys src\" }
  fix: { needs: [survey], for_each: \"{{ tasks.survey.output }}\", agent: coder, prompt: \"Fix {{ item }}\" }
  many: { needs: [survey], for_each: \"{{ range(9) | list }}\", run: [make, \"{{ item }}\"] }
  flaky: { needs: [survey], run: ./flaky.sh, retry: { max_attempts: 3, initial_interval: 2s, jitter: none } }
  docs: { needs: [survey], when: \"{{ inputs.docs }}\", run: mdbook build }
  bench: { needs: [fix], run: ./bench.sh, optional: true }
  ok: { needs: [fix, many, flaky], join: any, approval: \"Ship it?\" }
  slow: { needs: [flaky, docs], run: ./slow.sh }
  publish: { needs: [ok, bench, slow, survey], run: ./publish.sh }
inputs: { docs: { type: boolean, default: false } }
";

/// The run half-way: something succeeded, failed and was skipped, something runs, and somebody is asked.
fn half_way() -> Stage {
    let mut stage = Stage::of(PLAN);
    stage.after("4s").end("survey", 0, "[\"a\", \"b\"]");
    stage.after("1500ms").end("fix.0", 0, "").end("flaky", 1, "");
    stage.after("2s").end("fix.1", 0, "").end("many.0", 0, "").end("many.1", 1, "");
    stage.after("3s").end("flaky", 0, "").end("bench", 7, "");
    stage.after("12s");
    stage
}

fn pictured() -> [(&'static str, Graph); 2] {
    let stage = half_way();
    [
        ("plan", Graph::of_plan(&plan(PLAN), "plan.yaml")),
        ("run", Graph::of_run(stage.state(), stage.run(), true, stage.now)),
    ]
}

fn on_page(graph: &Graph, columns: usize) -> String {
    anstream::adapter::strip_str(&text::draw(graph, columns).join("\n")).to_string()
}

#[test]
fn a_plan_and_a_run_look_so_in_each_format() {
    for (name, graph) in pictured() {
        insta::with_settings!({ omit_expression => true }, {
            insta::assert_snapshot!(format!("{name}_text"), on_page(&graph, 80));
            insta::assert_snapshot!(format!("{name}_svg"), svg::draw(&graph));
            insta::assert_snapshot!(format!("{name}_mermaid"), mermaid::draw(&graph));
            insta::assert_snapshot!(format!("{name}_dot"), dot::draw(&graph));
            let document = serde_json::to_string_pretty(&json::document(&graph)).expect("JSON");
            insta::assert_snapshot!(format!("{name}_json"), document);
        });
    }
}

/// A plan of so many tasks that need each other in some way.
fn woven(tasks: usize) -> Graph {
    let needs = |task: usize| {
        let needs = [task / 2, task.saturating_sub(7), task * 3 / 4].into_iter().filter(|need| *need < task);
        let names: BTreeMap<usize, String> = needs.map(|need| (need, format!("task{need}"))).collect();
        names.into_values().collect::<Vec<_>>().join(", ")
    };
    let tasks: Vec<String> = (0..tasks)
        .map(|task| format!("  task{task}: {{ needs: [{}], run: \"true\" }}\n", needs(task)))
        .collect();
    let tasks = tasks.concat();
    let plan = plan(&format!("limits: {{ tasks: 1000000 }}\ntasks:\n{tasks}"));
    Graph::of_plan(&plan, "plan.yaml")
}

#[test]
fn every_task_and_every_need_is_in_an_svg_once() {
    for graph in [woven(60), pictured()[1].1.clone()] {
        let drawn = svg::draw(&graph);
        let document = roxmltree::Document::parse(&drawn).expect("it is XML");
        let titles = document.descendants().filter(|node| {
            node.has_tag_name("title") && node.parent().is_some_and(|parent| parent.has_tag_name("g"))
        });
        let named = titles.filter_map(|title| title.text()?.split_once(": ")).map(|(id, _)| id);
        let ids: Vec<&str> = graph.nodes.iter().map(|node| node.id.as_str()).collect();
        assert_eq!(named.collect::<Vec<_>>(), ids);
        let inner =
            document.descendants().find(|node| node.attribute("transform").is_some()).expect("a picture");
        let is_line = |node: &roxmltree::Node<'_, '_>| {
            node.attribute("class").is_some_and(|class| class.split(' ').any(|word| word == "line"))
        };
        assert_eq!(inner.children().filter(is_line).count(), graph.edges().count());
    }
}

#[test]
fn many_tasks_that_need_the_same_stand_in_a_block_with_a_line_to_it_and_one_from_it() {
    let parts: Vec<String> = (0..30).map(|part| format!("p{part}")).collect();
    let tasks: Vec<String> =
        parts.iter().map(|part| format!("  {part}: {{ needs: [a], run: x, optional: true }}\n")).collect();
    let text = format!(
        "tasks:\n  a: {{ run: x }}\n{}  z: {{ needs: [{}], run: x }}\n  b: {{ needs: [a], run: x }}\n",
        tasks.concat(),
        parts.join(", ")
    );
    let drawn = svg::draw(&Graph::of_plan(&plan(&text), "plan.yaml"));
    let document = roxmltree::Document::parse(&drawn).expect("it is XML");
    let inner = document.descendants().find(|node| node.attribute("transform").is_some()).expect("a picture");
    let of_class = |class: &'static str| {
        inner.descendants().filter(move |node| {
            node.attribute("class").is_some_and(|classes| classes.split(' ').next() == Some(class))
        })
    };
    assert_eq!(of_class("line").count(), 3, "{drawn}");
    let number = |node: &roxmltree::Node<'_, '_>, name: &str| -> i64 {
        node.attribute(name).expect("it has it").parse().expect("a number")
    };
    let place = |node: roxmltree::Node<'_, '_>| ["x", "y", "width", "height"].map(|name| number(&node, name));
    let boxes: Vec<[i64; 4]> = of_class("box").map(place).collect();
    assert_eq!(boxes.len(), 33);
    for (index, [x, y, wide, high]) in boxes.iter().enumerate() {
        let over = boxes[index + 1..].iter().find(|other| {
            other[0] < x + wide && *x < other[0] + other[2] && other[1] < y + high && *y < other[1] + other[3]
        });
        assert_eq!(over, None, "box {index} at {x}, {y}");
    }
    let frames: Vec<[i64; 4]> = of_class("frame").map(place).collect();
    let [[x, y, wide, high]] = frames.as_slice() else { panic!("one frame: {frames:?}") };
    let inside = boxes.iter().filter(|place| {
        *x < place[0] && *y < place[1] && place[0] + place[2] < x + wide && place[1] + place[3] < y + high
    });
    assert_eq!(inside.count(), 30);
}

#[test]
fn every_task_and_every_need_is_in_mermaid_and_dot_once() {
    let graph = woven(60);
    let (chart, dot) = (mermaid::draw(&graph), dot::draw(&graph));
    for (from, to) in graph.edges() {
        let named = format!("\"task{from}\" -> \"task{to}\"");
        assert_eq!(
            dot.lines()
                .filter(|line| line.trim().starts_with(&format!("{named};"))
                    || line.contains(&format!("{named} [")))
                .count(),
            1
        );
        let drawn = [format!("    t{from} --> t{to}"), format!("    t{from} ==> t{to}")];
        assert_eq!(chart.lines().filter(|line| drawn.iter().any(|drawn| drawn == line)).count(), 1);
    }
    for node in &graph.nodes {
        assert_eq!(chart.matches(&format!("<b>{}</b>", node.id)).count(), 1);
        assert_eq!(dot.matches(&format!("  \"{}\" [label=", node.id)).count(), 1);
    }
    assert_eq!(
        chart.lines().filter(|line| line.contains("->") || line.contains("=>")).count(),
        graph.edges().count()
    );
}

#[test]
fn every_task_is_a_line_of_the_text_and_its_needs_are_above_it_or_named() {
    let graph = woven(200);
    let page = on_page(&graph, 100_000);
    let lines: Vec<&str> = page.lines().filter(|line| line.contains(" true")).collect();
    assert_eq!(lines.len(), graph.nodes.len());
    let mut seen = Vec::new();
    for line in lines {
        let id = line.split_whitespace().find(|word| word.starts_with("task")).expect("a task");
        let node = graph.nodes.iter().find(|node| node.id == id).expect("a task of the plan");
        let below_one = usize::from(line.contains(['├', '╰', '↓']));
        let named = line.split_once("also after ").map_or(0, |(_, names)| names.split(", ").count());
        assert_eq!(below_one + named, node.needs.len(), "{line}");
        assert!(node.needs.iter().all(|need| seen.contains(&graph.nodes[*need].id.as_str())), "{line}");
        seen.push(id);
    }
}

#[test]
fn no_line_of_a_text_is_wider_than_the_screen_and_none_is_lost() {
    for columns in [80, 120] {
        for graph in [woven(40), pictured()[1].1.clone()] {
            let page = on_page(&graph, columns);
            assert!(page.lines().all(|line| crate::render::text::width(line) <= columns), "{page}");
            assert!(graph.nodes.iter().all(|node| page.contains(&node.id)));
        }
    }
}

/// All that is special to one of the formats.
const NASTY: &str = r#"a<b>&"c"'d' ]] }} #39; `e` \n \ {{'{{'}} --> %% ; | 日本 🚀 </text><script>"#;

#[test]
fn what_is_special_to_a_format_is_escaped_in_it() {
    let quoted = serde_json::Value::from(NASTY);
    let text =
        format!("goal: {quoted}\ntasks: {{ end: {{ run: [{quoted}] }}, class: {{ needs: [end], run: x }} }}");
    let graph = Graph::of_plan(&plan(&text), "a&b<c>\".yaml");
    let drawn = svg::draw(&graph);
    let document = roxmltree::Document::parse(&drawn).expect("it is XML");
    let title = document.descendants().find(|node| node.has_tag_name("title")).and_then(|title| title.text());
    assert_eq!(title, Some(NASTY));
    let dot = dot::draw(&graph);
    let header =
        format!("digraph \"{}\" {{", NASTY.replace('\\', "\\\\").replace('"', "\\\"").replace('&', "&amp;"));
    assert_eq!(dot.lines().next(), Some(header.as_str()));
    for line in mermaid::draw(&graph).lines().filter(|line| line.contains(":::")) {
        let (_, rest) = line.split_once('"').expect("a label");
        let (label, _) = rest.rsplit_once('"').expect("a label");
        let bare = label.replace("<b>", "").replace("</b>", "").replace("<br/>", "");
        assert!(!bare.contains(['<', '>', '"', '`', '[', ']', '{', '}', '&', '\\', '|', '%']), "{line}");
    }
}

#[test]
fn what_is_too_much_for_a_picture_is_folded_by_steps_and_hides_no_failure() {
    let tasks: Vec<String> =
        (0..600).map(|task| format!("  t{task}: {{ needs: [a], run: \"true\" }}\n")).collect();
    let tasks = tasks.concat();
    let text =
        format!("tasks:\n  a: {{ run: \"true\" }}\n{tasks}  z: {{ needs: [t0, t599], run: \"true\" }}\n");
    let mut stage = Stage::of(&text);
    stage.after("1s").end("a", 0, "").after("1s").end("t3", 1, "").end("t0", 0, "");
    let graph = Graph::of_run(stage.state(), stage.run(), true, stage.now);
    let folded = fold::by_steps(&graph);
    insta::with_settings!({ omit_expression => true }, {
        insta::assert_snapshot!("folded_text", on_page(&folded, 80));
    });
}

#[test]
fn what_was_lost_is_not_measured_and_what_failed_is() {
    let mut stage = Stage::of(
        "tasks:
  a: { run: x, retry: { max_attempts: 2, initial_interval: 10s, jitter: none } }
  b: { run: x }
",
    );
    stage.after("1h").lose("a").end("b", 0, "").after("10s");
    stage.after("2s").end("a", 1, "").after("20s").after("3s").end("a", 0, "").after("1s");
    let graph = Graph::of_run(stage.state(), stage.run(), true, stage.now);
    let shown = |place: usize| graph.nodes[place].lines().pop();
    assert_eq!(shown(0).as_deref(), Some("succeeded · 3 attempts · 5.0 s"));
    assert_eq!(shown(1).as_deref(), Some("succeeded · 1 h"));
    let (title, names) = graph.path.in_words().expect("something was measured");
    assert_eq!((title.as_str(), names), ("critical path, 1 h", &["b".to_owned()][..]));
}

#[test]
fn a_parent_that_has_no_children_yet_says_nothing_of_them() {
    let stage = Stage::of("tasks: { a: { run: x }, b: { needs: [a], for_each: [1, 2], run: x } }");
    let graph = Graph::of_run(stage.state(), stage.run(), true, stage.now);
    assert_eq!(graph.nodes[1].lines(), ["x", "for each item", "waiting"]);
}

#[test]
fn rounds_follow_each_other_on_the_path_and_of_replicas_only_the_taken_one_was_waited_for() {
    let mut stage = Stage::of(
        "
tasks:
  again: { repeat: { until: \"{{ index == 1 }}\", max: 5 }, run: x }
  race: { needs: [again], replicas: 3, select: first, run: x }
  vote: { needs: [race], replicas: 3, select: majority, run: x }
",
    );
    stage.after("2s").end("again.0", 0, "").after("3s").end("again.1", 0, "");
    stage.after("4s").end("race.1", 0, "").after("10s").end("race.0", 1, "").end("race.2", 1, "");
    stage.after("1s");
    let graph = Graph::of_run(stage.state(), stage.run(), true, stage.now);
    let names: Vec<&str> = graph.path.names.iter().map(String::as_str).collect();
    assert_eq!(names, ["again", "again.0", "again.1", "race", "race.1", "vote", "vote.0"]);
    assert_eq!(graph.path.took.map(|took| took.ms), Some(10_000));
    let marks: Vec<String> = graph.nodes.iter().flat_map(super::model::Node::marks).collect();
    assert_eq!(
        marks,
        [
            "up to 5 rounds, until index == 1",
            "3 replicas, the first is taken",
            "3 replicas, the majority decides"
        ]
    );
}

const TALK: &str = "
tasks:
  build: { run: make }
  tell: { needs: [build], emit: { topic: build/done } }
  heed: { wait_for: { topic: build/done } }
  both: { needs: [tell], wait_for: { topic: build/done } }
  nap: { needs: [heed], wait_for: { after: 5m } }
  more: { needs: [both, nap], emit: { topic: nobody/hears } }
";

#[test]
fn who_wakes_whom_by_messages_is_drawn_with_dashes_in_each_format() {
    let graph = Graph::of_plan(&plan(TALK), "plan.yaml");
    insta::with_settings!({ omit_expression => true }, {
        insta::assert_snapshot!("talk_text", on_page(&graph, 80));
        insta::assert_snapshot!("talk_mermaid", mermaid::draw(&graph));
        insta::assert_snapshot!("talk_dot", dot::draw(&graph));
    });
    let drawn = svg::draw(&graph);
    let document = roxmltree::Document::parse(&drawn).expect("it is XML");
    let dashed = document.descendants().filter(|node| node.attribute("class") == Some("line talk"));
    let topics: Vec<Option<&str>> = dashed.map(|line| line.first_element_child()?.text()).collect();
    assert_eq!(topics, [Some("build/done"), Some("build/done")]);
    assert!(drawn.contains("wakes by a message"));
    let tasks = json::document(&graph)["tasks"].clone();
    assert_eq!((&tasks[1]["emits"][0], &tasks[2]["hears"][0]), (&"build/done".into(), &"build/done".into()));
}
