//! Values inserted into a line for a POSIX shell: each stays (a part of) one word, whatever it holds, and whatever
//! quotes stand around it. Where that can't be done for sure, it is an error.
//! Never: a value that the shell could take for anything but text.

use crate::failure::{ErrorKind, Failure};

/// A line as it is put together: what the plan's owner wrote is followed as a shell would read it, so that it is
/// known what stands around a value.
#[derive(Default)]
pub(super) struct Line {
    done: String,
    /// What is open, the innermost last; nothing is the line itself.
    open: Vec<Open>,
    /// The letter before was a backslash that takes the next one's meaning away.
    escaped: bool,
    /// The letter before was a `$` that gives the next one a meaning.
    dollar: bool,
    /// The word that is being written, as far as it is plain; it tells comments and `case`.
    word: Word,
    /// How many `<` came last.
    less: usize,
    /// The here-documents that begin behind the next line break.
    coming: Vec<Document>,
    /// A delimiter that is being read.
    delimiter: Option<Delimiter>,
    /// Why it is not known any more what stands around a value.
    lost: Option<&'static str>,
    failed: Option<Failure>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    /// `( … )` or `$( … )`: inside it is like a line of its own.
    Paren,
    /// `${ … }` outside of double quotes.
    Brace,
    /// `${ … }` inside double quotes.
    QuotedBrace,
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

#[derive(Default)]
struct Word {
    text: String,
    is_begun: bool,
}

#[derive(Clone, Default)]
struct Document {
    delimiter: String,
    /// Nothing is expanded in it.
    is_quoted: bool,
    strips_tabs: bool,
    /// The line that is being written.
    line: String,
    /// Whether a value is part of that line.
    holds_value: bool,
}

#[derive(Default)]
struct Delimiter {
    document: Document,
    quote: Option<char>,
}

impl Line {
    /// Adds what the plan's owner wrote.
    pub(super) fn literal(&mut self, text: &str) {
        for letter in text.chars() {
            self.letter(letter);
            self.done.push(letter);
        }
    }

    /// Adds a value.
    pub(super) fn value(&mut self, value: &str) -> Result<(), Failure> {
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
        match self.open.last() {
            None | Some(Open::Paren | Open::Brace) => {
                if self.escaped {
                    // The backslash would take the meaning of the quote that follows.
                    self.done.pop();
                }
                self.keep_dollar();
                self.done.push('\'');
                self.done.push_str(&value.replace('\'', r"'\''"));
                self.done.push('\'');
                self.word.is_begun = true;
                self.word.text.clear();
            }
            Some(Open::Double) => self.escape(value, &['\\', '"', '$', '`']),
            Some(Open::QuotedBrace) if value.contains('\'') => {
                return Err(unsafe_place(
                    "in `\"${ … }\"`, since it holds a quote, which shells read in different ways",
                ));
            }
            Some(Open::QuotedBrace) => self.escape(value, &['\\', '"', '$', '`', '}']),
            Some(Open::Single) => self.done.push_str(&value.replace('\'', r"'\''")),
            Some(Open::Comment) => self.done.push_str(&value.replace(['\n', '\r'], " ")),
            Some(Open::Backquote) => return Err(unsafe_place("in backquotes")),
            Some(Open::Arithmetic(_)) => self.number(value)?,
            Some(Open::Document) => self.in_document(value)?,
        }
        self.escaped = false;
        self.dollar = false;
        self.less = 0;
        Ok(())
    }

    /// The line.
    pub(super) fn finish(mut self) -> Result<String, Failure> {
        let last = self.coming.first().filter(|_| self.open.last() == Some(&Open::Document));
        if last.is_some_and(Document::is_ended_by_value) {
            return Err(ends_document());
        }
        self.failed.take().map_or(Ok(self.done), Err)
    }

