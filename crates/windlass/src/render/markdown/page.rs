//! A page of Markdown for a terminal: as wide as that is, with lists and tables that line up, links as their text.
//! Never: all of Markdown; it reads what the pages of this repository are written in.

use crate::render::style::{BOLD, DIM, paint};
use crate::render::text::width;

use super::inline::{Word, words};

/// How narrow a column of a table becomes at most.
const COLUMN_MIN: usize = 8;
/// How far code stands in.
const INDENT: usize = 4;

/// The lines of a page, none of them wider than so many columns but for code.
pub(crate) fn lines(page: &str, columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for block in blocks(page) {
        if !lines.is_empty() {
            lines.push(String::new());
        }
        match block {
            Block::Heading(text) => lines.push(paint(BOLD, &text.replace('`', ""))),
            Block::Text(text) => lines.extend(wrapped(&words(&text, columns), columns)),
            Block::List(items) => {
                for (mark, text) in items {
                    lines.extend(item(&mark, &text, columns));
                }
            }
            Block::Code(code) => lines.extend(code.iter().map(|line| indented(line))),
            Block::Table(rows) => lines.extend(table(&rows, columns)),
        }
    }
    lines
}

enum Block {
    Heading(String),
    Text(String),
    /// The mark of each item with the white space before it, and its text.
    List(Vec<(String, String)>),
    Code(Vec<String>),
    Table(Vec<Vec<String>>),
}

fn blocks(page: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut lines = page.lines();
    let mut is_open = false;
    while let Some(line) = lines.next() {
        let was_open = std::mem::replace(&mut is_open, true);
        let last = blocks.last_mut().filter(|_| was_open);
        if line.trim().is_empty() {
            is_open = false;
        } else if line.trim_start().starts_with("```") {
            let code = lines.by_ref().take_while(|line| !line.trim_start().starts_with("```"));
            blocks.push(Block::Code(code.map(str::to_owned).collect()));
            is_open = false;
        } else if let Some(heading) = heading(line) {
            blocks.push(Block::Heading(heading.to_owned()));
            is_open = false;
        } else if line.starts_with('|') {
            let row = cells(line);
            match last {
                Some(Block::Table(rows)) => rows.push(row),
                _ => blocks.push(Block::Table(vec![row])),
            }
        } else if let Some(item) = list_item(line) {
            match last {
                Some(Block::List(items)) => items.push(item),
                _ => blocks.push(Block::List(vec![item])),
            }
        } else {
            match last {
                Some(Block::Text(text)) => add(text, line),
                Some(Block::List(items)) => add(&mut items.last_mut().expect("it has one").1, line),
                _ => blocks.push(Block::Text(line.trim().to_owned())),
            }
        }
    }
    blocks
}

fn add(text: &mut String, line: &str) {
    text.push(' ');
    text.push_str(line.trim());
}

fn heading(line: &str) -> Option<&str> {
    let text = line.trim_start_matches('#');
    (text.len() < line.len()).then(|| text.strip_prefix(' ')).flatten()
}

fn list_item(line: &str) -> Option<(String, String)> {
    let text = line.trim_start();
    let number = text.trim_start_matches(|letter: char| letter.is_ascii_digit());
    let rest = match text.strip_prefix("- ") {
        Some(rest) => rest,
        None if number.len() < text.len() => number.strip_prefix(". ")?,
        None => return None,
    };
    Some((line[..line.len() - rest.len()].to_owned(), rest.trim().to_owned()))
}

/// The cells of a row; a bar in code, and one behind a backslash, is none between cells.
fn cells(line: &str) -> Vec<String> {
    let mut cells = vec![String::new()];
    let (mut in_code, mut escaped) = (false, false);
    for letter in line.trim().trim_start_matches('|').chars() {
        in_code ^= letter == '`';
        let cell = cells.last_mut().expect("there is one");
        match letter {
            '|' if escaped => {
                cell.pop();
                cell.push('|');
            }
            '|' if !in_code => cells.push(String::new()),
            letter => cell.push(letter),
        }
        escaped = letter == '\\';
    }
    if line.trim_end().ends_with('|') {
        cells.pop();
    }
    cells.iter().map(|cell| cell.trim().to_owned()).collect()
}

fn indented(line: &str) -> String {
    if line.is_empty() { String::new() } else { format!("{}{line}", " ".repeat(INDENT)) }
}

