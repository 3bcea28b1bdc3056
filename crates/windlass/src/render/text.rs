//! Foreign text on a terminal: what programs, plans and agents said. Never: letting it steer the terminal.

use anstream::adapter::strip_str;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// The text with every control character made visible, but for tabs (which become a space).
pub(crate) fn plain(text: &str) -> String {
    // Nearly all lines of logs are such.
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return text.to_owned();
    }
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\t' => shown.push(' '),
            letter if letter.is_control() || is_reordering(letter) => shown.extend(letter.escape_unicode()),
            letter => shown.push(letter),
        }
    }
    shown
}

/// Characters that change the order in which others are shown.
fn is_reordering(letter: char) -> bool {
    matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The first line of a text, made plain; a mark says that there is more.
pub(crate) fn first_line(text: &str) -> String {
    let mut lines = text.lines();
    let first = plain(lines.next().unwrap_or_default());
    if lines.next().is_some() { format!("{first} …") } else { first }
}

/// All lines of a text as one, made plain.
pub(crate) fn one_line(text: &str) -> String {
    let lines: Vec<String> =
        text.lines().map(|line| plain(line.trim())).filter(|line| !line.is_empty()).collect();
    lines.join(" ")
}

/// How many columns a text takes.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// A text cut to so many columns; a mark says that something is missing.
pub(crate) fn fit(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut taken = 0;
    for letter in text.chars() {
        taken += letter.width().unwrap_or(0);
        if taken >= columns {
            break;
        }
        kept.push(letter);
    }
    if columns > 0 {
        kept.push('…');
    }
    kept
}

/// The same of which the end is shown.
pub(crate) fn fit_end(text: &str, columns: usize) -> String {
    match columns.checked_sub(1) {
        _ if width(text) <= columns => text.to_owned(),
        Some(rest) => format!("…{}", end_of(text, rest)),
        None => String::new(),
    }
}

/// The same of which both ends are shown: of names, what tells them apart may stand at either.
pub(crate) fn fit_middle(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let end = end_of(text, columns.saturating_sub(1) / 2);
    format!("{}{end}", fit(text, columns - width(end)))
}

/// As much of the end of a text as these columns hold.
fn end_of(text: &str, columns: usize) -> &str {
    let mut taken = 0;
    let kept = text.char_indices().rev().take_while(|(_, letter)| {
        taken += letter.width().unwrap_or(0);
        taken <= columns
    });
    let start = kept.last().map_or(text.len(), |(start, _)| start);
    &text[start..]
}

/// How many columns a text takes whose colours take none.
pub(crate) fn width_shown(text: &str) -> usize {
    strip_str(text).map(width).sum()
}

/// A text in colours cut to so many columns: what comes after the cut still ends them.
pub(crate) fn fit_shown(text: &str, columns: usize) -> String {
    if width_shown(text) <= columns {
        return text.to_owned();
    }
    let (mut kept, mut taken) = (String::new(), 0);
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let length = if letter == '\u{1b}' {
            // A colour: it goes on to its `m`.
            rest.find('m').map_or(rest.len(), |end| end + 1)
        } else {
            letter.len_utf8()
        };
        let (part, after) = rest.split_at(length);
        rest = after;
        if letter == '\u{1b}' {
            kept.push_str(part);
            continue;
        }
        let before = taken;
        taken += letter.width().unwrap_or(0);
        if taken < columns {
            kept.push(letter);
        } else if before < columns {
            kept.push('…');
            taken = columns;
        }
    }
    kept
}

/// A text in colours broken between words into lines of so many columns, the later ones indented. What stands between
/// backticks stays in one piece, so that it can be pasted.
pub(crate) fn wrap_words(text: &str, columns: usize) -> Vec<String> {
    wrap_words_under(text, columns, text.len() - text.trim_start().len() + 2)
}

/// The same, the later lines below what stands so far to the right.
pub(crate) fn wrap_words_under(text: &str, columns: usize, indent: usize) -> Vec<String> {
    if width_shown(text) <= columns {
        return vec![text.to_owned()];
    }
    let mut lines = vec![String::new()];
    for word in words(text) {
        let line = lines.last().expect("there is one");
        let is_begun = width_shown(line.trim()) > 0;
        if is_begun && width_shown(line) + width_shown(word.trim_end()) > columns {
            lines.push(" ".repeat(indent));
        }
        lines.last_mut().expect("there is one").push_str(word);
    }
    lines.iter().map(|line| line.trim_end().to_owned()).collect()
}

