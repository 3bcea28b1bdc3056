//! Which mood the next world of a row has: where an arrow was taken too rarely so far, the one in which it is taken most often.
//! That follows from the worlds before, so that the same row is the same worlds. Never: a seed that is gone through by itself.

use windlass_core::machine::arrows::Taken;

use crate::coverage;
use crate::mood::NAMES;

/// How many times more often than it must be an arrow is to be taken.
const MARGIN: u64 = 2;

/// What the worlds of a row have taken so far, by the numbers of their moods.
#[derive(Default)]
pub(crate) struct Steering {
    worlds: [u64; NAMES.len()],
    taken: [Vec<u64>; NAMES.len()],
}

impl Steering {
    /// The mood of the next world; none where it has its own, as every other one has.
    pub(crate) fn next(&self) -> Option<usize> {
        let worlds: u64 = self.worlds.iter().sum();
        if worlds.is_multiple_of(2) {
            return None;
        }
        let wanted = MARGIN * coverage::wanted(worlds);
        let all = |arrow: usize| self.taken.iter().filter_map(|taken| taken.get(arrow)).sum::<u64>();
        let arrows = self.taken.iter().map(Vec::len).max().unwrap_or(0);
        let rarest = (0..arrows).min_by_key(|arrow| all(*arrow)).filter(|arrow| all(*arrow) < wanted)?;
        // Of a thousand worlds of it.
        let often = |mood: &usize| {
            let taken = self.taken[*mood].get(rarest).copied().unwrap_or(0);
            taken * 1000 / self.worlds[*mood].max(1)
        };
        (0..NAMES.len()).max_by_key(often).filter(|mood| often(mood) > 0)
    }

    /// What a world in a mood has taken.
    pub(crate) fn learn(&mut self, mood: usize, taken: &Taken) {
        let counted = coverage::counted(taken);
        self.worlds[mood] += 1;
        self.taken[mood].resize(counted.len(), 0);
        self.taken[mood].iter_mut().zip(counted).for_each(|(all, (_, count))| *all += count);
    }
}
