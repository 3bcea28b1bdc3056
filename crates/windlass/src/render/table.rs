//! Tables: columns that line up, with a head where one is wanted. Never: frames.

use anstyle::Style;

use crate::render::style::{DIM, paint};
use crate::render::text::width;

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

    /// The lines of the table; the last column is never filled up.
    pub(crate) fn lines(&self) -> Vec<String> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let widest = |column: usize| {
            self.rows
                .iter()
                .filter_map(|row| row.get(column))
                .map(|cell| width(&cell.text))
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(widest).collect();
        self.rows.iter().map(|row| line(row, &widths)).collect()
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
}
