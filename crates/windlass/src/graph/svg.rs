//! SVG: boxes by layers, the needs as curves, the critical path drawn heavier. Light and dark by the reader's wish, and
//! readable without colours. Never: fonts or scripts from elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::card::Card;
use super::lanes::{self, Message};
use super::layout::{Gaps, Layout, Line, Size, Spot, lay_out};
use super::legend;
use super::model::{Graph, Node};
use super::talk;
use super::units::{Grid, Units};
use crate::render::text::fit;

/// Around the picture.
pub(super) const MARGIN: i64 = 24;
/// How wide a picture is at least.
const WIDTH_MIN: i64 = 480;
/// How much the title and the line below it take up.
const HEAD: i64 = 56;
/// How long the tip of an arrow is.
const TIP: i64 = 7;

/// Which way the flow goes: to the right, or down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Axes {
    Right,
    Down,
}

/// A picture of a plan or of a run.
pub(crate) fn draw(graph: &Graph) -> String {
    let cards: Vec<Card<'_>> = graph.nodes.iter().map(Card::of).collect();
    let units = Units::of(&graph.nodes);
    let grids = units
        .members
        .iter()
        .map(|members| Grid::of(&members.iter().map(|place| cards[*place].size()).collect::<Vec<_>>()));
    let picture = Picture { grids: grids.collect(), cards, units };
    let messages = picture.messages(graph);
    let (axes, layout, ways) = picture.lay_out(&graph.nodes, &messages);
    let (wide, high) = axes.point(layout.size.along, layout.size.across);
    let width = (wide + 2 * MARGIN).max(WIDTH_MIN);
    let legend = legend::draw(graph, width - 2 * MARGIN, HEAD + high + MARGIN);
    let height = legend.bottom + MARGIN;
    let mut svg = String::new();
    let label = if graph.goal.is_empty() { graph.source.as_str() } else { graph.goal.as_str() };
    write!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" role=\"img\" aria-labelledby=\"windlass-title windlass-desc\">\n\
         <title id=\"windlass-title\">{}</title>\n<desc id=\"windlass-desc\">{}</desc>\n{STYLE}{DEFINITIONS}\
         <rect class=\"ground\" width=\"{width}\" height=\"{height}\"/>\n",
        escape(label),
        escape(&description(graph)),
    )
    .expect("a text");
    let columns = |per: i64| usize::try_from((width - 2 * MARGIN) / per).unwrap_or(0);
    write!(
        svg,
        "<text class=\"title\" x=\"{MARGIN}\" y=\"26\">{}</text>\n\
         <text class=\"note\" x=\"{MARGIN}\" y=\"44\">{}</text>\n",
        escape(&fit(label, columns(10))),
        escape(&fit(&graph.summary(), columns(7))),
    )
    .expect("a text");
    let indent = (width - wide) / 2;
    writeln!(svg, "<g transform=\"translate({indent} {HEAD})\">").expect("a text");
    picture.draw(&mut svg, graph, axes, (&layout, &messages, &ways));
    svg.push_str("</g>\n");
    svg.push_str(&legend.svg);
    svg.push_str("</svg>\n");
    svg
}

/// What it shows, for who can't see it.
fn description(graph: &Graph) -> String {
    let path = graph.path.in_words();
    let path = path.map(|(title, names)| format!(". {title}: {}", names.join(" → ")));
    format!("{}{}", graph.summary(), path.unwrap_or_default())
}

/// Where boxes and lines go, the messages, and their ways.
type Laid<'a> = (&'a Layout, &'a [(Message, &'a str)], &'a [Line]);

/// What is drawn, before it is known where.
struct Picture<'g> {
    cards: Vec<Card<'g>>,
    units: Units,
    /// For each unit where its cards are within it.
    grids: Vec<Grid>,
}

