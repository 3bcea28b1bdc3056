//! What stands within a line of Markdown: code, bold, links. Never: breaking lines.

use anstyle::Style;

use crate::render::style::{BOLD, HINT, paint};
use crate::render::text::{plain, width};

/// What is not broken, as it is shown.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) shown: String,
    pub(super) width: usize,
}

/// A part of a text that looks alike.
struct Span<'t> {
    text: &'t str,
    style: Style,
    is_code: bool,
}

/// The words of a text for lines of so many columns. Code keeps its backquotes, so that it can be told without colours,
/// and is one word where it takes no more than half of a line.
pub(super) fn words(text: &str, columns: usize) -> Vec<Word> {
    let mut found = Vec::new();
    spans(text, Style::new(), &mut found);
    let mut words = Vec::new();
    let mut word = Word::default();
    for span in found {
        let is_whole = span.is_code && width(span.text) <= columns / 2;
        let parts = span.text.split(' ').enumerate();
        let parts: Vec<(usize, &str)> = if is_whole { vec![(0, span.text)] } else { parts.collect() };
        for (place, part) in parts {
            if place > 0 && word.width > 0 {
                words.push(std::mem::take(&mut word));
            }
            if !part.is_empty() {
                let part = plain(part);
                word.width += width(&part);
                word.shown.push_str(&if span.style == Style::new() {
                    part
                } else {
                    paint(span.style, &part)
                });
            }
        }
    }
    if word.width > 0 {
        words.push(word);
    }
    words
}

fn spans<'t>(text: &'t str, style: Style, found: &mut Vec<Span<'t>>) {
    let (mut start, mut at) = (0, 0);
    while let Some(letter) = text[at..].chars().next() {
        let Some(marked) = marked(text, at, style) else {
            at += letter.len_utf8();
            continue;
        };
        found.push(Span { text: &text[start..at], style, is_code: false });
        if marked.is_code {
            found.push(Span { text: marked.text, style: marked.style, is_code: true });
        } else {
            spans(marked.text, marked.style, found);
        }
        at = marked.end;
        start = at;
    }
    found.push(Span { text: &text[start..], style, is_code: false });
}

/// What marks enclose.
struct Marked<'t> {
    text: &'t str,
    style: Style,
    is_code: bool,
    /// Where the rest goes on.
    end: usize,
}

/// What begins at a place with a mark, if it ends as well.
fn marked(text: &str, at: usize, style: Style) -> Option<Marked<'_>> {
    let rest = &text[at..];
    let enclosed = |mark: &str, style: Style| {
        let inner = rest.strip_prefix(mark)?;
        let length = inner.find(mark).filter(|length| *length > 0)?;
        Some(Marked { text: &inner[..length], style, is_code: false, end: at + length + 2 * mark.len() })
    };
    let is_in_word = text[..at].ends_with(|letter: char| letter.is_alphanumeric());
    if let Some(code) = enclosed("`", HINT) {
        return Some(Marked { text: &text[at..code.end], is_code: true, ..code });
    }
    if let Some(bold) = enclosed("**", BOLD) {
        return Some(bold);
    }
    if let Some(emphasis) =
        enclosed("*", style).filter(|emphasis| !is_in_word && !emphasis.text.starts_with(' '))
    {
        return Some(emphasis);
    }
    let inner = rest.strip_prefix('[')?;
    let (link, target) = inner.split_once("](").filter(|(link, _)| !link.contains(']'))?;
    let end = target.find(')')?;
    Some(Marked { text: link, style, is_code: false, end: at + 1 + link.len() + 2 + end + 1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Vec<String> {
        let plain = |word: Word| anstream::adapter::strip_str(&word.shown).to_string();
        words(text, 40).into_iter().map(plain).collect()
    }

    #[test]
    fn marks_are_taken_off_and_code_keeps_its_own() {
        assert_eq!(
            shown("a **bold text** of *some* `code here`, b"),
            ["a", "bold", "text", "of", "some", "`code here`,", "b"]
        );
        assert_eq!(shown("see [the `key`s of it](../plan.md#x)."), ["see", "the", "`key`s", "of", "it."]);
        assert_eq!(
            shown("2 * 3 * 4 and `*.rs` [x] a*b"),
            ["2", "*", "3", "*", "4", "and", "`*.rs`", "[x]", "a*b"]
        );
    }

    #[test]
    fn code_that_is_long_is_broken_like_the_rest() {
        let text = "`one two three four five six`";
        assert_eq!(words(text, 80).len(), 1);
        assert_eq!(words(text, 40).len(), 6);
    }
}
