//! What the signs of an SVG mean: of those that are in it, and of no others. Never: more than fits its width.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use windlass_core::machine::task::Phase;

use super::card::{measure, shape, sign_at};
use super::model::{Graph, Kind, Node, tone};
use super::svg::{MARGIN, escape};
use super::talk;
use super::units::Units;
use crate::render::text::width;

/// How high a line of the legend is.
const LINE: i64 = 20;
/// How many lines the names on the critical path take up at most.
const PATH_LINES_MAX: usize = 5;

/// A legend, and where it ends.
pub(super) struct Legend {
    pub(super) svg: String,
    pub(super) bottom: i64,
}

/// Draws the legend of a picture into so much width, from a height on.
pub(super) fn draw(graph: &Graph, wide: i64, top: i64) -> Legend {
    let mut legend = Legend { svg: String::new(), bottom: top };
    legend.path(graph, wide);
    let mut x = 0;
    let mut entries = entries(graph);
    if !entries.is_empty() {
        legend.bottom += LINE;
    }
    for (draw, word) in entries.drain(..) {
        let long = 34 + measure("note", word) + 20;
        if x > 0 && x + long > wide {
            x = 0;
            legend.bottom += LINE;
        }
        let (left, line) = (MARGIN + x, legend.bottom);
        draw(&mut legend.svg, (left, line));
        writeln!(legend.svg, "<text class=\"note\" x=\"{}\" y=\"{line}\">{word}</text>", left + 34)
            .expect("a text");
        x += long;
    }
    legend
}

impl Legend {
    fn path(&mut self, graph: &Graph, wide: i64) {
        let Some((title, names)) = graph.path.in_words() else { return };
        let columns = usize::try_from((wide - 34) / 7).unwrap_or(0);
        let lines = wrap(&title, names, columns);
        self.bottom += LINE;
        let y = self.bottom - 4;
        writeln!(self.svg, "<path class=\"line heavy\" d=\"M{MARGIN},{y}h20\"/>").expect("a text");
        for (index, line) in lines.iter().enumerate() {
            if index > 0 {
                self.bottom += LINE - 4;
            }
            let shown = escape(line);
            writeln!(
                self.svg,
                "<text class=\"note\" x=\"{}\" y=\"{}\">{shown}</text>",
                MARGIN + 34,
                self.bottom
            )
            .expect("a text");
        }
    }
}

/// The names of a path after its title, broken into lines between them.
fn wrap(title: &str, names: &[String], columns: usize) -> Vec<String> {
    let mut lines = vec![format!("{title}:")];
    for (index, name) in names.iter().enumerate() {
        let arrow = if index + 1 < names.len() { " →" } else { "" };
        let count = lines.len();
        let line = lines.last_mut().expect("there is one");
        if width(line) + width(name) + 3 <= columns {
            write!(line, " {name}{arrow}").expect("a text");
        } else if count < PATH_LINES_MAX {
            lines.push(format!("{name}{arrow}"));
        } else {
            write!(line, " … {} more", names.len() - index).expect("a text");
            break;
        }
    }
    lines
}

type Draw = Box<dyn Fn(&mut String, (i64, i64))>;

/// What is in the picture and not said in words there.
fn entries(graph: &Graph) -> Vec<(Draw, &'static str)> {
    let mut entries: Vec<(Draw, &'static str)> = Vec::new();
    let kinds: BTreeSet<Kind> = graph.nodes.iter().map(|node| node.kind).collect();
    for kind in kinds {
        let word = match kind {
            Kind::Command => "command",
            Kind::Prompt => "prompt to an agent",
            Kind::Approval => "question to a person",
            Kind::Plan => "plan of its own",
            Kind::Emit => "message",
            Kind::Wait => "wait",
            Kind::Fold => "several tasks",
        };
        let draw = move |to: &mut String, (x, y)| shape(to, kind, "box idle", (x, y - 11, 26, 14));
        entries.push((Box::new(draw), word));
    }
    if graph.nodes.iter().any(Node::is_parent) {
        let draw = |to: &mut String, (x, y)| {
            shape(to, Kind::Command, "box idle", (x + 4, y - 8, 22, 12));
            shape(to, Kind::Command, "box idle", (x, y - 12, 22, 12));
        };
        entries.push((Box::new(draw), "becomes several"));
    }
    if graph.nodes.iter().any(|node| node.optional) {
        let draw =
            |to: &mut String, (x, y)| shape(to, Kind::Command, "box idle optional", (x, y - 11, 26, 14));
        entries.push((Box::new(draw), "optional"));
    }
    if Units::of(&graph.nodes).members.iter().any(|members| members.len() > 1) {
        let draw = |to: &mut String, (x, y)| shape(to, Kind::Command, "frame", (x, y - 11, 26, 14));
        entries.push((Box::new(draw), "tasks that need the same"));
    }
    if !talk::arrows(graph).is_empty() {
        let draw = |to: &mut String, (x, y): (i64, i64)| {
            let at = y - 4;
            write!(to, "<path class=\"line\" stroke-dasharray=\"5 4\" d=\"M{x},{at}L{},{at}\"/>", x + 19)
                .expect("a text");
        };
        entries.push((Box::new(draw), "wakes by a message"));
    }
    let progress = graph.nodes.iter().filter_map(|node| node.progress.as_ref());
    let states: BTreeSet<Phase> = progress
        .flat_map(|progress| {
            let children = progress.children.iter().flat_map(|children| &children.shown);
            [progress.state].into_iter().chain(children.map(|child| child.state))
        })
        .collect();
    for state in states {
        let draw = move |to: &mut String, (x, y)| sign_at(to, tone(state), (x + 6, y - 11));
        entries.push((Box::new(draw), state.name()));
    }
    entries
}
