//! Text for a terminal: a tree in which each task stands once, below the last of what it needs, and names the rest.
//! Linear in tasks and needs, for thousands of them. Never: a line wider than the screen where it can be broken.

use super::model::{Graph, Node, Progress, Tone, tone};
use super::talk;
use crate::render::style::{self, BOLD, DIM, ERROR, HINT, OK, WARNING};
use crate::render::text::{fit, width, wrap, wrap_words};

/// How wide the tree is at most before what is said beside it.
const TREE_MAX: usize = 34;
/// How wide the lines of the tree are at most; of what lies deeper the left part is left out.
const DEPTH_MAX: usize = 24;
/// How wide the rest of a screen must be to have texts broken into it.
const REST_MIN: usize = 24;

/// What is left to be drawn: a task and the lines before it.
struct Branch {
    place: usize,
    before: String,
    below: String,
}

/// A line of the tree.
struct Row<'g> {
    is_heavy: bool,
    before: String,
    /// What the lines go on with below it.
    below: String,
    sign: Option<Tone>,
    id: &'g str,
    said: String,
    after: String,
}

/// The lines of a picture, for a screen of so many columns.
pub(crate) fn draw(graph: &Graph, columns: usize) -> Vec<String> {
    let rows = rows(graph);
    let tree = rows.iter().map(Row::width).max().unwrap_or(0).min(TREE_MAX);
    let mut lines = Vec::new();
    if !graph.goal.is_empty() {
        lines.push(paint(BOLD, &fit(&graph.goal, columns)));
    }
    lines.push(paint(DIM, &fit(&graph.summary(), columns)));
    lines.push(String::new());
    for row in &rows {
        row.print(tree, columns, &mut lines);
    }
    if let Some((title, names)) = graph.path.in_words() {
        lines.push(String::new());
        let path = format!("┃ {title}: {}", names.join(" → "));
        lines.extend(wrap_words(&path, columns));
    }
    lines
}

fn rows(graph: &Graph) -> Vec<Row<'_>> {
    let mut dependants = vec![Vec::new(); graph.nodes.len()];
    graph.edges().for_each(|(from, to)| dependants[from].push(to));
    let mut open: Vec<usize> = graph.nodes.iter().map(|node| node.needs.len()).collect();
    let members = graph.path.members();
    let mut wakers: Vec<Vec<&str>> = vec![Vec::new(); graph.nodes.len()];
    for talk in talk::arrows(graph) {
        wakers[talk.to].push(&graph.nodes[talk.from].id);
    }
    let roots = (0..graph.nodes.len()).rev().filter(|place| graph.nodes[*place].needs.is_empty());
    let mut branches: Vec<Branch> =
        roots.map(|place| Branch { place, before: String::new(), below: String::new() }).collect();
    let mut rows = Vec::new();
    let mut parents: Vec<Option<usize>> = vec![None; graph.nodes.len()];
    while let Some(Branch { place, before, below }) = branches.pop() {
        let node = &graph.nodes[place];
        for dependant in &dependants[place] {
            open[*dependant] -= 1;
        }
        let mut next = dependants[place].clone();
        next.retain(|dependant| open[*dependant] == 0);
        for dependant in &next {
            parents[*dependant] = Some(place);
        }
        let goes_on = if next.is_empty() { "  " } else { "│ " };
        rows.push(Row {
            is_heavy: members.contains(&place),
            before,
            below: format!("{below}{goes_on}"),
            sign: node.progress.as_ref().map(|progress| tone(progress.state)),
            id: &node.id,
            said: said(node),
            after: woken(after(graph, node, parents[place]), &wakers[place]),
        });
        children(node, &below, goes_on, &mut rows);
        let last = next.last().copied();
        for dependant in next.iter().rev() {
            let (sign, continued) = match (next.len(), last == Some(*dependant)) {
                (1, _) => ("↓ ", ""),
                (_, true) => ("╰─ ", "   "),
                (_, false) => ("├─ ", "│  "),
            };
            branches.push(Branch {
                place: *dependant,
                before: format!("{below}{sign}"),
                below: format!("{below}{continued}"),
            });
        }
    }
    rows
}

/// The few children of a parent, below it.
fn children<'g>(node: &'g Node, below: &str, goes_on: &str, rows: &mut Vec<Row<'g>>) {
    let children = node.progress.iter().filter_map(|progress| progress.children.as_ref());
    for child in children.flat_map(|children| &children.shown) {
        rows.push(Row {
            is_heavy: false,
            before: format!("{below}{goes_on}· "),
            below: format!("{below}{goes_on}"),
            sign: Some(tone(child.state)),
            id: &child.id,
            said: child.in_words().join(" · "),
            after: String::new(),
        });
    }
}