    /// A `$` before a value is a dollar sign and nothing more.
    fn keep_dollar(&mut self) {
        if self.dollar {
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

    fn number(&mut self, value: &str) -> Result<(), Failure> {
        let digits = value.strip_prefix('-').unwrap_or(value);
        let is_number = (1..=18).contains(&digits.len())
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && (digits == "0" || !digits.starts_with('0'));
        if !is_number || self.dollar {
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
        document.holds_value = true;
        for letter in written.chars() {
            if document.ends_line(letter) {
                return Err(ends_document());
            }
        }
        document.holds_value = true;
        Ok(())
    }

    /// Follows one letter of what the owner wrote.
    fn letter(&mut self, letter: char) {
        if self.lost.is_some() {
            return;
        }
        if self.delimiter.is_some() {
            self.delimiter_letter(letter);
            return;
        }
        if std::mem::take(&mut self.escaped) {
            self.word.is_begun = true;
            self.word.text.clear();
            if self.open.last() == Some(&Open::Document) {
                self.document_letter(letter);
            }
            return;
        }
        let after_dollar = std::mem::take(&mut self.dollar);
        match self.open.last().copied() {
            None | Some(Open::Paren | Open::Brace) => self.plain(letter, after_dollar),
            Some(Open::Double | Open::QuotedBrace) => self.double(letter, after_dollar),
            Some(Open::Single) => self.close_at(letter, '\''),
            Some(Open::Backquote) => {
                self.escaped = letter == '\\';
                self.close_at(letter, '`');
            }
            Some(Open::Arithmetic(depth)) => self.arithmetic(letter, depth),
            Some(Open::Comment) if letter == '\n' => {
                self.open.pop();
                self.plain(letter, false);
            }
            Some(Open::Comment) => {}
            Some(Open::Document) => {
                let is_quoted = self.coming.first().is_none_or(|document| document.is_quoted);
                if !is_quoted {
                    self.escaped = letter == '\\';
                    self.dollar = letter == '$';
                    if letter == '`' || (after_dollar && matches!(letter, '(' | '{')) {
                        self.lost = Some("behind a substitution in a here-document");
                    }
                }
                self.document_letter(letter);
            }
        }
    }

    fn close_at(&mut self, letter: char, end: char) {
        if letter == end {
            self.open.pop();
        }
    }

    fn plain(&mut self, letter: char, after_dollar: bool) {
        let before = std::mem::take(&mut self.less);
        if before == 2 && letter != '<' {
            self.delimiter = Some(Delimiter::default());
            self.delimiter_letter(letter);
            return;
        }
        match letter {
            '\\' => self.escaped = true,
            '\'' if after_dollar => self.lost = Some("behind `$'`, which shells read in different ways"),
            '\'' => self.open(Open::Single),
            '"' => self.open(Open::Double),
            '`' => self.open(Open::Backquote),
            '$' => {
                self.dollar = true;
                self.word.begin();
            }
            '{' if after_dollar => self.open(Open::Brace),
            '}' if self.open.last() == Some(&Open::Brace) => {
                self.open.pop();
            }
            '#' if !self.word.is_begun && self.open.last() != Some(&Open::Brace) => {
                self.open.push(Open::Comment);
            }
            '(' => self.parenthesis(after_dollar),
            ')' => {
                self.end_word();
                if self.open.last() == Some(&Open::Paren) {
                    self.open.pop();
                    self.word.begin();
                }
            }
            '\n' => {
                self.end_word();
                if !self.coming.is_empty() {
                    self.open.push(Open::Document);
                }
            }
            '<' => {
                self.end_word();
                self.less = before + 1;
            }
            ' ' | '\t' | ';' | '&' | '|' | '>' => self.end_word(),
            other => {
                self.word.is_begun = true;
                if self.word.text.len() < 8 {
                    self.word.text.push(other);
                }
            }
        }
    }

    fn open(&mut self, open: Open) {
        self.word.begin();
        self.open.push(open);
    }

    /// `(` opens a line of its own; a second one directly behind `$(` makes it arithmetic.
    fn parenthesis(&mut self, after_dollar: bool) {
        let is_second = self.done.ends_with("$(") && self.open.last() == Some(&Open::Paren) && !after_dollar;
        if is_second {
            self.open.pop();
            self.open.push(Open::Arithmetic(2));
        } else {
            self.open.push(Open::Paren);
        }
        self.word = Word::default();
    }

    fn end_word(&mut self) {
        // In `case` a `)` ends a pattern, and not what a `(` has begun.
        if self.word.text == "case" && self.open.contains(&Open::Paren) {
            self.lost = Some("behind a `case` in parentheses");
        }
        self.word = Word::default();
    }

    fn double(&mut self, letter: char, after_dollar: bool) {
        let in_brace = self.open.last() == Some(&Open::QuotedBrace);
        match letter {
            '\\' => self.escaped = true,
            '"' | '\'' if in_brace => {
                self.lost = Some("behind quotes in `\"${ … }\"`, which shells read in different ways");
            }
            '"' => {
                self.open.pop();
            }
            '`' => self.open.push(Open::Backquote),
            '$' => self.dollar = true,
            '(' if after_dollar => {
                self.open.push(Open::Paren);
                self.word = Word::default();
            }
            '{' if after_dollar => self.open.push(Open::QuotedBrace),
            '}' if in_brace => {
                self.open.pop();
            }
            _ => {}
        }
    }

    fn arithmetic(&mut self, letter: char, depth: usize) {
        let depth = match letter {
            '(' => depth + 1,
            ')' => depth - 1,
            '\'' | '"' | '`' | '\\' => {
                self.lost = Some("behind quotes in `$(( … ))`");
                depth
            }
            _ => depth,
        };
        self.open.pop();
        if depth > 0 {
            self.open.push(Open::Arithmetic(depth));
        } else {
            self.word.begin();
        }
    }

    /// Reads the delimiter behind `<<`.
    fn delimiter_letter(&mut self, letter: char) {
        let Some(mut reading) = self.delimiter.take() else { return };
        let document = &mut reading.document;
        match (reading.quote, letter) {
            (Some(quote), letter) if letter == quote => reading.quote = None,
            (Some('\\'), letter) => {
                document.delimiter.push(letter);
                reading.quote = None;
            }
            (None, '\'' | '"' | '\\') => {
                document.is_quoted = true;
                reading.quote = Some(letter);
            }
            (None, '-') if document.delimiter.is_empty() && !document.strips_tabs && !document.is_quoted => {
                document.strips_tabs = true;
            }
            (None, ' ' | '\t') if document.delimiter.is_empty() && !document.is_quoted => {}
            (None, '$' | '`') => self.lost = Some("behind a here-document with a computed delimiter"),
            (None, ' ' | '\t' | '\n' | ';' | '&' | '|' | '<' | '>' | '(' | ')') => {
                self.coming.push(reading.document);
                self.plain(letter, false);
                return;
            }
            (_, letter) => document.delimiter.push(letter),
        }
        self.delimiter = Some(reading);
    }

    fn document_letter(&mut self, letter: char) {
        let Some(document) = self.coming.first_mut() else { return };
        let by_value = document.is_ended_by_value();
        if !document.ends_line(letter) {
            return;
        }
        if by_value {
            self.failed = Some(ends_document());
        }
        self.coming.remove(0);
        if self.coming.is_empty() {
            self.open.pop();
            self.word = Word::default();
        }
    }
}

impl Word {
    fn begin(&mut self) {
        self.is_begun = true;
        self.text.clear();
    }
}

impl Document {
    /// Takes a letter into the line; true if with it the document ends.
    fn ends_line(&mut self, letter: char) -> bool {
        if letter != '\n' {
            self.line.push(letter);
            return false;
        }
        let ends = self.is_delimiter();
        self.line.clear();
        self.holds_value = false;
        ends
    }

    fn is_delimiter(&self) -> bool {
        let line = if self.strips_tabs { self.line.trim_start_matches('\t') } else { &self.line };
        line == self.delimiter
    }

    fn is_ended_by_value(&self) -> bool {
        self.holds_value && self.is_delimiter()
    }
}

fn failure(message: impl Into<String>) -> Failure {
    Failure::new(ErrorKind::Expression, message)
}

fn unsafe_place(place: &str) -> Failure {
    failure(format!("a value can't be inserted safely {place}"))
        .hint("set it before: `x={{ … }}` on a line of its own, and write \"$x\" there; or pass it by `env:`")
}

fn ends_document() -> Failure {
    failure("a value would end the here-document that it stands in")
        .hint("choose a delimiter that no value holds, or pass the value by `env:`")
}
