//! What stands as one in a layout: a task, or a block of many that need the same and are needed by the same, so that one
//! line says it for all of them. Never: a block of tasks that differ in that.

use std::collections::BTreeMap;

use super::model::Node;

/// How many tasks of a kind stand by themselves.
const BY_THEMSELVES_MAX: usize = 12;
/// From the frame of a block to what is in it.
const PADDING: i64 = 14;
/// Between two boxes of a block.
const GAP: i64 = 16;

/// The tasks of a picture, by what stands as one.
pub(super) struct Units {
    /// The tasks of each unit, the one with the earliest task first.
    pub(super) members: Vec<Vec<usize>>,
    of: Vec<usize>,
}

impl Units {
    /// The units of these tasks.
    pub(super) fn of(nodes: &[Node]) -> Self {
        let mut dependants = vec![Vec::new(); nodes.len()];
        for (place, node) in nodes.iter().enumerate() {
            for need in &node.needs {
                dependants[*need].push(place);
            }
        }
        let mut alike: BTreeMap<(Vec<usize>, &[usize]), Vec<usize>> = BTreeMap::new();
        for (place, node) in nodes.iter().enumerate() {
            let mut needs = node.needs.clone();
            needs.sort_unstable();
            alike.entry((needs, &dependants[place])).or_default().push(place);
        }
        let mut members: Vec<Vec<usize>> = Vec::new();
        for ((needs, dependants), group) in alike {
            let stands_alone = needs.is_empty() && dependants.is_empty();
            if group.len() > BY_THEMSELVES_MAX && !stands_alone {
                members.push(group);
            } else {
                members.extend(group.into_iter().map(|place| vec![place]));
            }
        }
        members.sort_unstable();
        let mut of = vec![0; nodes.len()];
        for (unit, group) in members.iter().enumerate() {
            for place in group {
                of[*place] = unit;
            }
        }
        Self { members, of }
    }

    /// What each unit needs.
    pub(super) fn needs(&self, nodes: &[Node]) -> Vec<Vec<usize>> {
        let needs = self.members.iter().map(|group| {
            let mut needs: Vec<usize> = nodes[group[0]].needs.iter().map(|need| self.of[*need]).collect();
            needs.sort_unstable();
            needs.dedup();
            needs
        });
        needs.collect()
    }

    /// The same step, from unit to unit.
    pub(super) fn step(&self, (from, to): (usize, usize)) -> (usize, usize) {
        (self.of[from], self.of[to])
    }
}

/// Where the boxes of a block stand in its frame.
pub(super) struct Grid {
    in_row: usize,
    wide: i64,
    high: i64,
}

impl Grid {
    /// A grid of so many boxes, about half as wide again as it is high; each has the size of the largest.
    pub(super) fn of(boxes: &[(i64, i64)]) -> Self {
        let wide = boxes.iter().map(|size| size.0).max().unwrap_or(0);
        let high = boxes.iter().map(|size| size.1).max().unwrap_or(0);
        let count = i64::try_from(boxes.len()).unwrap_or(i64::MAX);
        // The root of four times as much is twice the root: so it can be rounded.
        let in_row = ((count * 6 * (high + GAP) / (wide + GAP)).isqrt() + 1) / 2;
        Self { in_row: usize::try_from(in_row.max(1)).unwrap_or(1), wide, high }
    }

    /// How large the frame is, for so many boxes: wide and high.
    pub(super) fn size(&self, count: usize) -> (i64, i64) {
        let across = |count: usize, size: i64| {
            i64::try_from(count).unwrap_or(i64::MAX) * (size + GAP) - GAP + 2 * PADDING
        };
        (across(self.in_row.min(count), self.wide), across(count.div_ceil(self.in_row), self.high))
    }

    /// Where a box of the block is, by its number: x and y in the frame, width, height.
    pub(super) fn rectangle(&self, number: usize) -> (i64, i64, i64, i64) {
        let at = |number: usize, size: i64| PADDING + i64::try_from(number).unwrap_or(0) * (size + GAP);
        (at(number % self.in_row, self.wide), at(number / self.in_row, self.high), self.wide, self.high)
    }
}
