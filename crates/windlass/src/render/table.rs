//! Tables: columns that line up, with a head where one is wanted. Never: frames.

use anstyle::Style;

use crate::render::style::{DIM, paint};
use crate::render::text::{fit, fit_middle, fit_shown, width};

/// So much of a column that gives way is always shown.
const NARROWEST: usize = 16;

/// A column that gives way where a table is too wide.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Gives {
    /// Sentences, which lose their ends.
    End(usize),
    /// Names, which lose what is in their middle.
    Middle(usize),
}

/// A cell: its text, which is plain already, and how it looks.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    text: String,
    style: Style,
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self { text: text.into(), style: Style::new() }
    }
}

impl Cell {
    /// A cell in a style.
    pub(crate) fn styled(style: Style, text: impl Into<String>) -> Self {
        Self { text: text.into(), style }
    }
}

/// Rows under a head.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A table with these titles.
    pub(crate) fn with_head<const N: usize>(titles: [&str; N]) -> Self {
        Self { rows: vec![titles.map(|title| Cell::styled(DIM, title)).into()] }
    }

    /// One more row.
    pub(crate) fn row<const N: usize>(&mut self, cells: [Cell; N]) {
        self.rows.push(cells.into());
    }

    /// The lines of the table, of which these columns give way, one after the other, where they are wider than that.
    pub(crate) fn lines_within(mut self, columns: usize, giving: &[Gives]) -> Vec<String> {
        for gives in giving {
            self.narrow(columns, *gives);
        }
        // Where even that is too wide the lines are cut.
        self.lines().iter().map(|line| fit_shown(line, columns)).collect()
    }

    /// Makes a column as narrow as the others want it, as far as it can still be read.
    fn narrow(&mut self, columns: usize, gives: Gives) {
        type Cut = fn(&str, usize) -> String;
        let (column, cut): (usize, Cut) = match gives {
            Gives::End(column) => (column, fit),
            Gives::Middle(column) => (column, fit_middle),
        };
        let widths = self.widths();
        let taken = widths.iter().filter(|width| **width > 0).map(|width| width + 2).sum::<usize>();
        let over = taken.saturating_sub(columns + 2);
        let room = widths.get(column).map_or(0, |width| width.saturating_sub(over));
        for cell in self.rows.iter_mut().filter_map(|row| row.get_mut(column)) {
            cell.text = cut(&cell.text, room.max(NARROWEST));
        }
    }

    /// The lines of the table; the last column is never filled up.
    pub(crate) fn lines(&self) -> Vec<String> {
        let widths = self.widths();
        self.rows.iter().map(|row| line(row, &widths)).collect()
    }

    /// How wide each column is.
    fn widths(&self) -> Vec<usize> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let widest = |column: usize| {
            self.rows
                .iter()
                .filter_map(|row| row.get(column))
                .map(|cell| width(&cell.text))
                .max()
                .unwrap_or(0)
        };
        (0..columns).map(widest).collect()
    }
}

fn line(row: &[Cell], widths: &[usize]) -> String {
    let last = row.iter().rposition(|cell| !cell.text.is_empty()).unwrap_or(0);
    let mut line = String::new();
    for (column, cell) in row.iter().take(last + 1).enumerate() {
        line.push_str(&paint(cell.style, &cell.text));
        if column < last {
            line.extend(std::iter::repeat_n(' ', widths[column] - width(&cell.text) + 2));
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_lines_end_with_their_text() {
        let mut table = Table::default();
        table.row(["a".into(), "日本".into(), "x".into()]);
        table.row(["long".into(), "b".into(), "".into()]);
        assert_eq!(table.lines(), ["a     日本  x", "long  b"]);
    }

    #[test]
    fn a_column_gives_way_as_far_as_it_is_still_to_be_read() {
        let table = || {
            let mut table = Table::default();
            table.row(["id".into(), "a sentence that is long".into(), "end".into()]);
            table
        };
        assert_eq!(table().lines_within(32, &[Gives::End(1)]), ["id  a sentence that is long  end"]);
        assert_eq!(table().lines_within(31, &[Gives::End(1)]), ["id  a sentence that is lo…  end"]);
        assert_eq!(table().lines_within(25, &[Gives::End(1)]), ["id  a sentence that…  end"]);
        assert_eq!(
            table().lines_within(8, &[Gives::End(1)]),
            ["id  a s…"],
            "it is cut where that is not enough"
        );
    }

    #[test]
    fn what_gives_way_first_leaves_the_other_whole_as_long_as_it_can() {
        let table = || {
            let mut table = Table::default();
            table.row([
                "a-name-that-is-a-good-deal-longer-than-any".into(),
                "why that is so, and since when".into(),
            ]);
            table
        };
        let within = |columns| table().lines_within(columns, &[Gives::End(1), Gives::Middle(0)]);
        assert_eq!(within(60), ["a-name-that-is-a-good-deal-longer-than-any  why that is so,…"]);
        assert_eq!(within(48), ["a-name-that-is-…onger-than-any  why that is so,…"]);
        assert_eq!(within(20), ["a-name-t…han-any  w…"]);
    }
}
