//! Follows what the plan's owner wrote as a shell would read it, letter by letter: quotes, substitutions, comments,
//! here-documents. Never: a guess; where shells read in different ways, it is lost what stands around a value.

use super::here_document::{Delimiter, Ending, Reading};
use super::line::{Line, Open, Word, ends_document};

impl Line {
    /// Follows one letter of what the owner wrote.
    pub(super) fn letter(&mut self, letter: char) {
        if self.lost.is_some() {
            return;
        }
        if let Some(delimiter) = self.delimiter.take() {
            self.delimiter_letter(delimiter, letter);
            return;
        }
        if std::mem::take(&mut self.escaped) {
            self.escaped_letter(letter);
            return;
        }
        let dollars = std::mem::take(&mut self.dollars);
        let after_dollar = dollars == 1;
        let in_quotes =
            matches!(self.open.last(), Some(Open::Double | Open::QuotedBrace(_) | Open::Document));
        let differs = dollars == 2
            && (matches!(letter, '(' | '{' | '[') || (!in_quotes && matches!(letter, '\'' | '"')));
        if differs || (letter == '[' && after_dollar) {
            self.lost = Some("behind `$[` or `$$(`, which shells read in different ways");
        }
        if let Some(Open::Brace(inside) | Open::QuotedBrace(inside)) = self.open.last().copied()
            && matches!(letter, '$' | '`' | '\'' | '"' | '\\')
            && self.operator(inside).is_none()
        {
            self.lost = Some("behind an operator of `${ … }` that only some shells know");
        }
        match self.open.last().copied() {
            None | Some(Open::Paren | Open::Command) => self.plain(letter, after_dollar),
            Some(Open::Brace(_)) => self.brace(letter, after_dollar),
            Some(Open::Double | Open::QuotedBrace(_)) => self.double(letter, after_dollar),
            Some(Open::Single) => self.close_at(letter, '\''),
            Some(Open::Backquote) => {
                self.escaped = letter == '\\';
                self.is_joint = false;
                self.close_at(letter, '`');
            }
            Some(Open::Arithmetic(depth)) => self.arithmetic(letter, depth),
            Some(Open::Comment) if letter == '\n' => {
                self.open.pop();
                self.plain(letter, false);
            }
            Some(Open::Comment) => {}
            Some(Open::Document) => self.document(letter, after_dollar),
        }
    }

    /// A letter behind a backslash.
    fn escaped_letter(&mut self, letter: char) {
        if letter == '\n' && self.is_joint {
            self.lost = Some("behind what a line break tears apart");
        } else if self.open.last() == Some(&Open::Document) {
            if let Some(document) = self.coming.first_mut() {
                document.take(letter, true);
            }
        } else if letter != '\n' {
            self.word.begin();
        }
    }

    fn close_at(&mut self, letter: char, end: char) {
        if letter == end {
            self.open.pop();
        }
    }

    fn backslash(&mut self, after_dollar: bool, less: usize) {
        self.escaped = true;
        self.is_joint = after_dollar || less > 0 || self.done.ends_with(['(', '>']);
    }

