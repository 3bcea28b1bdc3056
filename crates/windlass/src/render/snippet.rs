//! A place in a file with the offending text underlined. Never: more of the file than its line, or than
//! `shown` says.

use std::ops::Range;

use windlass_core::plan::diagnostic::Location;

use crate::render::style::{DIM, ERROR, paint};
use crate::render::text::{fit, fit_end, plain, width};

/// How much of a long line is shown before and after the place, in characters.
const AROUND_MAX: usize = 60;

/// The lines that show a place, no wider than that: where it is, its line, and what is underlined.
pub(crate) fn lines(file: &str, text: &str, at: Location, columns: usize) -> Vec<String> {
    let number = at.line.to_string();
    let margin = " ".repeat(number.len());
    let where_it_is = format!("{margin}--> {}:{}:{}", plain(file), at.line, at.column);
    let room = columns.saturating_sub(number.len() + " | ".len());
    let Some(shown) = cut(text, at).map(|shown| shown.within(room)) else { return vec![where_it_is] };
    let bar = paint(DIM, "|");
    let under = format!(
        "{}{}",
        " ".repeat(width(&shown.before)),
        paint(ERROR, &"^".repeat(width(&shown.marked).max(1)))
    );
    vec![
        where_it_is,
        format!("{margin} {bar}"),
        format!("{} {bar} {}{}{}", paint(DIM, &number), shown.before, shown.marked, shown.after),
        format!("{margin} {bar} {under}"),
    ]
}

/// The line of a place, in what is before it, the place itself, and what follows.
struct Shown {
    before: String,
    marked: String,
    after: String,
}

impl Shown {
    /// The same in so many columns: the place first, then as much before it as after it.
    fn within(self, columns: usize) -> Self {
        let marked = fit(&self.marked, columns);
        let around = columns - width(&marked);
        let before = fit_end(&self.before, (around / 2).max(around.saturating_sub(width(&self.after))));
        let after = fit(&self.after, around - width(&before));
        Self { before, marked, after }
    }
}

fn cut(text: &str, at: Location) -> Option<Shown> {
    let parts = parts(text, at)?;
    let [before, marked, after] = parts.map(|part| &text[part]);
    Some(Shown { before: last_of(before).1, marked: first_of(marked).1, after: first_of(after).1 })
}

/// The parts of a text that are shown of a place.
pub(crate) fn shown(text: &str, at: Location) -> Vec<Range<usize>> {
    let Some([before, marked, after]) = parts(text, at) else { return Vec::new() };
    let (last, first) =
        (last_of(&text[before.clone()]).0, |part: &Range<usize>| first_of(&text[part.clone()]).0);
    let (marked_end, after_end) = (marked.start + first(&marked), after.start + first(&after));
    vec![before.end - last..marked_end, after.start..after_end]
}

/// The line of a place: what is before it, the place itself, and what follows.
fn parts(text: &str, at: Location) -> Option<[Range<usize>; 3]> {
    let (head, rest) = text.split_at_checked(at.offset)?;
    let line = head.rfind('\n').map_or(0, |end| end + 1);
    let line_rest = rest.split('\n').next().unwrap_or_default().trim_end_matches('\r');
    let end = (0..=at.len.min(line_rest.len())).rev().find(|end| line_rest.is_char_boundary(*end))?;
    let (start, end) = (at.offset, at.offset + end);
    Some([line..start, start..end, end..start + line_rest.len()])
}

/// How much is shown of a text that follows, in bytes, and how.
fn first_of(text: &str) -> (usize, String) {
    match text.char_indices().nth(AROUND_MAX) {
        Some((end, _)) => (end, format!("{}…", plain(&text[..end]))),
        None => (text.len(), plain(text)),
    }
}

/// The same of a text before.
fn last_of(text: &str) -> (usize, String) {
    match text.char_indices().rev().nth(AROUND_MAX) {
        Some((start, letter)) => {
            let last = &text[start + letter.len_utf8()..];
            (last.len(), format!("…{}", plain(last)))
        }
        None => (text.len(), plain(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown_within(columns: usize, text: &str, needle: &str) -> String {
        let offset = text.find(needle).expect("it is there");
        let line = text[..offset].matches('\n').count() + 1;
        let at = Location { offset, len: needle.len(), line, column: 3 };
        anstream::adapter::strip_str(&lines("p.yaml", text, at, columns).join("\n")).to_string()
    }

    fn shown(text: &str, needle: &str) -> String {
        shown_within(200, text, needle)
    }

    #[test]
    fn the_offending_text_is_underlined_as_wide_as_it_is() {
        assert_eq!(
            shown("a: 1\n日: promt x\nb", "promt"),
            " --> p.yaml:2:3\n  |\n2 | 日: promt x\n  |     ^^^^^"
        );
    }

    #[test]
    fn a_place_over_several_lines_is_underlined_on_its_first() {
        assert_eq!(shown("x: [1,\n 2]", "[1,\n 2]"), " --> p.yaml:1:3\n  |\n1 | x: [1,\n  |    ^^^");
    }

    #[test]
    fn a_very_long_line_is_shown_around_the_place() {
        let text = format!("{}HERE{}", "a".repeat(100_000), "b".repeat(100_000));
        assert!(shown(&text, "HERE").len() < 500);
    }
    #[test]
    fn where_a_line_is_too_wide_the_place_is_kept_with_what_there_is_room_for_around_it() {
        let line = |columns, needle| {
            let shown = shown_within(columns, "one two three HERE four five six", needle);
            let lines: Vec<String> =
                shown.lines().skip(2).map(|line| line.chars().skip(4).collect()).collect();
            assert!(lines.iter().all(|line| width(line) <= columns - 4), "{lines:?}");
            lines.join("\n")
        };
        assert_eq!(line(24, "HERE"), "… three HERE four f…\n        ^^^^");
        assert_eq!(line(24, "six"), "… HERE four five six\n                 ^^^");
        assert_eq!(line(24, "one"), "one two three HERE …\n^^^");
        assert_eq!(line(12, "three HERE four"), "three H…\n^^^^^^^^");
    }
}
