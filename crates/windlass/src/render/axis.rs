//! Time as columns: in proportion, but for long stretches in which nothing happened, which take one column each.
//! Never: what is drawn in the columns.

use windlass_core::time::{Span, Time};

/// How many stretches are cut out at most.
const CUTS_MAX: usize = 8;

/// From the first start to the last end.
pub(crate) struct Axis {
    /// Stretches that follow each other: when each begins and ends, and whether it is cut.
    pieces: Vec<(Time, Time, bool)>,
    columns: usize,
}

impl Axis {
    /// An axis of so many columns for what happened in these stretches; none where nothing did.
    pub(crate) fn of(mut stretches: Vec<(Time, Time)>, columns: usize) -> Option<Self> {
        stretches.sort_unstable();
        let mut busy: Vec<(Time, Time)> = Vec::new();
        for (from, until) in stretches {
            match busy.last_mut().filter(|last| from <= last.1) {
                Some(last) => last.1 = last.1.max(until),
                None => busy.push((from, until)),
            }
        }
        busy.first()?;
        let total = busy.iter().fold(Span::default(), |sum, (from, until)| sum.plus(until.since(*from)));
        let mut gaps: Vec<Span> = busy.windows(2).map(|pair| pair[1].0.since(pair[0].1)).collect();
        gaps.sort_unstable_by_key(|gap| std::cmp::Reverse(*gap));
        // A gap is long if it is longer than a quarter of all that happened, and among the longest.
        let long = gaps.get(CUTS_MAX).copied().unwrap_or_default().max(Span::from_ms(total.ms / 4));
        let mut pieces = vec![(busy[0].0, busy[0].1, false)];
        for pair in busy.windows(2) {
            pieces.push((pair[0].1, pair[1].0, pair[1].0.since(pair[0].1) > long));
            pieces.push((pair[1].0, pair[1].1, false));
        }
        Some(Self { pieces, columns })
    }

    /// When it begins.
    pub(crate) fn start(&self) -> Time {
        self.pieces[0].0
    }

    /// When it ends.
    pub(crate) fn end(&self) -> Time {
        self.pieces[self.pieces.len() - 1].1
    }

    /// How many columns it has.
    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    /// How long all that is cut is; none where nothing is.
    pub(crate) fn cut(&self) -> Option<Span> {
        let cut = self.pieces.iter().filter(|piece| piece.2).map(|(from, until, _)| until.since(*from));
        cut.reduce(Span::plus)
    }

    /// Whether a column stands for a stretch that is cut.
    pub(crate) fn is_cut(&self, column: usize) -> bool {
        self.pieces.iter().any(|(from, _, is_cut)| *is_cut && self.column(*from) == column)
    }

    /// The columns from one moment to another: the first, and the one after the last. There is at least one.
    pub(crate) fn span(&self, from: Time, until: Time) -> (usize, usize) {
        let first = self.column(from).min(self.columns.saturating_sub(1));
        (first, self.column(until).clamp(first + 1, self.columns.max(first + 1)))
    }

    /// The column that a moment falls into.
    fn column(&self, at: Time) -> usize {
        let cuts = self.pieces.iter().filter(|piece| piece.2).count();
        let whole = self.pieces.iter().filter(|piece| !piece.2).map(|(from, until, _)| until.since(*from).ms);
        let whole = whole.sum::<u64>().max(1);
        let (mut before, mut cut_before) = (0, 0);
        for (from, until, is_cut) in self.pieces.iter().take_while(|piece| piece.0 < at) {
            match is_cut {
                true => cut_before += usize::from(*until <= at),
                false => before += at.min(*until).since(*from).ms,
            }
        }
        let room = u64::try_from(self.columns.saturating_sub(cuts)).unwrap_or(u64::MAX);
        let scaled = u128::from(before) * u128::from(room) / u128::from(whole);
        cut_before + usize::try_from(scaled).unwrap_or(usize::MAX)
    }
}
