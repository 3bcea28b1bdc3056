//! Here-documents in a line of shell, as they are read letter by letter. Never: a value that could end one.

/// A here-document.
#[derive(Default)]
pub(super) struct Document {
    delimiter: String,
    /// Nothing is expanded in it.
    pub(super) is_quoted: bool,
    strips_tabs: bool,
    /// How many things are open around it.
    pub(super) depth: usize,
    /// The line that is being written, with those that it goes on from.
    line: String,
    /// Where in it the last of them begins.
    last: usize,
    /// Whether a value is part of that line.
    pub(super) holds_value: bool,
}

/// What a line of a document comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// It is one of its lines.
    None,
    /// It ends the document.
    Here,
    /// For some shells it ends it.
    Unsure,
}

impl Document {
    /// Takes a letter that is no line break, or one that a backslash stands before.
    pub(super) fn take(&mut self, letter: char, is_escaped: bool) {
        if letter == '\n' && is_escaped {
            self.line.pop();
            self.last = self.line.len();
        } else {
            self.line.push(letter);
        }
    }

    /// Ends the line.
    pub(super) fn end_line(&mut self) -> Ending {
        let ending = self.ending();
        self.line.clear();
        self.last = 0;
        self.holds_value = false;
        ending
    }

    /// What the line comes to, were it to end here.
    pub(super) fn ending(&self) -> Ending {
        let strip = |line| if self.strips_tabs { str::trim_start_matches(line, '\t') } else { line };
        let (whole, last) = (strip(&self.line), strip(&self.line[self.last..]));
        if self.last > 0 && (whole == self.delimiter || last == self.delimiter) {
            // Some join the lines first, some look at each.
            return Ending::Unsure;
        }
        if whole == self.delimiter {
            return Ending::Here;
        }
        // In `$( … )` bash takes the delimiter with a parenthesis somewhere behind it.
        let is_begun = self.depth > 0 && whole.starts_with(&self.delimiter);
        if is_begun && whole[self.delimiter.len()..].contains(')') { Ending::Unsure } else { Ending::None }
    }
}

/// The delimiter behind `<<`, as it is read.
pub(super) struct Delimiter {
    document: Document,
    quote: Option<char>,
    is_begun: bool,
}

/// What a letter behind `<<` comes to.
pub(super) enum Reading {
    /// It belongs to the delimiter.
    On(Delimiter),
    /// It ended it.
    Done(Document),
    /// Shells read this in different ways.
    Lost,
}

impl Delimiter {
    /// One that begins, with so many things open around it.
    pub(super) fn at(depth: usize) -> Self {
        Self { document: Document { depth, ..Document::default() }, quote: None, is_begun: false }
    }

    pub(super) fn letter(mut self, letter: char) -> Reading {
        let is_first = !std::mem::replace(&mut self.is_begun, true);
        let document = &mut self.document;
        let is_empty = document.delimiter.is_empty() && !document.is_quoted;
        match (self.quote, letter) {
            (Some(_), '\n') | (Some('"'), '\\' | '$' | '`') | (None, '$' | '`') => return Reading::Lost,
            (Some('\\'), letter) => {
                document.delimiter.push(letter);
                self.quote = None;
            }
            (Some(quote), letter) if letter == quote => self.quote = None,
            (None, '\'' | '"' | '\\') => {
                document.is_quoted = true;
                self.quote = Some(letter);
            }
            (None, '-') if is_first => document.strips_tabs = true,
            // In `$( … )` bash takes `<< -X` for `<<-X`.
            (None, '-') if is_empty => return Reading::Lost,
            (None, ' ' | '\t') if is_empty => {}
            (None, ' ' | '\t' | '\n' | ';' | '&' | '|' | '<' | '>' | '(' | ')') => {
                return Reading::Done(self.document);
            }
            (_, letter) => document.delimiter.push(letter),
        }
        Reading::On(self)
    }
}
