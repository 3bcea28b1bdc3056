//! DOT, for Graphviz and all that reads it. Never: a text that is not quoted.

use std::fmt::Write as _;

use super::model::{Graph, Kind, Tone, tone};
use super::talk::{self, Talk};

/// A picture of a plan or of a run.
pub(crate) fn draw(graph: &Graph) -> String {
    let title = if graph.goal.is_empty() { &graph.source } else { &graph.goal };
    let mut below = vec![graph.summary()];
    below.extend(graph.path.in_words().map(|(title, names)| format!("{title}: {}", names.join(" → "))));
    let mut dot = String::new();
    write!(
        dot,
        "digraph {} {{\n  rankdir=LR; labelloc=b; label={};\n  \
         node [shape=box, fontname=\"monospace\", fontsize=11, style=filled, fillcolor=white, color=\"#57606a\"];\n  \
         edge [color=\"#8c959f\"];\n",
        quote(title),
        quote(&below.join("\n")),
    )
    .expect("a text");
    let (members, steps) = (graph.path.members(), graph.path.steps());
    for (place, node) in graph.nodes.iter().enumerate() {
        let mut lines = vec![node.id.clone()];
        lines.extend(node.lines());
        let shape = match node.kind {
            _ if node.is_parent() => "box3d",
            Kind::Command | Kind::Prompt | Kind::Fold => "box",
            Kind::Approval => "hexagon",
            Kind::Plan => "box3d",
            Kind::Emit => "rarrow",
            Kind::Wait => "cds",
        };
        let rounded = if node.kind == Kind::Prompt && !node.is_parent() { ",rounded" } else { "" };
        let dashed = if node.optional { ",dashed" } else { "" };
        let heavy = if members.contains(&place) { ", penwidth=3" } else { "" };
        let (fill, edge) =
            node.progress.as_ref().map_or(("white", "#57606a"), |progress| colours(tone(progress.state)));
        writeln!(
            dot,
            "  {} [label={}, shape={shape}, style=\"filled{rounded}{dashed}\", fillcolor=\"{fill}\", color=\"{edge}\"{heavy}];",
            quote(&node.id),
            quote(&lines.join("\n")),
        )
        .expect("a text");
    }
    for (from, to) in graph.edges() {
        let heavy = if steps.contains(&(from, to)) { " [penwidth=3, color=black]" } else { "" };
        let name = |place: usize| quote(&graph.nodes[place].id);
        writeln!(dot, "  {} -> {}{heavy};", name(from), name(to)).expect("a text");
    }
    for Talk { from, to, topic } in talk::arrows(graph) {
        let name = |place: usize| quote(&graph.nodes[place].id);
        let topic = quote(topic);
        writeln!(dot, "  {} -> {} [style=dashed, constraint=false, label={topic}];", name(from), name(to))
            .expect("a text");
    }
    dot.push_str("}\n");
    dot
}

fn colours(tone: Tone) -> (&'static str, &'static str) {
    match tone {
        Tone::Good => ("#eefbf1", "#1a7f37"),
        Tone::Bad => ("#ffebe9", "#cf222e"),
        Tone::Busy => ("#ddf4ff", "#0969da"),
        Tone::Held => ("#fff8c5", "#9a6700"),
        Tone::Idle => ("white", "#57606a"),
        Tone::Off => ("#f6f8fa", "#8c959f"),
    }
}

/// A text in quotes. A backslash would begin an escape, but for the end of a line; an `&` would begin an entity.
fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '&' => quoted.push_str("&amp;"),
            '\n' => quoted.push_str("\\n"),
            letter => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}
