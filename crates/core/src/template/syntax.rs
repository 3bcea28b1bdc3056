//! The source of a template made ready for the engine: bounded, with names of tasks that hold a `-` quoted, and with
//! the way back from places in it to places in what the person wrote. Never: evaluating anything.

use std::borrow::Cow;
use std::ops::Range;

use minijinja::machinery::{self, Token, ast};
use minijinja::syntax::SyntaxConfig;

use super::TemplateError;
use super::values::{MARK, MARK_REPLACED};

/// The most tokens in one `{{ … }}` or `{% … %}`. The syntax tree is walked and dropped by recursion, and a chain
/// of operators is as deep as it is long: this keeps the depth within the smallest stack.
const TAG_TOKENS_MAX: usize = 400;
/// The most tokens in all tags of a template together.
const TOKENS_MAX: usize = 50_000;
/// The most `elif` in a template: the parser goes one level deeper with each.
const ELIFS_MAX: usize = 50;

/// A source that the engine can take.
pub(super) struct Prepared<'a> {
    text: Cow<'a, str>,
    /// Where, in `text`, characters begin that the person did not write, and how many there are up to there.
    shifts: Vec<(usize, usize)>,
    /// Where the expression stands, if the source is one `{{ … }}` and nothing else.
    expression: Option<Range<usize>>,
}

/// How the delimiters and white space are read: Jinja's own, but a last newline stays.
pub(super) fn config() -> SyntaxConfig {
    SyntaxConfig::builder().keep_trailing_newline(true).build().expect("the default delimiters are valid")
}

impl<'a> Prepared<'a> {
    /// Reads the tokens of a source once.
    pub(super) fn new(written: &'a str) -> Result<Self, TemplateError> {
        let written: Cow<'a, str> = if written.contains(MARK) {
            Cow::Owned(written.replace(MARK, MARK_REPLACED))
        } else {
            Cow::Borrowed(written)
        };
        let (quoted, expression) = scan(&written)?;
        if quoted.is_empty() {
            return Ok(Self { text: written, shifts: Vec::new(), expression });
        }
        let mut text = String::with_capacity(written.len() + 3 * quoted.len());
        let mut shifts = Vec::with_capacity(quoted.len());
        let mut copied = 0;
        for name in quoted {
            // `tasks.a-b` becomes `tasks['a-b']`: the dot before the name makes room for one character of three.
            text.push_str(&written[copied..name.start - 1]);
            text.push_str("['");
            shifts.push((text.len() - 1, 3 * shifts.len() + 1));
            text.push_str(&written[name.clone()]);
            text.push_str("']");
            shifts.last_mut().expect("just pushed").1 += 2;
            copied = name.end;
        }
        text.push_str(&written[copied..]);
        let added = text.len() - written.len();
        let expression = expression.map(|range| range.start..range.end + added);
        Ok(Self { text: Cow::Owned(text), shifts, expression })
    }

    /// The text for the engine.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Where the expression stands in [`Self::text`], if there is nothing else.
    pub(super) fn expression(&self) -> Option<Range<usize>> {
        self.expression.clone()
    }

    /// Parses the text and lends the tree.
    pub(super) fn with_tree<R>(&self, read: impl FnOnce(&ast::Stmt<'_>) -> R) -> Result<R, TemplateError> {
        match machinery::parse(&self.text, "template", config()) {
            Ok(tree) => Ok(read(&tree)),
            Err(error) => Err(self.error(&error)),
        }
    }

    /// The place, in what the person wrote, of a place in the text.
    pub(super) fn written(&self, range: Range<usize>) -> Range<usize> {
        let back = |at: usize| {
            let passed = self.shifts.partition_point(|(from, _)| *from < at);
            at - passed.checked_sub(1).map_or(0, |last| self.shifts[last].1)
        };
        back(range.start)..back(range.end).max(back(range.start))
    }

    fn error(&self, error: &minijinja::Error) -> TemplateError {
        let end = self.text.len();
        let range = error.range().map_or(0..end, |range| range.start.min(end)..range.end.min(end));
        TemplateError { range: self.written(range), ..syntax_error(error) }
    }
}

