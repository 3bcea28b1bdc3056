//! The box of a task in an SVG: what is written in it, how large that makes it, and its shape. Never: where it stands.

use std::fmt::Write as _;

use super::model::{DOES_COLUMNS, Kind, Node, Tone, tone};
use super::svg::escape;
use crate::render::text::{fit, width};

/// How high a line of text is.
const LINE: i64 = 16;
/// From the edge of a box to what is in it.
const PADDING: i64 = 10;
/// How much of a box its pointed or round ends take up on each side.
const ENDS: i64 = 6;
/// How much the cards behind the card of a `for_each` stand out.
const STACK: i64 = 8;
/// How much a sign before a text takes up.
const SIGN: i64 = 18;
/// How wide a box is at least.
const WIDTH_MIN: i64 = 96;

/// A line in a box.
struct Entry {
    class: &'static str,
    sign: Option<Tone>,
    words: String,
}

/// What is written in a box.
pub(super) struct Card<'n> {
    node: &'n Node,
    entries: Vec<Entry>,
}

/// How wide a text of this class may come out, in whichever font the reader has.
pub(super) fn measure(class: &str, text: &str) -> i64 {
    let hundredths = match class {
        "id" => 800,
        _ => 675,
    };
    i64::try_from(width(text)).unwrap_or(i64::MAX).saturating_mul(hundredths) / 100 + 1
}

impl<'n> Card<'n> {
    /// The card of a task.
    pub(super) fn of(node: &'n Node) -> Self {
        let mut entries = Vec::new();
        let mut add = |class, sign, text: String| {
            entries.push(Entry { class, sign, words: fit(&text, DOES_COLUMNS) });
        };
        let progress = node.progress.as_ref();
        add("id", progress.map(|progress| tone(progress.state)), node.id.clone());
        add("does", None, node.does.clone());
        let marks = node.marks();
        if !marks.is_empty() {
            add("mark", None, marks.join(" · "));
        }
        if let Some(progress) = progress {
            add("state", None, progress.in_words().join(" · "));
            for child in progress.children.iter().flat_map(|children| &children.shown) {
                add(
                    "state",
                    Some(tone(child.state)),
                    format!("{} {}", child.id, child.in_words().join(" · ")),
                );
            }
        }
        Self { node, entries }
    }

    /// How large it is: wide and high.
    pub(super) fn size(&self) -> (i64, i64) {
        let widths = self.entries.iter().map(|entry| entry.indent() + measure(entry.class, &entry.words));
        let wide = widths.max().unwrap_or(0).max(WIDTH_MIN) + 2 * (PADDING + ENDS);
        let high = i64::try_from(self.entries.len()).unwrap_or(i64::MAX) * LINE + 2 * PADDING - 4;
        let stack = if self.node.is_parent() { STACK } else { 0 };
        (wide + stack, high + stack)
    }

    /// Draws it. `is_heavy` is whether the critical path goes through it.
    pub(super) fn draw(&self, to: &mut String, (x, y, wide, high): (i64, i64, i64, i64), is_heavy: bool) {
        let stack = if self.node.is_parent() { STACK } else { 0 };
        let (wide, high) = (wide - stack, high - stack);
        let tone = self.node.progress.as_ref().map_or(Tone::Idle, |progress| tone(progress.state));
        let behind = format!("box {}", class(tone));
        let heavy = if is_heavy { " heavy" } else { "" };
        let optional = if self.node.optional { " optional" } else { "" };
        let class = format!("{behind}{heavy}{optional}");
        write!(to, "<g><title>{}</title>", escape(&self.in_full())).expect("a text");
        for off in (1..=stack / 4).rev().map(|card| 4 * card) {
            shape(to, self.node.kind, &behind, (x + off, y + off, wide, high));
        }
        shape(to, self.node.kind, &class, (x, y, wide, high));
        let mut line = y + PADDING + 10;
        for entry in &self.entries {
            let left = x + PADDING + ENDS;
            if let Some(sign) = entry.sign {
                sign_at(to, sign, (left, line - 11));
            }
            let (class, indent) = (entry.class, entry.indent());
            let shown = escape(&entry.words);
            write!(to, "<text class=\"{class}\" x=\"{}\" y=\"{line}\">{shown}</text>", left + indent)
                .expect("a text");
            line += LINE;
        }
        if let Some(join) = self.node.join_in_words() {
            let text = format!("after {join}");
            let (left, long) = (x + 8, measure("state", &text) + 12);
            write!(
                to,
                "<rect class=\"join\" x=\"{left}\" y=\"{}\" width=\"{long}\" height=\"16\" rx=\"8\"/>\
                 <text class=\"state\" x=\"{}\" y=\"{}\">{text}</text>",
                y - 10,
                left + 6,
                y + 2,
            )
            .expect("a text");
        }
        to.push_str("</g>\n");
    }

    /// All that is known of it, for who points at it or can't see it.
    fn in_full(&self) -> String {
        let node = self.node;
        let mut lines = vec![format!("{}: {}", node.id, node.does)];
        lines.extend(node.marks());
        lines.extend(node.join_in_words().map(|join| format!("after {join}")));
        if let Some(progress) = &node.progress {
            lines.push(progress.in_words().join(", "));
        }
        lines.join("\n")
    }
}

impl Entry {
    fn indent(&self) -> i64 {
        if self.sign.is_some() { SIGN } else { 0 }
    }
}

/// The class of a tone.
pub(super) fn class(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "good",
        Tone::Bad => "bad",
        Tone::Busy => "busy",
        Tone::Held => "held",
        Tone::Idle => "idle",
        Tone::Off => "off",
    }
}

/// Draws the sign of a tone, which says the same as its colour.
pub(super) fn sign_at(to: &mut String, tone: Tone, (x, y): (i64, i64)) {
    let class = class(tone);
    write!(
        to,
        "<use href=\"#{class}\" x=\"{x}\" y=\"{y}\" width=\"14\" height=\"14\" class=\"sign {class}\"/>"
    )
    .expect("a text");
}

/// Draws the outline of a kind of task.
pub(super) fn shape(to: &mut String, kind: Kind, class: &str, (x, y, wide, high): (i64, i64, i64, i64)) {
    match kind {
        Kind::Command | Kind::Prompt | Kind::Plan | Kind::Fold => {
            let round = if kind == Kind::Prompt { (high / 2).min(16) } else { 3 };
            write!(
                to,
                "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{wide}\" height=\"{high}\" rx=\"{round}\"/>"
            )
        }
        Kind::Emit => {
            let (right, below, half, outer) = (x + wide, y + high, y + high / 2, x + wide - ENDS - 4);
            write!(
                to,
                "<path class=\"{class}\" d=\"M{x},{y}L{outer},{y}L{right},{half}L{outer},{below}L{x},{below}Z\"/>"
            )
        }
        Kind::Wait => {
            let (right, below, half, inner) = (x + wide, y + high, y + high / 2, x + ENDS + 4);
            write!(
                to,
                "<path class=\"{class}\" d=\"M{x},{y}L{right},{y}L{right},{below}L{x},{below}L{inner},{half}Z\"/>"
            )
        }
        Kind::Approval => {
            let (right, below, half) = (x + wide, y + high, y + high / 2);
            let (inner, outer) = (x + ENDS + 4, right - ENDS - 4);
            write!(
                to,
                "<path class=\"{class}\" d=\"M{x},{half}L{inner},{y}L{outer},{y}L{right},{half}L{outer},{below}L{inner},{below}Z\"/>"
            )
        }
    }
    .expect("a text");
}