impl Picture<'_> {
    /// The layout that needs the smaller screen: flowing to the right, or down.
    fn lay_out(&self, nodes: &[Node], messages: &[(Message, &str)]) -> (Axes, Layout, Vec<Line>) {
        let needs = self.units.needs(nodes);
        let of = |axes: Axes, gaps: Gaps| {
            let sizes = self.units.members.iter().zip(&self.grids).map(|(members, grid)| {
                let (wide, high) = match members.as_slice() {
                    [only] => self.cards[*only].size(),
                    several => grid.size(several.len()),
                };
                axes.size(wide, high)
            });
            let mut layout = lay_out(&sizes.collect::<Vec<Size>>(), &needs, gaps);
            let messages: Vec<Message> = messages.iter().map(|(message, _)| *message).collect();
            let ways = lanes::route(&mut layout, &messages);
            (layout, ways)
        };
        let right = of(Axes::Right, Gaps { along: 56, across: 24 });
        let down = of(Axes::Down, Gaps { along: 48, across: 24 });
        // What fits on a screen flows to the right, as text does.
        let screen = |axes: Axes, layout: &Layout| {
            let (wide, high) = axes.point(layout.size.along, layout.size.across);
            (wide * 10).max(high * 16).max(14_000)
        };
        if screen(Axes::Right, &right.0) <= screen(Axes::Down, &down.0) {
            (Axes::Right, right.0, right.1)
        } else {
            (Axes::Down, down.0, down.1)
        }
    }

    fn draw(&self, to: &mut String, graph: &Graph, axes: Axes, (layout, messages, ways): Laid<'_>) {
        let steps = graph.path.steps().into_iter().map(|step| self.units.step(step));
        let steps: BTreeSet<(usize, usize)> = steps.collect();
        let (heavy, light): (Vec<_>, Vec<_>) =
            layout.lines.iter().partition(|line| steps.contains(&(line.from, line.to)));
        for line in light {
            curve(to, line, axes, "line");
        }
        // The critical path lies over the rest.
        for line in heavy {
            curve(to, line, axes, "line heavy");
        }
        for ((_, topic), way) in messages.iter().zip(ways) {
            talk(to, way, axes, topic);
        }
        let on_path = graph.path.members();
        for ((members, grid), spot) in self.units.members.iter().zip(&self.grids).zip(&layout.spots) {
            let (x, y, wide, high) = axes.rectangle(*spot);
            if let [only] = members.as_slice() {
                self.cards[*only].draw(to, (x, y, wide, high), on_path.contains(only));
                continue;
            }
            writeln!(
                to,
                "<rect class=\"frame\" x=\"{x}\" y=\"{y}\" width=\"{wide}\" height=\"{high}\" rx=\"8\"/>"
            )
            .expect("a text");
            for (number, place) in members.iter().enumerate() {
                let (left, top, wide, high) = grid.rectangle(number);
                self.cards[*place].draw(to, (x + left, y + top, wide, high), on_path.contains(place));
            }
        }
    }
}

impl Picture<'_> {
    /// The messages from what stands as one to what does, each of a topic once.
    fn messages<'g>(&self, graph: &'g Graph) -> Vec<(Message, &'g str)> {
        let arrows = talk::arrows(graph);
        let topics: BTreeSet<&str> = arrows.iter().map(|arrow| arrow.topic).collect();
        let topics: BTreeMap<&str, usize> = topics.into_iter().zip(0..).collect();
        let steps: BTreeSet<(&str, (usize, usize))> =
            arrows.iter().map(|arrow| (arrow.topic, self.units.step((arrow.from, arrow.to)))).collect();
        let steps = steps.into_iter().filter(|(_, (from, to))| from != to);
        steps.map(|(topic, (from, to))| (Message { from, to, topic: topics[topic] }, topic)).collect()
    }
}

/// The way of a message, with dashes.
fn talk(to: &mut String, way: &Line, axes: Axes, topic: &str) {
    let last = way.points.len() - 1;
    let at = |(number, (along, across)): (usize, &(i64, i64))| {
        let (x, y) = axes.point(along - if number == last { TIP } else { 0 }, *across);
        format!("{x},{y}")
    };
    let points: Vec<String> = way.points.iter().enumerate().map(at).collect();
    let (points, topic) = (points.join("L"), escape(topic));
    writeln!(
        to,
        "<path class=\"line talk\" stroke-dasharray=\"5 4\" stroke-linejoin=\"round\" d=\"M{points}\"><title>{topic}</title></path>"
    )
    .expect("a text");
}

fn curve(to: &mut String, line: &Line, axes: Axes, class: &str) {
    let mut points = line.points.clone();
    if let Some(last) = points.last_mut() {
        last.0 -= TIP;
    }
    let at = |(along, across): (i64, i64)| {
        let (x, y) = axes.point(along, across);
        format!("{x},{y}")
    };
    write!(to, "<path class=\"{class}\" d=\"M{}", at(points[0])).expect("a line has ends");
    for pair in points.windows(2) {
        let (from, until) = (pair[0], pair[1]);
        if from.1 == until.1 {
            write!(to, "L{}", at(until)).expect("a text");
        } else {
            let half = i64::midpoint(from.0, until.0);
            write!(to, "C{} {} {}", at((half, from.1)), at((half, until.1)), at(until)).expect("a text");
        }
    }
    to.push_str("\"/>\n");
}

impl Axes {
    /// A place along and across, as x and y.
    pub(super) fn point(self, along: i64, across: i64) -> (i64, i64) {
        match self {
            Self::Right => (along, across),
            Self::Down => (across, along),
        }
    }

    /// A width and a height, as along and across.
    pub(super) fn size(self, wide: i64, high: i64) -> Size {
        match self {
            Self::Right => Size { along: wide, across: high },
            Self::Down => Size { along: high, across: wide },
        }
    }

    /// Where a box is: x, y, width, height.
    pub(super) fn rectangle(self, spot: Spot) -> (i64, i64, i64, i64) {
        let (x, y) = self.point(spot.along, spot.across);
        let (wide, high) = self.point(spot.size.along, spot.size.across);
        (x, y, wide, high)
    }
}

/// A text as XML may carry it. Control characters were made visible before.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            letter => escaped.push(letter),
        }
    }
    escaped
}