/// What is said beside a task: its state and its modifiers, of a plan also what it does.
fn said(node: &Node) -> String {
    let mut parts = node.progress.as_ref().map(Progress::in_words).unwrap_or_default();
    parts.extend(node.marks());
    if node.progress.is_none() {
        parts.push(node.does.clone());
    }
    parts.join(" · ")
}

/// What a task needs besides the one that it stands below.
fn after(graph: &Graph, node: &Node, parent: Option<usize>) -> String {
    let names = |needs: &mut dyn Iterator<Item = &usize>| {
        needs.map(|need| graph.nodes[*need].id.as_str()).collect::<Vec<_>>().join(", ")
    };
    if let Some(join) = node.join_in_words() {
        return format!("after {join}: {}", names(&mut node.needs.iter()));
    }
    let others = names(&mut node.needs.iter().filter(|need| Some(**need) != parent));
    if others.is_empty() { others } else { format!("also after {others}") }
}

/// The same with those who wake it by messages.
fn woken(after: String, wakers: &[&str]) -> String {
    if wakers.is_empty() {
        return after;
    }
    let between = if after.is_empty() { "" } else { ", " };
    format!("{after}{between}woken by {}", wakers.join(", "))
}

impl Row<'_> {
    fn width(&self) -> usize {
        let sign = if self.sign.is_some() { 2 } else { 0 };
        width(&short(&self.before)) + sign + width(self.id)
    }

    fn print(&self, tree: usize, columns: usize, lines: &mut Vec<String>) {
        let gutter = if self.is_heavy { paint(BOLD, "┃") } else { " ".to_owned() };
        let sign = self.sign.map(|tone| paint(style(tone), sign(tone))).map(|sign| format!("{sign} "));
        let id = if self.is_heavy { paint(BOLD, self.id) } else { self.id.to_owned() };
        let left = tree.max(self.width()) + 4;
        let pad = " ".repeat(left - 2 - self.width());
        let rest = columns.saturating_sub(left);
        let whole = match (self.said.as_str(), self.after.as_str()) {
            (said, "") => said.to_owned(),
            ("", after) => after.to_owned(),
            (said, after) => format!("{said} · {after}"),
        };
        let fits = width(&whole) <= rest || self.after.is_empty();
        let first = fit(if fits { &whole } else { &self.said }, rest);
        let line = format!(
            "{gutter} {}{}{id}{pad}{}",
            paint(DIM, &short(&self.before)),
            sign.unwrap_or_default(),
            self.paint_said(&first)
        );
        lines.push(line.trim_end().to_owned());
        if !fits {
            let longest = self.after.split(", ").map(|part| width(part) + 1).max().unwrap_or(0);
            let is_beside = rest >= REST_MIN.max(longest);
            let indent = if is_beside { left } else { 2 + width(&short(&self.below)) + 2 };
            let below = format!("  {}", short(&self.below));
            let pad = " ".repeat(indent.saturating_sub(width(&below)));
            for line in wrap(&self.after, columns.saturating_sub(indent).max(REST_MIN), 0, ",") {
                lines.push(format!("{}{pad}{}", paint(DIM, &below), paint(DIM, &line)));
            }
        }
    }

    /// What is said, with the state in its colour.
    fn paint_said(&self, said: &str) -> String {
        let Some(tone) = self.sign else { return paint(DIM, said) };
        let (state, rest) =
            said.split_once(" · ").map_or((said, ""), |(state, _)| said.split_at(state.len()));
        format!("{}{}", paint(style(tone), state), paint(DIM, rest))
    }
}

/// The lines before a task, without their left part where they are too long.
fn short(before: &str) -> String {
    let letters: Vec<char> = before.chars().collect();
    match letters.len().checked_sub(DEPTH_MAX) {
        Some(over @ 1..) => ['…'].into_iter().chain(letters[over + 1..].iter().copied()).collect(),
        Some(0) | None => before.to_owned(),
    }
}

/// A text in a style, and nothing for no text.
fn paint(style: anstyle::Style, text: &str) -> String {
    if text.is_empty() { String::new() } else { style::paint(style, text) }
}

fn sign(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "✓",
        Tone::Bad => "✗",
        Tone::Busy => "▶",
        Tone::Held => "!",
        Tone::Idle => "○",
        Tone::Off => "–",
    }
}

fn style(tone: Tone) -> anstyle::Style {
    match tone {
        Tone::Good => OK,
        Tone::Bad => ERROR,
        Tone::Busy => HINT,
        Tone::Held => WARNING,
        Tone::Idle | Tone::Off => DIM,
    }
}
