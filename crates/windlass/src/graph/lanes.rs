//! The ways of messages: out of a box into the gap behind its layer, and there across to the next layer, or to a lane beside
//! all layers and along that to any other box. Never: through a box.

use super::layout::{Layout, Line};

/// From the end of a layer to the first track behind it, and from the last one before a layer to its start.
const OUT: i64 = 4;
const IN: i64 = 8;
/// How far the tracks in a gap are apart, and how many there are: what has more shares them.
const TRACK: i64 = 3;
const TRACKS: usize = 4;
/// How far lanes are apart.
const LANE: i64 = 8;
/// How much room there must be before the first layer for what comes to it.
const LEAD: i64 = 28;

/// A message: from which box to which, and the number of its topic. Those of one topic share a lane.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) topic: usize,
}

/// The ways of messages in a layout, which is made as much larger as they need.
pub(super) fn route(layout: &mut Layout, messages: &[Message]) -> Vec<Line> {
    make_room(layout, messages);
    messages.iter().map(|message| way(layout, *message)).collect()
}

fn make_room(layout: &mut Layout, messages: &[Message]) {
    if messages.iter().any(|message| layout.spots[message.to].along == 0) {
        layout.spots.iter_mut().for_each(|spot| spot.along += LEAD);
        layout.ends.iter_mut().for_each(|end| *end += LEAD);
        layout.lines.iter_mut().flat_map(|line| &mut line.points).for_each(|point| point.0 += LEAD);
        layout.size.along += LEAD;
    }
    let tail = messages.iter().map(|message| layout.ends[message.from] + OUT + track(TRACKS));
    layout.size.along = layout.size.along.max(tail.max().unwrap_or(0));
    let lanes =
        messages.iter().filter(|message| !is_next(layout, **message)).map(|message| message.topic + 1);
    let room = lanes.max().map_or(0, |lanes| lane(0, lanes));
    for (spot, layer) in layout.spots.iter_mut().zip(&layout.layer_of) {
        spot.across += if layer.is_none() { room } else { 0 };
    }
    let is_alone = layout.layer_of.iter().any(Option::is_none);
    layout.size.across = if is_alone { layout.size.across + room } else { layout.foot + room };
}

/// How far a track is from the first.
fn track(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(0) * TRACK
}

/// Where a lane is, below what hangs together.
fn lane(foot: i64, number: usize) -> i64 {
    foot + LANE * (i64::try_from(number).unwrap_or(0) + 1)
}

/// Whether a message goes to the next layer, so that one gap is all that is between.
fn is_next(layout: &Layout, message: Message) -> bool {
    let layer = |place: usize| layout.layer_of[place];
    layer(message.from).zip(layer(message.to)).is_some_and(|(from, to)| to == from + 1)
}

fn way(layout: &Layout, message: Message) -> Line {
    let Message { from, to, topic } = message;
    let (begin, end) = (layout.spots[from], layout.spots[to]);
    // A quarter above the end of a need.
    let (left, came) = (begin.across + begin.size.across / 2, end.across + end.size.across / 4);
    let out = layout.ends[from] + OUT + track(topic % TRACKS);
    let mut points = vec![(begin.along + begin.size.along, left), (out, left)];
    if is_next(layout, message) {
        points.push((out, came));
    } else {
        let (before, lane) = (end.along - IN - track(topic % TRACKS), lane(layout.foot, topic));
        points.extend([(out, lane), (before, lane), (before, came)]);
    }
    points.push((end.along, came));
    points.dedup();
    Line { from, to, points }
}
