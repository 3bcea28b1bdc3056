//! Values inserted into a line for a POSIX shell: each stays (a part of) one word, whatever it holds, and whatever
//! quotes stand around it. Where that can't be done for sure, it is an error.
//! Never: a value that the shell could take for anything but text.

use super::here_document::{Delimiter, Document, Ending};
use crate::failure::{ErrorKind, Failure};

/// A line as it is put together: what the plan's owner wrote is followed as a shell would read it, so that it is
/// known what stands around a value.
#[derive(Default)]
pub(in super::super) struct Line {
    pub(super) done: String,
    /// What is open, the innermost last; nothing is the line itself.
    pub(super) open: Vec<Open>,
    /// The letter before was a backslash that takes the next one's meaning away.
    pub(super) escaped: bool,
    /// What that backslash stood behind goes on in the next letter, as `$` does in `(`.
    pub(super) is_joint: bool,
    /// How many `$` came last: one gives the next letter a meaning, two are a number.
    pub(super) dollars: usize,
    /// The word that is being written, as far as it is plain; it tells comments and `case`.
    pub(super) word: Word,
    /// How many `<` came last.
    pub(super) less: usize,
    /// The here-documents that begin behind the next line break.
    pub(super) coming: Vec<Document>,
    /// A delimiter that is being read.
    pub(super) delimiter: Option<Delimiter>,
    /// Why it is not known any more what stands around a value.
    pub(super) lost: Option<&'static str>,
    pub(super) failed: Option<Failure>,
}

/// What is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Open {
    /// `( … )`: inside it is like a line of its own.
    Paren,
    /// `$( … )`, likewise.
    Command,
    /// `${ … }` outside of double quotes, and where in the line its inside begins.
    Brace(usize),
    /// `${ … }` inside double quotes, likewise.
    QuotedBrace(usize),
    /// `" … "`.
    Double,
    /// `' … '`.
    Single,
    /// A text in backquotes.
    Backquote,
    /// `$(( … ))`, with how many parentheses are open.
    Arithmetic(usize),
    /// From `#` to the end of the line.
    Comment,
    /// The lines of a here-document.
    Document,
}

/// A word, as far as it is plain.
#[derive(Default)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) is_begun: bool,
}

impl Line {
    /// Adds what the plan's owner wrote.
    pub(in super::super) fn literal(&mut self, text: &str) {
        for letter in text.chars() {
            self.letter(letter);
            self.done.push(letter);
        }
    }

    /// Adds a value.
    pub(in super::super) fn value(&mut self, value: &str) -> Result<(), Failure> {
        if let Some(failed) = self.failed.take() {
            return Err(failed);
        }
        if value.contains('\0') {
            return Err(failure("a value for the shell holds a NUL character, which no command line can"));
        }
        if let Some(why) = self.lost {
            return Err(unsafe_place(why));
        }
        if self.delimiter.is_some() || self.less == 2 {
            return Err(unsafe_place("as the delimiter of a here-document"));
        }
        match self.open.last().copied() {
            None | Some(Open::Paren | Open::Command) => self.quote(value),
            Some(Open::Brace(inside)) => {
                self.operator(inside).ok_or_else(no_operator)?;
                self.quote(value);
            }
            Some(Open::QuotedBrace(inside)) => {
                let operator = self.operator(inside).ok_or_else(no_operator)?;
                self.in_quoted_brace(value, operator)?;
            }
            Some(Open::Double) => self.escape(value, &['\\', '"', '$', '`']),
            Some(Open::Single) => self.done.push_str(&value.replace('\'', r"'\''")),
            Some(Open::Comment) => self.done.push_str(&value.replace(['\n', '\r'], " ")),
            Some(Open::Backquote) => return Err(unsafe_place("in backquotes")),
            Some(Open::Arithmetic(_)) => self.number(value)?,
            Some(Open::Document) => self.in_document(value)?,
        }
        self.escaped = false;
        self.dollars = 0;
        self.less = 0;
        Ok(())
    }

    /// The line.
    pub(in super::super) fn finish(mut self) -> Result<String, Failure> {
        let last = self.coming.first().filter(|_| self.open.last() == Some(&Open::Document));
        if last.is_some_and(|document| document.holds_value && document.ending() != Ending::None) {
            return Err(ends_document());
        }
        self.failed.take().map_or(Ok(self.done), Err)
    }

