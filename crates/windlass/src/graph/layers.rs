//! The boxes that hang together as layers of vertices, of which each line joins neighbours only.
//! Never: in which order the vertices of a layer stand (that is `order.rs`).

use std::collections::BTreeMap;

use super::layout::Size;

/// How much of a layer a line takes up that passes it.
const PASS_ACROSS: i64 = 6;

/// Layers of vertices. The first vertices are the boxes; the others are where lines pass a layer.
pub(super) struct Layers {
    /// The vertices of each layer, in order.
    pub(super) rows: Vec<Vec<usize>>,
    /// For each vertex those of the layer before that it is joined to.
    pub(super) above: Vec<Vec<usize>>,
    /// For each vertex those of the next layer.
    pub(super) below: Vec<Vec<usize>>,
    /// How much of its layer each vertex takes up.
    pub(super) across: Vec<i64>,
    /// How many of the vertices are boxes.
    pub(super) boxes: usize,
    /// All lines.
    pub(super) lines: Vec<Joined>,
}

/// A line: its ends, and the vertices at which it passes the layers between them.
pub(super) struct Joined {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) through: Vec<usize>,
}

/// The groups of boxes that hang together, the one with the earliest box first.
pub(super) fn groups(needs: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut leader: Vec<usize> = (0..needs.len()).collect();
    for (place, needs) in needs.iter().enumerate() {
        for need in needs {
            let (one, other) = (leader_of(&mut leader, place), leader_of(&mut leader, *need));
            leader[one.max(other)] = one.min(other);
        }
    }
    let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for place in 0..needs.len() {
        groups.entry(leader_of(&mut leader, place)).or_default().push(place);
    }
    groups.into_values().collect()
}

fn leader_of(leader: &mut [usize], mut at: usize) -> usize {
    while leader[at] != at {
        leader[at] = leader[leader[at]];
        at = leader[at];
    }
    at
}

impl Layers {
    /// The layers of a group of boxes. A line over several layers passes each of them at a vertex, which it shares with
    /// the other long lines of one of its ends: of that which has more of them.
    pub(super) fn of(group: &[usize], sizes: &[Size], needs: &[Vec<usize>], layer_of: &[usize]) -> Self {
        let vertices: BTreeMap<usize, usize> = group.iter().copied().zip(0..).collect();
        let row = |vertex: usize| layer_of[group[vertex]];
        let mut layers = Self {
            rows: vec![Vec::new(); group.iter().map(|place| layer_of[*place] + 1).max().unwrap_or(0)],
            above: vec![Vec::new(); group.len()],
            below: vec![Vec::new(); group.len()],
            across: group.iter().map(|place| sizes[*place].across).collect(),
            boxes: group.len(),
            lines: Vec::new(),
        };
        (0..group.len()).for_each(|vertex| layers.rows[row(vertex)].push(vertex));
        let pairs = (0..group.len())
            .flat_map(|to| needs[group[to]].iter().map(move |need| (need, to)))
            .map(|(need, to)| (vertices[need], to));
        let pairs: Vec<(usize, usize)> = pairs.collect();
        let (mut long_out, mut long_in) = (vec![0_usize; group.len()], vec![0_usize; group.len()]);
        for (from, to) in pairs.iter().filter(|(from, to)| row(*to) > row(*from) + 1) {
            long_out[*from] += 1;
            long_in[*to] += 1;
        }
        let mut passes: BTreeMap<(usize, bool, usize), usize> = BTreeMap::new();
        for (from, to) in pairs {
            let is_of_target = long_in[to] > long_out[from];
            let owner = if is_of_target { to } else { from };
            let through = (row(from) + 1..row(to))
                .map(|row| *passes.entry((owner, is_of_target, row)).or_insert_with(|| layers.add_pass(row)));
            let through: Vec<usize> = through.collect();
            let stops: Vec<usize> = [from].into_iter().chain(through.iter().copied()).chain([to]).collect();
            stops.windows(2).for_each(|pair| layers.join(pair[0], pair[1]));
            layers.lines.push(Joined { from, to, through });
        }
        layers
    }

    fn add_pass(&mut self, row: usize) -> usize {
        let vertex = self.across.len();
        self.across.push(PASS_ACROSS);
        self.above.push(Vec::new());
        self.below.push(Vec::new());
        self.rows[row].push(vertex);
        vertex
    }

    fn join(&mut self, from: usize, to: usize) {
        if !self.below[from].contains(&to) {
            self.below[from].push(to);
            self.above[to].push(from);
        }
    }

    /// Whether a vertex is a box, and no place where lines pass.
    pub(super) fn is_box(&self, vertex: usize) -> bool {
        vertex < self.boxes
    }
}