    fn plain(&mut self, letter: char, after_dollar: bool) {
        let before = std::mem::take(&mut self.less);
        if before == 2 && letter != '<' {
            self.delimiter_letter(Delimiter::at(self.open.len()), letter);
            return;
        }
        if self.opens(letter, after_dollar) {
            return;
        }
        match letter {
            '\\' => self.backslash(after_dollar, before),
            '#' if !self.word.is_begun && self.done.ends_with(')') => {
                self.lost = Some("behind `)#`, which shells read in different ways");
            }
            '#' if !self.word.is_begun => self.open.push(Open::Comment),
            '(' => self.parenthesis(),
            ')' => self.close_parenthesis(),
            '\n' => self.line_break(),
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

    /// What opens something outside of double quotes, in a word or by itself; true if it did.
    fn opens(&mut self, letter: char, after_dollar: bool) -> bool {
        let open = match letter {
            '\'' if after_dollar => {
                self.lost = Some("behind `$'`, which shells read in different ways");
                return true;
            }
            '\'' => Open::Single,
            '"' => Open::Double,
            '`' => Open::Backquote,
            '{' if after_dollar => Open::Brace(self.done.len() + 1),
            '(' if after_dollar => Open::Command,
            '$' => {
                self.dollars = 1 + usize::from(after_dollar);
                self.word.begin();
                return true;
            }
            _ => return false,
        };
        self.word.begin();
        self.open.push(open);
        if open == Open::Command {
            self.word = Word::default();
        }
        true
    }

    /// `(` opens a line of its own; a second one directly behind `$(` makes it arithmetic.
    fn parenthesis(&mut self) {
        if self.done.ends_with("$(") && self.open.last() == Some(&Open::Command) {
            self.open.pop();
            self.open.push(Open::Arithmetic(2));
        } else if self.done.ends_with(['(', '<', '>', '=']) {
            self.lost = Some("behind `((`, `<(`, `>(` or `=(`, which shells read in different ways");
        } else {
            self.open.push(Open::Paren);
        }
        self.word = Word::default();
    }

    fn close_parenthesis(&mut self) {
        self.end_word();
        let Some(Open::Paren | Open::Command) = self.open.last() else { return };
        if self.open.pop() == Some(Open::Command) {
            self.word.begin();
        }
        if self.coming.iter().any(|document| document.depth > self.open.len()) {
            self.lost = Some("behind a here-document in parentheses that end before it begins");
        }
    }

    fn line_break(&mut self) {
        self.end_word();
        if self.coming.iter().any(|document| document.depth < self.open.len()) {
            self.lost = Some("behind a here-document that does not begin in the next line");
        } else if !self.coming.is_empty() {
            self.open.push(Open::Document);
        }
    }

    fn end_word(&mut self) {
        // In `case` a `)` ends a pattern, and not what a `(` has begun.
        let in_parentheses = || self.open.iter().any(|open| matches!(open, Open::Paren | Open::Command));
        if self.word.text == "case" && in_parentheses() {
            self.lost = Some("behind a `case` in parentheses");
        }
        self.word = Word::default();
    }

    fn brace(&mut self, letter: char, after_dollar: bool) {
        if self.opens(letter, after_dollar) {
            return;
        }
        match letter {
            '\\' => self.backslash(after_dollar, 0),
            '(' => self.lost = Some("behind a parenthesis in `${ … }`"),
            '}' => {
                self.open.pop();
            }
            _ => {}
        }
    }

    fn double(&mut self, letter: char, after_dollar: bool) {
        let in_brace = matches!(self.open.last(), Some(Open::QuotedBrace(_)));
        match letter {
            '\\' => self.backslash(after_dollar, 0),
            '"' | '\'' if in_brace => {
                self.lost = Some("behind quotes in `\"${ … }\"`, which shells read in different ways");
            }
            '"' => {
                self.open.pop();
            }
            '`' => self.open.push(Open::Backquote),
            '$' => self.dollars = 1 + usize::from(after_dollar),
            '(' if after_dollar => {
                self.open.push(Open::Command);
                self.word = Word::default();
            }
            '{' if after_dollar => self.open.push(Open::QuotedBrace(self.done.len() + 1)),
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

    fn delimiter_letter(&mut self, delimiter: Delimiter, letter: char) {
        match delimiter.letter(letter) {
            Reading::On(delimiter) => self.delimiter = Some(delimiter),
            Reading::Done(document) => {
                self.coming.push(document);
                self.plain(letter, false);
            }
            Reading::Lost => self.lost = Some("behind a here-document with such a delimiter"),
        }
    }

    fn document(&mut self, letter: char, after_dollar: bool) {
        let Some(document) = self.coming.first_mut() else { return };
        if !document.is_quoted {
            self.escaped = letter == '\\';
            self.is_joint = after_dollar;
            self.dollars = if letter == '$' { 1 + usize::from(after_dollar) } else { 0 };
            if letter == '`' || (after_dollar && matches!(letter, '(' | '{')) {
                self.lost = Some("behind a substitution in a here-document");
            }
        }
        if letter != '\n' {
            document.take(letter, false);
            return;
        }
        let by_value = document.holds_value;
        let ending = document.end_line();
        if by_value && ending != Ending::None {
            self.failed = Some(ends_document());
        }
        match ending {
            Ending::None => {}
            Ending::Unsure => self.lost = Some("behind a line that for some shells ends the here-document"),
            Ending::Here => {
                self.coming.remove(0);
                if self.coming.is_empty() {
                    self.open.pop();
                    self.word = Word::default();
                }
            }
        }
    }
}