    fn quote(&mut self, value: &str) {
        if self.escaped {
            // The backslash would take the meaning of the quote that follows.
            self.done.pop();
        }
        self.keep_dollar();
        self.done.push('\'');
        self.done.push_str(&value.replace('\'', r"'\''"));
        self.done.push('\'');
        self.word.begin();
    }

    /// A `$` before a value is a dollar sign and nothing more.
    fn keep_dollar(&mut self) {
        if self.dollars == 1 {
            self.done.pop();
            self.done.push_str("\\$");
        }
    }

    fn escape(&mut self, value: &str, special: &[char]) {
        if self.escaped {
            // The backslash before the value is one: doubled it takes no meaning away.
            self.done.push('\\');
        }
        self.keep_dollar();
        for letter in value.chars() {
            if special.contains(&letter) {
                self.done.push('\\');
            }
            self.done.push(letter);
        }
    }

    /// What POSIX has between `${NAME` and a word; of more, shells calculate with some.
    pub(super) fn operator(&self, inside: usize) -> Option<char> {
        let text = self.done.get(inside..)?;
        let is_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        let rest = text.trim_start_matches(is_name);
        let rest = if rest.len() < text.len() { rest } else { rest.get(1..)? };
        let mut rest = rest.chars();
        match (rest.next(), rest.next()) {
            (Some(':'), Some(operator @ ('-' | '=' | '?' | '+')))
            | (Some(operator @ ('-' | '=' | '?' | '+' | '#' | '%')), _) => Some(operator),
            _ => None,
        }
    }

    fn in_quoted_brace(&mut self, value: &str, operator: char) -> Result<(), Failure> {
        let is_pattern = matches!(operator, '#' | '%');
        if value.contains('\'') {
            let why = "in `\"${ … }\"`, since it holds a quote, which shells read in different ways";
            return Err(unsafe_place(why));
        }
        let special: &[char] = &['\\', '"', '$', '`', '}', '*', '?', '[', '~', '#', '%'];
        self.escape(value, if is_pattern { special } else { &special[..5] });
        Ok(())
    }

    fn number(&mut self, value: &str) -> Result<(), Failure> {
        let digits = value.strip_prefix('-').unwrap_or(value);
        let is_number = (1..=18).contains(&digits.len())
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && (digits == "0" || !digits.starts_with('0'));
        if !is_number || self.dollars == 1 {
            let failure = failure("a value in `$(( … ))` must be a whole number");
            return Err(failure.hint("anything else there would be evaluated by the shell; calculate in the template: `{{ a + b }}`"));
        }
        let negative = value.starts_with('-');
        self.done.push_str(if negative { "(" } else { "" });
        self.done.push_str(value);
        self.done.push_str(if negative { ")" } else { "" });
        Ok(())
    }

    fn in_document(&mut self, value: &str) -> Result<(), Failure> {
        let is_quoted = self.coming.first().is_none_or(|document| document.is_quoted);
        let start = self.done.len();
        if is_quoted {
            self.done.push_str(value);
        } else {
            self.escape(value, &['\\', '$', '`']);
        }
        let written = self.done[start.min(self.done.len())..].to_owned();
        let Some(document) = self.coming.first_mut() else { return Ok(()) };
        for letter in written.chars() {
            document.holds_value = true;
            if letter != '\n' {
                document.take(letter, false);
            } else if document.end_line() != Ending::None {
                return Err(ends_document());
            }
        }
        document.holds_value = true;
        Ok(())
    }
}

impl Word {
    pub(super) fn begin(&mut self) {
        self.is_begun = true;
        self.text.clear();
    }
}

fn failure(message: impl Into<String>) -> Failure {
    Failure::new(ErrorKind::Expression, message)
}

fn unsafe_place(place: &str) -> Failure {
    failure(format!("a value can't be inserted safely {place}"))
        .hint("set it before: `x={{ … }}` on a line of its own, and write \"$x\" there; or pass it by `env:`")
}

fn no_operator() -> Failure {
    unsafe_place("in `${ … }`, but behind one of `:-`, `:=`, `:?`, `:+`, `#`, `%`")
}

pub(super) fn ends_document() -> Failure {
    failure("a value would end the here-document that it stands in")
        .hint("choose a delimiter that no value holds, or pass the value by `env:`")
}