fn item(mark: &str, text: &str, columns: usize) -> Vec<String> {
    let room = columns.saturating_sub(mark.len());
    let lines = wrapped(&words(text, room), room).into_iter().enumerate();
    lines
        .map(|(at, line)| if at == 0 { format!("{mark}{line}") } else { " ".repeat(mark.len()) + &line })
        .collect()
}

/// Words in lines of so many columns. A word that is longer has a line of its own.
fn wrapped(words: &[Word], columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut taken = 0;
    for word in words {
        if taken > 0 && taken + 1 + word.width > columns {
            lines.push(String::new());
            taken = 0;
        }
        let line = lines.last_mut().expect("there is one");
        if taken > 0 {
            line.push(' ');
            taken += 1;
        }
        line.push_str(&word.shown);
        taken += word.width;
    }
    lines
}

/// A table whose columns line up; where it is too wide its widest columns give way, and their cells take several lines.
fn table(rows: &[Vec<String>], columns: usize) -> Vec<String> {
    let is_ruler =
        |row: &Vec<String>| row.iter().all(|cell| !cell.is_empty() && cell.chars().all(|c| "-:".contains(c)));
    let has_head = rows.get(1).is_some_and(is_ruler);
    let rows: Vec<&Vec<String>> = rows.iter().filter(|row| !is_ruler(row)).collect();
    let many = rows.iter().map(|row| row.len()).max().unwrap_or(0);
    let mut widths: Vec<usize> = (0..many)
        .map(|column| {
            rows.iter().filter_map(|row| row.get(column)).map(|cell| natural(cell)).max().unwrap_or(0)
        })
        .collect();
    while widths.iter().sum::<usize>() + 2 * many.saturating_sub(1) > columns {
        let Some(widest) = widths.iter_mut().max().filter(|widest| **widest > COLUMN_MIN) else { break };
        *widest -= 1;
    }
    let mut lines = Vec::new();
    for (place, row) in rows.iter().enumerate() {
        let is_head = has_head && place == 0;
        if is_head && row.iter().all(String::is_empty) {
            continue;
        }
        lines.extend(table_row(row, &widths, is_head));
    }
    lines
}

fn natural(cell: &str) -> usize {
    words(cell, usize::MAX).iter().map(|word| word.width + 1).sum::<usize>().saturating_sub(1)
}

fn table_row(row: &[String], widths: &[usize], is_head: bool) -> Vec<String> {
    let cells: Vec<Vec<String>> =
        row.iter().zip(widths).map(|(cell, width)| wrapped(&words(cell, *width), *width)).collect();
    let height = cells.iter().map(Vec::len).max().unwrap_or(0);
    let in_line = |at: usize| {
        let mut line = String::new();
        let mut gap = 0;
        for (cell, column) in cells.iter().zip(widths) {
            let text = cell.get(at).map_or("", String::as_str);
            let taken = width(&anstream::adapter::strip_str(text).to_string());
            if taken > 0 {
                line.extend(std::iter::repeat_n(' ', gap));
                line.push_str(&if is_head { paint(DIM, text) } else { text.to_owned() });
                gap = 0;
            }
            gap += column.saturating_sub(taken) + 2;
        }
        line
    };
    (0..height).map(in_line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(page: &str, columns: usize) -> String {
        anstream::adapter::strip_str(&lines(page, columns).join("\n")).to_string()
    }

    #[test]
    fn texts_and_lists_are_wrapped_and_hang_under_their_marks() {
        let page = "# A `page`\n\nSome words in\ntwo lines.\n\n- one item that is long\n  and goes on\n- another\n1. first\n";
        let expected = "A page\n\nSome words in two\nlines.\n\n- one item that is\n  long and goes on\n- another\n1. first";
        assert_eq!(shown(page, 18), expected);
    }

    #[test]
    fn code_stands_in_as_it_is() {
        let page = "Say:\n\n```sh\na --very long   line | that is not wrapped\n\nb\n```\nAnd on.";
        let expected = "Say:\n\n    a --very long   line | that is not wrapped\n\n    b\n\nAnd on.";
        assert_eq!(shown(page, 20), expected);
    }

    #[test]
    fn tables_line_up_and_their_widest_column_gives_way() {
        let page = "| a | what it is |\n|---|---|\n| `x|y` | something that is told in many words |\n| z \\| w | b |\n";
        let expected = "a      what it is\n`x|y`  something that is\n       told in many words\nz | w  b";
        assert_eq!(shown(page, 26), expected);
    }
}
