//! In which order the vertices of each layer stand, so that few lines cross: by the barycentres of their neighbours, and
//! by swapping pairs. What is equal stays in the order of the plan. Never: distances.

use super::layers::Layers;

/// How often all layers are gone through, at most.
const SWEEPS: usize = 24;
/// After how many sweeps without a better order it is enough.
const PATIENCE: usize = 6;

/// Orders the vertices of each layer.
pub(super) fn reduce_crossings(layers: &mut Layers) {
    let mut at = vec![0; layers.across.len()];
    let last = layers.rows.len().saturating_sub(1);
    for row in 1..=last {
        note_places(layers, row - 1, &mut at);
        sort_by_neighbours(layers, row, false, &at);
    }
    (0..=last).for_each(|row| note_places(layers, row, &mut at));
    let mut best = (crossings(layers, &at), layers.rows.clone());
    let mut waited = 0;
    for sweep in 0..SWEEPS {
        if best.0 == 0 || waited == PATIENCE {
            break;
        }
        let rows: Vec<usize> = if sweep % 2 == 0 { (0..last).rev().collect() } else { (1..=last).collect() };
        for row in rows {
            sort_by_neighbours(layers, row, sweep % 2 == 0, &at);
            note_places(layers, row, &mut at);
        }
        while swap_pairs(layers, &mut at) {}
        let count = crossings(layers, &at);
        waited += 1;
        if count < best.0 {
            best = (count, layers.rows.clone());
            waited = 0;
        }
    }
    layers.rows = best.1;
}

fn note_places(layers: &Layers, row: usize, at: &mut [usize]) {
    for (place, vertex) in layers.rows[row].iter().enumerate() {
        at[*vertex] = place;
    }
}

/// Sorts a layer by the mean place of each vertex's neighbours on one side. What has none there keeps its place.
fn sort_by_neighbours(layers: &mut Layers, row: usize, is_upward: bool, at: &[usize]) {
    let side = if is_upward { &layers.below } else { &layers.above };
    let mean = |vertex: usize| {
        let sum: usize = side[vertex].iter().map(|neighbour| at[*neighbour]).sum();
        (sum << 16).checked_div(side[vertex].len())
    };
    let (mut moved, stays): (Vec<_>, Vec<_>) = layers.rows[row]
        .iter()
        .enumerate()
        .map(|(place, vertex)| (place, *vertex, mean(*vertex)))
        .partition(|(_, _, mean)| mean.is_some());
    moved.sort_by_key(|(_, _, mean)| *mean);
    let mut moved = moved.into_iter().map(|(_, vertex, _)| vertex);
    let mut sorted = Vec::with_capacity(layers.rows[row].len());
    for (place, vertex, _) in stays {
        sorted.extend(moved.by_ref().take(place - sorted.len()));
        sorted.push(vertex);
    }
    sorted.extend(moved);
    layers.rows[row] = sorted;
}

/// Swaps neighbours of a layer wherever that takes crossings away. True where it did.
fn swap_pairs(layers: &mut Layers, at: &mut [usize]) -> bool {
    let mut has_swapped = false;
    for row in 0..layers.rows.len() {
        for place in 1..layers.rows[row].len() {
            let (one, other) = (layers.rows[row][place - 1], layers.rows[row][place]);
            let sides = [&layers.above, &layers.below];
            let count = |one: usize, other: usize| -> usize {
                sides.iter().map(|side| crossed(&side[one], &side[other], at)).sum()
            };
            if count(other, one) < count(one, other) {
                layers.rows[row].swap(place - 1, place);
                (at[other], at[one]) = (place - 1, place);
                has_swapped = true;
            }
        }
    }
    has_swapped
}

/// How many lines of two vertices cross if the first stands before the second.
fn crossed(first: &[usize], second: &[usize], at: &[usize]) -> usize {
    first.iter().map(|one| second.iter().filter(|other| at[**other] < at[*one]).count()).sum()
}

/// How many lines cross in all.
fn crossings(layers: &Layers, at: &[usize]) -> usize {
    let mut sum = 0;
    for (row, vertices) in layers.rows.iter().enumerate().skip(1) {
        // How many lines end at or before each place of the layer above, as a tree of partial sums.
        let mut tree = vec![0_usize; layers.rows[row - 1].len() + 1];
        let mut seen = 0;
        for vertex in vertices {
            let mut ends: Vec<usize> = layers.above[*vertex].iter().map(|neighbour| at[*neighbour]).collect();
            ends.sort_unstable();
            for end in &ends {
                let mut place = end + 1;
                let mut before = 0;
                while place > 0 {
                    before += tree[place];
                    place &= place - 1;
                }
                sum += seen - before;
            }
            for end in &ends {
                let mut place = end + 1;
                while place < tree.len() {
                    tree[place] += 1;
                    place += place & place.wrapping_neg();
                }
            }
            seen += ends.len();
        }
    }
    sum
}