/// The words of a text, each with the space behind it. An arrow belongs to what it comes from.
fn words(text: &str) -> Vec<&str> {
    let has_pairs = text.matches('`').count().is_multiple_of(2);
    let (mut words, mut start, mut is_code) = (Vec::new(), 0, false);
    for (at, letter) in text.char_indices() {
        is_code ^= letter == '`' && has_pairs;
        if letter == ' ' && !is_code && !text[at + 1..].starts_with('→') {
            words.push(&text[start..=at]);
            start = at + 1;
        }
    }
    words.push(&text[start..]);
    words
}

/// A text broken after a mark into lines of so many columns, the later ones indented.
pub(crate) fn wrap(text: &str, columns: usize, indent: usize, mark: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for part in text.split_inclusive(&format!("{mark} ")) {
        let line = lines.last().expect("there is one");
        if !line.trim().is_empty() && width(line) + width(part.trim_end()) > columns {
            lines.push(" ".repeat(indent));
        }
        let line = lines.last_mut().expect("there is one");
        line.push_str(part);
    }
    lines.iter().map(|line| line.trim_end().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_steer_the_terminal_is_made_visible() {
        assert_eq!(plain("a\u{1b}[31mb\tc\r"), "a\\u{1b}[31mb c\\u{d}");
        assert_eq!(plain("\u{202e}x"), "\\u{202e}x");
        assert_eq!(plain("日本 é"), "日本 é");
    }

    #[test]
    fn what_is_too_long_is_broken_after_its_marks() {
        assert_eq!(wrap("a, bb, ccc, d", 6, 2, ","), ["a, bb,", "  ccc,", "  d"]);
        assert_eq!(wrap("aaaaaaaa, b", 4, 0, ","), ["aaaaaaaa,", "b"]);
    }

    #[test]
    fn colours_take_no_room_and_end_behind_a_cut() {
        let painted = "\u{1b}[1mabcdef\u{1b}[0m gh";
        assert_eq!(width_shown(painted), 9);
        assert_eq!(fit_shown(painted, 9), painted);
        assert_eq!(fit_shown(painted, 4), "\u{1b}[1mabc…\u{1b}[0m");
        assert_eq!(fit_shown(painted, 7), "\u{1b}[1mabcdef\u{1b}[0m…");
        assert_eq!(fit_shown("日本語", 5), "日本…");
    }

    #[test]
    fn lines_are_broken_between_words_and_never_within_a_command() {
        assert_eq!(wrap_words("  one two three", 20), ["  one two three"]);
        assert_eq!(wrap_words("  one two three", 10), ["  one two", "    three"]);
        assert_eq!(wrap_words("do `a b c d` now", 8), ["do", "  `a b c d`", "  now"]);
        assert_eq!(wrap_words("a `b c", 4), ["a `b", "  c"]);
        assert_eq!(wrap_words("\u{1b}[1mab cd\u{1b}[0m ef", 5), ["\u{1b}[1mab cd\u{1b}[0m", "  ef"]);
    }

    #[test]
    fn an_arrow_never_begins_a_line() {
        assert_eq!(wrap_words("a: bb → cc → dd", 7), ["a: bb →", "  cc →", "  dd"]);
        assert_eq!(wrap_words("a: bb → cc → dd", 6), ["a:", "  bb →", "  cc →", "  dd"]);
    }

    #[test]
    fn of_what_is_cut_either_end_can_be_kept_or_both() {
        assert_eq!(fit_end("abcdef", 6), "abcdef");
        assert_eq!(fit_end("abcdef", 4), "…def");
        assert_eq!(fit_end("日本語", 4), "…語");
        assert_eq!(fit_middle("abcdef", 6), "abcdef");
        assert_eq!(fit_middle("abcdef", 5), "ab…ef");
        assert_eq!(fit_middle("abcdef", 4), "ab…f");
        assert_eq!(fit_middle("日本語文", 6), "日…文");
        assert_eq!(
            (fit_middle("abc", 1), fit_middle("abc", 0), fit_end("abc", 1)),
            ("…".into(), String::new(), "…".into())
        );
    }

    #[test]
    fn what_does_not_fit_is_cut_with_a_mark() {
        assert_eq!(fit("abcdef", 6), "abcdef");
        assert_eq!(fit("abcdef", 4), "abc…");
        assert_eq!(fit("日本語", 5), "日本…");
        assert_eq!(first_line("a\nb"), "a …");
    }
}
