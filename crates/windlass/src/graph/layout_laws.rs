//! What holds of every layout, over graphs drawn by chance. Never: how it looks.

use super::lanes::{Message, route};
use super::layout::{Layout, Size, Spot, lay_out};

/// Numbers that look like chance and are the same each time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 32).expect("32 bits fit") % bound
    }

    fn pixels(&mut self, bound: usize) -> i64 {
        i64::try_from(self.below(bound)).expect("a few pixels fit")
    }
}

const GAPS: Size = Size { along: 40, across: 20 };

/// A graph of some kind, with boxes of all sizes.
fn drawn_by_chance(seed: u64) -> (Vec<Size>, Vec<Vec<usize>>) {
    let mut chance = Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let boxes = 1 + chance.below(60);
    let (reach, needs_max) = (1 + chance.below(boxes), 1 + chance.below(4));
    let needs = (0..boxes)
        .map(|place| {
            let count = if place == 0 { 0 } else { chance.below(needs_max + 1) };
            let mut needs: Vec<usize> =
                (0..count).map(|_| place - 1 - chance.below(reach.min(place))).collect();
            needs.sort_unstable();
            needs.dedup();
            needs
        })
        .collect();
    let sizes = (0..boxes)
        .map(|_| Size {
            along: 30 + chance.pixels(200) * (1 + chance.pixels(9) / 8 * 5),
            across: 20 + chance.pixels(80),
        })
        .collect();
    (sizes, needs)
}

fn graphs() -> impl Iterator<Item = (u64, Vec<Vec<usize>>, Layout)> {
    (0..300).map(|seed| {
        let (sizes, needs) = drawn_by_chance(seed);
        let layout = lay_out(&sizes, &needs, GAPS);
        assert_eq!(lay_out(&sizes, &needs, GAPS), layout, "seed {seed}: the same every time");
        for (place, spot) in layout.spots.iter().enumerate() {
            assert!(spot.size.along >= sizes[place].along, "seed {seed}: box {place} is large enough");
            assert_eq!(spot.size.across, sizes[place].across, "seed {seed}: box {place}");
        }
        (seed, needs, layout)
    })
}

fn overlap(one: &Spot, other: &Spot) -> bool {
    let along = one.along < other.along + other.size.along && other.along < one.along + one.size.along;
    let across = one.across < other.across + other.size.across && other.across < one.across + one.size.across;
    along && across
}

#[test]
fn no_two_boxes_overlap_and_all_are_in_the_picture() {
    for (seed, _, layout) in graphs() {
        for (place, spot) in layout.spots.iter().enumerate() {
            assert!(spot.along >= 0 && spot.across >= 0, "seed {seed}: {spot:?}");
            assert!(spot.along + spot.size.along <= layout.size.along, "seed {seed}: {spot:?}");
            assert!(spot.across + spot.size.across <= layout.size.across, "seed {seed}: {spot:?}");
            let over = layout.spots[place + 1..].iter().find(|other| overlap(spot, other));
            assert_eq!(over, None, "seed {seed}: {place} {spot:?} lies over it");
        }
    }
}

#[test]
fn every_need_is_one_line_from_end_to_start_that_never_turns_back() {
    for (seed, needs, layout) in graphs() {
        let wanted =
            needs.iter().enumerate().flat_map(|(to, needs)| needs.iter().map(move |from| (*from, to)));
        let mut wanted: Vec<(usize, usize)> = wanted.collect();
        let mut lines: Vec<(usize, usize)> = layout.lines.iter().map(|line| (line.from, line.to)).collect();
        wanted.sort_unstable();
        lines.sort_unstable();
        assert_eq!(lines, wanted, "seed {seed}");
        for line in &layout.lines {
            let (from, to) = (&layout.spots[line.from], &layout.spots[line.to]);
            let first = line.points.first().expect("a line has ends");
            let last = line.points.last().expect("a line has ends");
            assert_eq!(
                *first,
                (from.along + from.size.along, from.across + from.size.across / 2),
                "seed {seed}"
            );
            assert_eq!(*last, (to.along, to.across + to.size.across / 2), "seed {seed}");
            assert!(line.points.is_sorted_by_key(|point| point.0), "seed {seed}: {line:?}");
        }
    }
}

