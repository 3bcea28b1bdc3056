//! Mermaid, as GitHub draws it in Markdown: a flowchart. Never: a letter in a label that Mermaid would take for its own.

use std::fmt::Write as _;

use super::model::{Graph, Kind, Node, Tone, tone};
use super::talk::{self, Talk};

/// A picture of a plan or of a run. Where there is a goal, the first lines are the title.
pub(crate) fn draw(graph: &Graph) -> String {
    let mut chart = String::new();
    if !graph.goal.is_empty() {
        // JSON's texts are YAML's.
        writeln!(chart, "---\ntitle: {}\n---", serde_json::Value::from(graph.goal.as_str())).expect("a text");
    }
    let direction = if is_long(graph) { "TB" } else { "LR" };
    writeln!(chart, "flowchart {direction}").expect("a text");
    let (members, steps) = (graph.path.members(), graph.path.steps());
    for (place, node) in graph.nodes.iter().enumerate() {
        let heavy = if members.contains(&place) { "Path" } else { "" };
        let dashes = if node.optional { "Optional" } else { "" };
        let class = node.progress.as_ref().map_or("plain", |progress| class(tone(progress.state)));
        let (open, close) = shape(node);
        writeln!(chart, "    t{place}{open}\"{}\"{close}:::{class}{dashes}{heavy}", label(node))
            .expect("a text");
    }
    for (from, to) in graph.edges() {
        let arrow = if steps.contains(&(from, to)) { "==>" } else { "-->" };
        writeln!(chart, "    t{from} {arrow} t{to}").expect("a text");
    }
    for Talk { from, to, topic } in talk::arrows(graph) {
        writeln!(chart, "    t{from} -. \"{}\" .-> t{to}", escape(topic)).expect("a text");
    }
    if let Some((title, names)) = graph.path.in_words() {
        let path = escape(&format!("{title}: {}", names.join(" → ")));
        writeln!(chart, "    path[\"{path}\"]:::note").expect("a text");
        // Behind the last of them, where no line passes.
        if let Some(last) = graph.path.nodes.last() {
            writeln!(chart, "    t{last} ~~~ path").expect("a text");
        }
    }
    classes(&mut chart);
    chart
}

/// Whether there are many more steps than tasks side by side: those go down rather than to the right.
fn is_long(graph: &Graph) -> bool {
    let needs: Vec<Vec<usize>> = graph.nodes.iter().map(|node| node.needs.clone()).collect();
    let levels = windlass_core::plan::graph::levels(&needs);
    let widest = levels.iter().map(Vec::len).max().unwrap_or(0);
    levels.len() > 8 && levels.len() > widest
}

fn shape(node: &Node) -> (&'static str, &'static str) {
    match node.kind {
        _ if node.is_parent() => ("[[", "]]"),
        Kind::Command | Kind::Fold => ("[", "]"),
        Kind::Prompt => ("(", ")"),
        Kind::Approval => ("{{", "}}"),
        Kind::Plan => ("[[", "]]"),
        Kind::Emit => ("[/", "/]"),
        Kind::Wait => (">", "]"),
    }
}

/// What is written in a box: its lines, the name in bold.
fn label(node: &Node) -> String {
    let mut lines = vec![format!("<b>{}</b>", escape(&node.id))];
    lines.extend(node.lines().iter().map(|line| escape(line)));
    lines.join("<br/>")
}

/// A text with everything as a number that is neither a letter nor harmless.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_alphanumeric() || " .,:/_-→·…".contains(letter) {
            escaped.push(letter);
        } else {
            write!(escaped, "#{};", u32::from(letter)).expect("a text");
        }
    }
    escaped
}

fn class(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "good",
        Tone::Bad => "bad",
        Tone::Busy => "busy",
        Tone::Held => "held",
        Tone::Idle => "plain",
        Tone::Off => "off",
    }
}

/// The colours, each with and without dashes and a heavy edge: a box takes one class only.
fn classes(chart: &mut String) {
    const COLOURS: [(&str, &str); 6] = [
        ("plain", "fill:#ffffff,stroke:#57606a,color:#1f2328"),
        ("good", "fill:#eefbf1,stroke:#1a7f37,color:#1f2328"),
        ("bad", "fill:#ffebe9,stroke:#cf222e,color:#1f2328"),
        ("busy", "fill:#ddf4ff,stroke:#0969da,color:#1f2328"),
        ("held", "fill:#fff8c5,stroke:#9a6700,color:#1f2328"),
        ("off", "fill:#f6f8fa,stroke:#8c959f,color:#57606a"),
    ];
    let mut used: Vec<String> = Vec::new();
    for (name, colours) in COLOURS {
        for (dashes, dashed) in [("", ""), ("Optional", ",stroke-dasharray:5 3")] {
            for (heavy, wide) in [("", ""), ("Path", ",stroke-width:3px")] {
                let class = format!("{name}{dashes}{heavy}");
                if chart.contains(&format!(":::{class}\n")) {
                    used.push(format!("    classDef {class} {colours}{dashed}{wide}\n"));
                }
            }
        }
    }
    if chart.contains(":::note\n") {
        used.push("    classDef note fill:none,stroke:none\n".to_owned());
    }
    chart.push_str(&used.concat());
}