const STYLE: &str = "<style>
text{font:11px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:#1f2328}
.title{font:bold 16px system-ui,-apple-system,'Segoe UI',Helvetica,Arial,'DejaVu Sans',sans-serif}
.id{font-size:13px;font-weight:bold}.does,.note{fill:#57606a}.mark{fill:#57606a;font-style:italic}
.ground{fill:#fff}.box{stroke-width:1.2}.heavy{stroke-width:3}.optional{stroke-dasharray:6 3}
.line{fill:none;stroke:#8c959f;stroke-width:1.3;marker-end:url(#tip)}
.line.heavy{stroke:#1f2328;stroke-width:3;marker-end:url(#heavy-tip)}
.frame{fill:#f6f8fa;stroke:#d0d7de}.tip{fill:#8c959f}.heavy-tip{fill:#1f2328}.join{fill:#fff;stroke:#57606a}
.sign{stroke:none;color:#fff}
.box.good{fill:#eefbf1;stroke:#1a7f37}.box.bad{fill:#ffebe9;stroke:#cf222e}.box.busy{fill:#ddf4ff;stroke:#0969da}
.box.held{fill:#fff8c5;stroke:#9a6700}.box.idle{fill:#fff;stroke:#57606a}.box.off{fill:#f6f8fa;stroke:#8c959f}
.box.idle.heavy{stroke:#1f2328}.sign.good{fill:#1a7f37}.sign.bad{fill:#cf222e}.sign.busy{fill:#0969da}
.sign.held{fill:#9a6700}.sign.idle{fill:#57606a}.sign.off{fill:#8c959f}
@media (prefers-color-scheme:dark){
text{fill:#e6edf3}.does,.note,.mark{fill:#9198a1}.ground{fill:#0d1117}
.line{stroke:#6e7681}.line.heavy{stroke:#f0f6fc}.frame{fill:#161b22;stroke:#3d444d}.tip{fill:#6e7681}.heavy-tip{fill:#f0f6fc}.join{fill:#0d1117;stroke:#9198a1}
.box.good{fill:#0f2417;stroke:#3fb950}.box.bad{fill:#2d1416;stroke:#f85149}.box.busy{fill:#0c2135;stroke:#58a6ff}
.box.held{fill:#2a2008;stroke:#d29922}.box.idle{fill:#151b23;stroke:#9198a1}.box.off{fill:#12161c;stroke:#6e7681}
.box.idle.heavy{stroke:#f0f6fc}.sign.good{fill:#3fb950}.sign.bad{fill:#f85149}.sign.busy{fill:#58a6ff}
.sign.held{fill:#d29922}.sign.idle{fill:#9198a1}.sign.off{fill:#6e7681}
}
</style>
";

const DEFINITIONS: &str = "<defs>
<marker id=\"tip\" markerUnits=\"userSpaceOnUse\" markerWidth=\"8\" markerHeight=\"8\" refX=\"0\" refY=\"4\" orient=\"auto\">\
<path class=\"tip\" d=\"M0,0.5L7,4L0,7.5Z\"/></marker>
<marker id=\"heavy-tip\" markerUnits=\"userSpaceOnUse\" markerWidth=\"8\" markerHeight=\"10\" refX=\"0\" refY=\"5\" orient=\"auto\">\
<path class=\"heavy-tip\" d=\"M0,0L7,5L0,10Z\"/></marker>
<symbol id=\"good\" viewBox=\"0 0 14 14\"><path fill-rule=\"evenodd\" d=\"M7,0a7,7 0 1,0 .01,0Z\
M6,10.6L2.7,7.3L4.1,5.9L6,7.8L10,3.8L11.4,5.2Z\"/></symbol>
<symbol id=\"bad\" viewBox=\"0 0 14 14\"><path fill-rule=\"evenodd\" d=\"M4,0H10L14,4V10L10,14H4L0,10V4Z\
M4.4,3.2L3.2,4.4L5.8,7L3.2,9.6L4.4,10.8L7,8.2L9.6,10.8L10.8,9.6L8.2,7L10.8,4.4L9.6,3.2L7,5.8Z\"/></symbol>
<symbol id=\"busy\" viewBox=\"0 0 14 14\"><path fill-rule=\"evenodd\" d=\"M7,0a7,7 0 1,0 .01,0ZM5,3.5L11,7L5,10.5Z\"/></symbol>
<symbol id=\"held\" viewBox=\"0 0 14 14\"><path fill-rule=\"evenodd\" d=\"M7,0a7,7 0 1,0 .01,0Z\
M4,3.5H6.2V10.5H4ZM7.8,3.5H10V10.5H7.8Z\"/></symbol>
<symbol id=\"idle\" viewBox=\"0 0 14 14\"><path fill-rule=\"evenodd\" d=\"M7,0a7,7 0 1,0 .01,0ZM7,1.6a5.4,5.4 0 1,0 .01,0Z\"/></symbol>
<symbol id=\"off\" viewBox=\"0 0 14 14\"><path fill-rule=\"evenodd\" d=\"M7,0a7,7 0 1,0 .01,0ZM3,6H11V8H3Z\"/></symbol>
</defs>
";
