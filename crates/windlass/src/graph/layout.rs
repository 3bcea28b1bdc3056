//! Where boxes and lines go: layer by layer along one axis, in an order with few crossings across it. Whole pixels, and
//! nothing but the input decides. Never: text, colours, or which way the axes lie.

use windlass_core::plan::graph;

use super::layers::{Layers, groups};
use super::order::reduce_crossings;
use super::place::middles;

/// How large a box is: along the direction of flow, and across it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) along: i64,
    pub(super) across: i64,
}

/// How much room there is between two layers, at least, and between two boxes of a layer.
pub(super) type Gaps = Size;

/// Where a box is: its corner, and its size. The boxes of a layer are equally long along the flow, but for those that are
/// much longer than the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Spot {
    pub(super) along: i64,
    pub(super) across: i64,
    pub(super) size: Size,
}

/// A line from the end of one box to the start of another, as places along and across: it bends between layers and goes
/// straight through them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) points: Vec<(i64, i64)>,
}

/// A layout.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) spots: Vec<Spot>,
    pub(super) lines: Vec<Line>,
    pub(super) size: Size,
    /// In which layer each box is; none of what stands alone.
    pub(super) layer_of: Vec<Option<usize>>,
    /// Where the layer of each box ends along the flow.
    pub(super) ends: Vec<i64>,
    /// Where what hangs together ends across it.
    pub(super) foot: i64,
}

/// A line on its way: its ends, and where it passes the layers between them.
struct Way {
    from: usize,
    to: usize,
    through: Vec<i64>,
}

/// Lays boxes out. The needs must be without circles.
pub(super) fn lay_out(sizes: &[Size], needs: &[Vec<usize>], gaps: Gaps) -> Layout {
    let levels = graph::levels(needs);
    let mut layer_of = vec![0; sizes.len()];
    for (level, boxes) in levels.iter().enumerate() {
        for place in boxes {
            layer_of[*place] = level;
        }
    }
    let (loose, together): (Vec<_>, Vec<_>) = groups(needs).into_iter().partition(|group| group.len() == 1);
    let mut middle_of = vec![0; sizes.len()];
    let mut ways = Vec::new();
    let mut top = 0;
    for group in &together {
        let mut layers = Layers::of(group, sizes, needs, &layer_of);
        reduce_crossings(&mut layers);
        let middles = middles(&layers, gaps.across);
        let starts = middles.iter().zip(&layers.across).map(|(middle, across)| middle - across / 2);
        let ends = middles.iter().zip(&layers.across).map(|(middle, across)| middle - across / 2 + across);
        let (start, end) = (starts.min().unwrap_or(0), ends.max().unwrap_or(0));
        for (vertex, place) in group.iter().enumerate() {
            middle_of[*place] = top + middles[vertex] - start;
        }
        ways.extend(layers.lines.iter().map(|line| Way {
            from: group[line.from],
            to: group[line.to],
            through: line.through.iter().map(|vertex| top + middles[*vertex] - start).collect(),
        }));
        top += end - start + 2 * gaps.across;
    }
    let together = together.concat();
    let columns = columns(sizes, &layer_of, (&together, &middle_of), &ways, gaps);
    let usual = usual_lengths(sizes, &layer_of, &together);
    let mut layout = Layout {
        spots: vec![Spot::default(); sizes.len()],
        lines: Vec::with_capacity(ways.len()),
        size: Size {
            along: columns.last().map_or(0, |(start, length)| start + length),
            across: (top - 2 * gaps.across).max(0),
        },
        layer_of: vec![None; sizes.len()],
        ends: vec![0; sizes.len()],
        foot: (top - 2 * gaps.across).max(0),
    };
    for place in together {
        let size = Size { along: sizes[place].along.max(usual[layer_of[place]]), ..sizes[place] };
        let across = middle_of[place] - size.across / 2;
        let (start, length) = columns[layer_of[place]];
        layout.spots[place] = Spot { along: start, across, size };
        (layout.layer_of[place], layout.ends[place]) = (Some(layer_of[place]), start + length);
    }
    layout.lines.extend(ways.iter().map(|way| line(way, &columns, &layer_of, &layout.spots)));
    layout.lines.sort_unstable_by_key(|line| (line.to, line.from));
    put_beside(&mut layout, &loose.concat(), sizes, gaps);
    layout
}

