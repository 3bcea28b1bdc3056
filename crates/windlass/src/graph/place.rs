//! How far across each vertex stands, its layer's order given: near the mean of its neighbours, lines straight where
//! they can be, nothing over anything else. Never: another order.

use super::layers::Layers;

/// How often all layers are gone through.
const SWEEPS: usize = 32;
/// Those of them, at the end, in which neighbours on both sides count.
const SWEEPS_OF_BOTH: usize = 8;
/// Parts of a pixel that are counted with.
const UNIT: i64 = 64;
/// How far a box moves to make a line straight.
const LITTLE: i64 = 12 * UNIT;

/// The middle of each vertex. Between two boxes there is the whole gap, beside a line less.
pub(super) fn middles(layers: &Layers, gap: i64) -> Vec<i64> {
    let mut middle = vec![0; layers.across.len()];
    let steps: Vec<Vec<i64>> = layers.rows.iter().map(|row| steps(layers, row, gap)).collect();
    for (row, steps) in layers.rows.iter().zip(&steps) {
        let half = steps.last().copied().unwrap_or(0) / 2;
        row.iter().zip(steps).for_each(|(vertex, step)| middle[*vertex] = step - half);
    }
    let last = layers.rows.len();
    for sweep in 0..SWEEPS {
        let is_upward = sweep % 2 == 0;
        let both = sweep + SWEEPS_OF_BOTH >= SWEEPS;
        for count in 0..last {
            let row = if is_upward { last - 1 - count } else { count };
            let wishes = layers.rows[row].iter().map(|vertex| {
                let below = layers.below[*vertex].iter().filter(|_| is_upward || both);
                let above = layers.above[*vertex].iter().filter(|_| !is_upward || both);
                wish(layers, *vertex, below.chain(above), &middle)
            });
            let wishes: Vec<Wish> = wishes.collect();
            let places = settle(&wishes, &steps[row]);
            layers.rows[row].iter().zip(places).for_each(|(vertex, place)| middle[*vertex] = place);
        }
    }
    straighten(layers, &steps, &mut middle);
    middle.into_iter().map(|place| place.div_euclid(UNIT)).collect()
}

/// Makes lines straight that nearly are: those that pass layers, and those between two vertices that have only each
/// other on that side. What stands in no such line moves a little if that straightens one of its own.
fn straighten(layers: &Layers, steps: &[Vec<i64>], middle: &mut [i64]) {
    let mut spot_of = vec![(0, 0); middle.len()];
    for (row, vertices) in layers.rows.iter().enumerate() {
        for (place, vertex) in vertices.iter().enumerate() {
            spot_of[*vertex] = (row, place);
        }
    }
    let chains = chains(layers);
    for chain in &chains {
        let room = chain.iter().map(|vertex| room(layers, steps, spot_of[*vertex], middle));
        let (first, last) =
            room.fold((i64::MIN, i64::MAX), |(first, last), room| (first.max(room.0), last.min(room.1)));
        let mean =
            chain.iter().map(|vertex| middle[*vertex]).sum::<i64>() / i64::try_from(chain.len()).unwrap_or(1);
        let single = chain.len() == 1;
        let wish = if single { nearest(layers, chain[0], middle) } else { Some(mean) };
        if let Some(wish) = wish.filter(|_| first <= last) {
            for vertex in chain {
                middle[*vertex] = wish.clamp(first, last);
            }
        }
    }
}

/// The vertices by lines that should be straight, the longest line first.
fn chains(layers: &Layers) -> Vec<Vec<usize>> {
    let next = |vertex: usize| {
        let below = &layers.below[vertex];
        let passes = below.iter().copied().find(|next| !layers.is_box(vertex) && !layers.is_box(*next));
        let only = below.first().copied().filter(|next| below.len() == 1 && layers.above[*next].len() == 1);
        passes.or(only)
    };
    let mut is_taken = vec![false; layers.across.len()];
    let mut chains = Vec::new();
    for vertex in layers.rows.iter().flatten() {
        let mut chain = Vec::new();
        let mut at = Some(*vertex);
        while let Some(member) = at.filter(|member| !is_taken[*member]) {
            is_taken[member] = true;
            chain.push(member);
            at = next(member);
        }
        chains.push(chain);
    }
    chains.retain(|chain| !chain.is_empty());
    chains.sort_by_key(|chain| std::cmp::Reverse(chain.len()));
    chains
}