#[test]
fn no_line_goes_through_a_box() {
    for (seed, _, layout) in graphs() {
        for line in &layout.lines {
            for pair in line.points.windows(2) {
                let (start, end) = (pair[0], pair[1]);
                let (low, high) = (start.1.min(end.1), start.1.max(end.1));
                let meets = |spot: &&Spot| {
                    let along = spot.along < end.0 && start.0 < spot.along + spot.size.along;
                    along && spot.across < high.max(low + 1) && low < spot.across + spot.size.across
                };
                assert_eq!(layout.spots.iter().find(meets), None, "seed {seed}: {line:?}");
            }
        }
    }
}

#[test]
fn no_message_goes_through_a_box() {
    for seed in 0..300 {
        let (sizes, needs) = drawn_by_chance(seed);
        let mut chance = Chance(seed.wrapping_mul(0x2545_f491_4f6c_dd1d) | 1);
        let drawn = (0..chance.below(12)).map(|_| Message {
            from: chance.below(sizes.len()),
            to: chance.below(sizes.len()),
            topic: chance.below(8),
        });
        let messages: Vec<Message> = drawn.filter(|message| message.from != message.to).collect();
        let mut layout = lay_out(&sizes, &needs, GAPS);
        let ways = route(&mut layout, &messages);
        for way in layout.lines.iter().chain(&ways) {
            let (from, to) = (&layout.spots[way.from], &layout.spots[way.to]);
            let (first, last) = (way.points[0], way.points[way.points.len() - 1]);
            let is_at =
                |spot: &Spot, across: i64| spot.across < across && across < spot.across + spot.size.across;
            assert!(first.0 == from.along + from.size.along && is_at(from, first.1), "seed {seed}: {way:?}");
            assert!(last.0 == to.along && is_at(to, last.1), "seed {seed}: {way:?}");
            for pair in way.points.windows(2) {
                let (along, across) = (span(pair[0].0, pair[1].0), span(pair[0].1, pair[1].1));
                let is_in = 0 <= along.0 && along.1 <= layout.size.along && 0 <= across.0;
                assert!(is_in && across.1 <= layout.size.across, "seed {seed}: {way:?} in {:?}", layout.size);
                let meets = |spot: &&Spot| {
                    spot.along < along.1.max(along.0 + 1)
                        && along.0 < spot.along + spot.size.along
                        && spot.across < across.1.max(across.0 + 1)
                        && across.0 < spot.across + spot.size.across
                };
                assert_eq!(layout.spots.iter().find(meets), None, "seed {seed}: {way:?}");
            }
        }
    }
}

fn span(one: i64, other: i64) -> (i64, i64) {
    (one.min(other), one.max(other))
}

#[test]
fn a_chain_is_a_straight_line_and_twins_keep_their_order() {
    let sizes = vec![Size { along: 50, across: 30 }; 6];
    let chain: Vec<Vec<usize>> =
        (0..6_usize).map(|place| place.checked_sub(1).into_iter().collect()).collect();
    let layout = lay_out(&sizes, &chain, GAPS);
    assert!(layout.spots.iter().all(|spot| spot.across == 0), "{layout:?}");
    let fan = vec![vec![], vec![0], vec![0], vec![0], vec![0], vec![1, 2, 3, 4]];
    let layout = lay_out(&sizes, &fan, GAPS);
    assert!(layout.spots[1..5].is_sorted_by_key(|spot| spot.across), "{layout:?}");
    assert_eq!(layout.spots[0].across, layout.spots[5].across);
}

#[test]
fn nothing_and_what_stands_alone_have_layouts_too() {
    assert_eq!(lay_out(&[], &[], GAPS), Layout::default());
    let sizes = vec![Size { along: 100, across: 30 }; 12];
    let layout = lay_out(&sizes, &vec![vec![]; 12], GAPS);
    assert!(layout.size.along > 100 && layout.size.across > 30, "a block, not a row: {:?}", layout.size);
}