/// An error of the parser in our words, without its place.
fn syntax_error(error: &minijinja::Error) -> TemplateError {
    let detail = error.detail().map_or_else(|| error.kind().to_string(), ToOwned::to_owned);
    let hint = if detail.contains("unexpected end of input") || detail.contains("unexpected end of") {
        "close what was opened: `{{ … }}` for a value, `{% … %}` for a statement; for braces as they are write `{{ '{{' }}`"
    } else if detail.contains("unknown statement") {
        "statements are if, for, set, with, filter, do and raw; files can't be included"
    } else {
        "templates are Jinja's: `{{ inputs.name }}`, `{% if … %}…{% endif %}`; for braces as they are write `{{ '{{' }}`"
    };
    TemplateError { message: format!("bad template: {detail}"), range: 0..0, hint: Some(hint.into()) }
}

type Scan = (Vec<Range<usize>>, Option<Range<usize>>);

/// Counts the tokens; finds the names of tasks that must be quoted, and the one expression if there is no more.
fn scan(text: &str) -> Result<Scan, TemplateError> {
    let mut quoted: Vec<Range<usize>> = Vec::new();
    let mut bounds = Bounds::default();
    let mut last_two = [(false, 0), (false, 0)];
    let mut expression = One::Nothing;
    for token in machinery::tokenize(text, false, config()) {
        let (token, span) = token.map_err(|error| {
            let range = error.range().unwrap_or(0..text.len());
            let range = range.start.min(text.len())..range.end.min(text.len());
            TemplateError { range, ..syntax_error(&error) }
        })?;
        let range = span.start_offset as usize..span.end_offset as usize;
        bounds.count(&token, &range)?;
        expression = expression.then(&token, &range);
        // `tasks` and a dot directly before, and no dot before `tasks`: what follows is the name of a task.
        if last_two[0].0 && last_two[1] == (false, range.start) && text[..range.start].ends_with('.') {
            let length = text[range.start..].bytes().take_while(|byte| is_name_byte(*byte)).count();
            let name = text[range.start..range.start + length].trim_end_matches('-');
            if name.contains('-') {
                quoted.push(range.start..range.start + name.len());
            }
        }
        let is_tasks = matches!(token, Token::Ident("tasks")) && !text[..range.start].ends_with('.');
        last_two = [last_two[1], (is_tasks, range.end)];
    }
    let expression = if let One::Whole(range) = expression { Some(range) } else { None };
    Ok((quoted, expression))
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

/// Whether the tokens are one `{{ … }}` and nothing else.
enum One {
    Nothing,
    Open(usize),
    Whole(Range<usize>),
    More,
}

impl One {
    fn then(self, token: &Token<'_>, range: &Range<usize>) -> Self {
        match (self, token) {
            (Self::Nothing, Token::VariableStart) => Self::Open(range.end),
            (Self::Nothing, Token::TemplateData("")) => Self::Nothing,
            (Self::Open(start), Token::VariableEnd) => Self::Whole(start..range.start),
            (Self::Open(start), _) => Self::Open(start),
            _ => Self::More,
        }
    }
}

#[derive(Default)]
struct Bounds {
    all: usize,
    in_tag: usize,
    elifs: usize,
}

impl Bounds {
    fn count(&mut self, token: &Token<'_>, range: &Range<usize>) -> Result<(), TemplateError> {
        let opens = matches!(token, Token::VariableStart | Token::BlockStart | Token::TemplateData(_));
        self.in_tag = if opens { 0 } else { self.in_tag + 1 };
        self.all += 1;
        self.elifs += usize::from(matches!(token, Token::Ident("elif")));
        let too_much = if self.in_tag > TAG_TOKENS_MAX {
            format!("an expression of a template has more than {TAG_TOKENS_MAX} parts")
        } else if self.all > TOKENS_MAX {
            format!("the template has more than {TOKENS_MAX} parts")
        } else if self.elifs > ELIFS_MAX {
            format!("the template has more than {ELIFS_MAX} `elif`")
        } else {
            return Ok(());
        };
        let hint = Some("let a program do it: a `run` task can print JSON that later tasks use".into());
        Err(TemplateError { message: too_much, range: range.clone(), hint })
    }
}