/// Where each layer begins, and how long it is. The steeper the lines between two layers, the further they are apart.
fn columns(
    sizes: &[Size],
    layer_of: &[usize],
    (together, middle_of): (&[usize], &[i64]),
    ways: &[Way],
    gaps: Gaps,
) -> Vec<(i64, i64)> {
    let layers = together.iter().map(|place| layer_of[*place] + 1).max().unwrap_or(0);
    let mut lengths = vec![0; layers];
    for place in together {
        let length = &mut lengths[layer_of[*place]];
        *length = sizes[*place].along.max(*length);
    }
    let mut steepest = vec![0; layers];
    for way in ways {
        let mut at = middle_of[way.from];
        for (layer, next) in
            (layer_of[way.from]..).zip(way.through.iter().copied().chain([middle_of[way.to]]))
        {
            steepest[layer] = steepest[layer].max((next - at).abs());
            at = next;
        }
    }
    let mut columns = Vec::with_capacity(layers);
    let mut along = 0;
    for (length, steepest) in lengths.into_iter().zip(steepest) {
        columns.push((along, length));
        along += length + gaps.along + (steepest / 10).min(2 * gaps.along);
    }
    columns
}

/// How long the boxes of each layer are: as the longest of them, but for those that are far longer than the shortest.
fn usual_lengths(sizes: &[Size], layer_of: &[usize], together: &[usize]) -> Vec<i64> {
    let layers = together.iter().map(|place| layer_of[*place] + 1).max().unwrap_or(0);
    let mut shortest = vec![i64::MAX; layers];
    for place in together {
        shortest[layer_of[*place]] = shortest[layer_of[*place]].min(sizes[*place].along);
    }
    let mut usual = vec![0; layers];
    for place in together {
        let (layer, along) = (layer_of[*place], sizes[*place].along);
        if along <= shortest[layer].saturating_mul(3) {
            usual[layer] = along.max(usual[layer]);
        }
    }
    usual
}

fn line(way: &Way, columns: &[(i64, i64)], layer_of: &[usize], spots: &[Spot]) -> Line {
    let end = |layer: usize| columns[layer].0 + columns[layer].1;
    let middle = |spot: &Spot| spot.across + spot.size.across / 2;
    let (from, to) = (&spots[way.from], &spots[way.to]);
    let mut points =
        vec![(from.along + from.size.along, middle(from)), (end(layer_of[way.from]), middle(from))];
    for (layer, middle) in (layer_of[way.from] + 1..).zip(&way.through) {
        points.extend([(columns[layer].0, *middle), (end(layer), *middle)]);
    }
    points.push((to.along, middle(to)));
    points.dedup();
    Line { from: way.from, to: way.to, points }
}

/// Puts what stands alone into rows beside the rest, as long as that is, or in a block of its own.
fn put_beside(layout: &mut Layout, loose: &[usize], sizes: &[Size], gaps: Gaps) {
    let Some(along) = loose.iter().map(|place| sizes[*place].along).max() else { return };
    let across = loose.iter().map(|place| sizes[*place].across).max().unwrap_or(0);
    let (step, row) = (along + gaps.across, across + gaps.across);
    // A block about half as wide again as it is high.
    let count = i64::try_from(loose.len()).unwrap_or(i64::MAX);
    let wide = (count.saturating_mul(3 * row) / (2 * step)).max(1).isqrt().max(1);
    let in_row = wide.max((layout.size.along + gaps.across) / step);
    let top = if layout.size.across > 0 { layout.size.across + 2 * gaps.across } else { 0 };
    let mut at = (0, top);
    for place in loose {
        let size = Size { along, ..sizes[*place] };
        layout.spots[*place] = Spot { along: at.0 * step, across: at.1, size };
        layout.ends[*place] = at.0 * step + along;
        layout.size.along = layout.size.along.max(at.0 * step + along);
        layout.size.across = layout.size.across.max(at.1 + size.across);
        at = if at.0 + 1 < in_row { (at.0 + 1, at.1) } else { (0, at.1 + row) };
    }
}