/// From where to where a vertex may stand, as its neighbours in the layer stand now.
fn room(layers: &Layers, steps: &[Vec<i64>], (row, place): (usize, usize), middle: &[i64]) -> (i64, i64) {
    let vertices = &layers.rows[row];
    let step = |place: usize| steps[row][place] - steps[row][place - 1];
    let first = place.checked_sub(1).map(|before| middle[vertices[before]] + step(place));
    let last = vertices.get(place + 1).map(|after| middle[*after] - step(place + 1));
    (first.unwrap_or(i64::MIN), last.unwrap_or(i64::MAX))
}

/// The place of the nearest neighbour along the flow, where that is only a little off.
fn nearest(layers: &Layers, vertex: usize, middle: &[i64]) -> Option<i64> {
    let neighbours = layers.above[vertex].iter().chain(&layers.below[vertex]).map(|other| middle[*other]);
    let off = |place: &i64| (place - middle[vertex]).abs();
    neighbours.min_by_key(off).filter(|place| off(place) <= LITTLE)
}

/// How far each vertex of a layer is from the first at least.
fn steps(layers: &Layers, row: &[usize], gap: i64) -> Vec<i64> {
    let mut step = 0;
    let mut before: Option<usize> = None;
    let mut steps = Vec::with_capacity(row.len());
    for vertex in row {
        if let Some(before) = before {
            let boxes = layers.is_box(before) && layers.is_box(*vertex);
            let gap = if boxes { gap } else { gap * 2 / 3 };
            step += (layers.across[before] + layers.across[*vertex]) * UNIT / 2 + gap * UNIT;
        }
        before = Some(*vertex);
        steps.push(step);
    }
    steps
}

/// Where a vertex would like to stand, and how much.
#[derive(Clone, Copy)]
struct Wish {
    place: i64,
    weight: i64,
}

/// The mean of the neighbours; a line that passes pulls more, and between two places where it passes most.
fn wish<'n>(
    layers: &Layers,
    vertex: usize,
    neighbours: impl Iterator<Item = &'n usize>,
    middle: &[i64],
) -> Wish {
    let (mut sum, mut weight) = (0, 0);
    for neighbour in neighbours {
        let pull = match (layers.is_box(vertex), layers.is_box(*neighbour)) {
            (true, true) => 1,
            (true, false) | (false, true) => 2,
            (false, false) => 8,
        };
        sum += middle[*neighbour] * pull;
        weight += pull;
    }
    match sum.checked_div(weight) {
        Some(place) => Wish { place, weight: weight * 4 },
        None => Wish { place: middle[vertex], weight: 1 },
    }
}

/// The places nearest to all wishes, by the sum of weighted squares, at which each keeps its step from the one before:
/// neighbours that would come too near stand together as a block, at the mean of what its members wish.
fn settle(wishes: &[Wish], steps: &[i64]) -> Vec<i64> {
    let mut blocks: Vec<(i64, i64, usize)> = Vec::new();
    for (wish, step) in wishes.iter().zip(steps) {
        let mut block = ((wish.place - step) * wish.weight, wish.weight, 1);
        while let Some(before) = blocks.pop_if(|before| before.0 * block.1 >= block.0 * before.1) {
            block = (before.0 + block.0, before.1 + block.1, before.2 + block.2);
        }
        blocks.push(block);
    }
    let starts =
        blocks.iter().flat_map(|(sum, weight, count)| std::iter::repeat_n(sum.div_euclid(*weight), *count));
    starts.zip(steps).map(|(start, step)| start + step).collect()
}
