//! The one environment in which all templates are rendered, and the ways to render. Never: a filter or function that
//! reaches outside or does not give the same each time.

use std::borrow::Cow;
use std::io;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use minijinja::{AutoEscape, Environment, Error, ErrorKind as Kind, Output, State, UndefinedBehavior};
use minijinja::{Value as Live, value::ValueKind};
use serde_json::Value;

use super::reader;
use super::references::References;
use super::scope::{self, SINK, Scope, WRITTEN};
use super::syntax::{self, Prepared};
use super::values::{self, Kept, Large, MARK, MARK_END, Mode, Raw, Rounded, Sink};
use super::{Purpose, TEXT_BYTES_MAX, TemplateError, shell, surely};
use crate::exact::Lossy;
use crate::failure::{ErrorKind, Failure};
use crate::template::PromptPart;

/// The bound on the work of one render: instructions, and one more for each 64 bytes that they make.
const FUEL: u64 = 1_000_000;
/// How deep `{% for … recursive %}` may go.
const RECURSION_MAX: usize = 50;
/// How deep texts that `{% set %}` captured may hold one another in a prompt.
const CAPTURES_DEEP_MAX: usize = 8;
/// How much of a template a message says.
const TEMPLATE_LETTERS_MAX: usize = 80;
/// The most pieces of a prompt.
const PARTS_MAX: usize = 10_000;

fn environment() -> &'static Environment<'static> {
    static ENVIRONMENT: OnceLock<Environment<'static>> = OnceLock::new();
    ENVIRONMENT.get_or_init(|| {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_fuel(Some(FUEL));
        environment.set_recursion_limit(RECURSION_MAX);
        environment.set_debug(false);
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        environment.set_syntax(syntax::config());
        environment.set_formatter(write_value);
        environment.remove_global("debug");
        // With it a loop builds nests so deep that dropping them overflows the stack.
        environment.remove_global("namespace");
        // These four are about HTML and debugging; here they would only look as if they did something.
        for filter in ["safe", "escape", "e", "pprint"] {
            environment.remove_filter(filter);
        }
        for test in ["safe", "escaped", "filter", "test"] {
            environment.remove_test(test);
        }
        environment.add_filter("raw", |state: &State<'_, '_>, value: Live| {
            Ok::<_, Error>(Live::from_object(Raw(values::text_for(&sink(state), &value)?)))
        });
        environment.add_filter("string", |state: &State<'_, '_>, value: Live| {
            values::text_for(&sink(state), &value)
        });
        environment.add_filter("join", |state: &State<'_, '_>, list: Live, between: Option<Live>| {
            join(&sink(state), &list, between.as_ref())
        });
        environment
    })
}

/// Jinja's `join`, with the texts that values have everywhere else.
fn join(sink: &Sink, list: &Live, between: Option<&Live>) -> Result<String, Error> {
    let between = between.map_or(Ok(String::new()), |between| values::text_for(sink, between))?;
    let mut joined = String::new();
    for (place, item) in list.try_iter()?.enumerate() {
        if place > 0 {
            joined.push_str(&between);
        }
        joined.push_str(&values::text_for(sink, &item)?);
        if joined.len() > TEXT_BYTES_MAX {
            return Err(Error::from(Kind::OutOfFuel));
        }
    }
    Ok(joined)
}

/// What a render leaves behind beside its text.
fn sink(state: &State<'_, '_>) -> Arc<Sink> {
    let sink = state.lookup(SINK).and_then(|sink| sink.downcast_object::<Sink>());
    sink.expect("every render has a sink")
}

/// Writes the value of a `{{ … }}`.
fn write_value(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Live) -> Result<(), Error> {
    let sink = sink(state);
    let text = match (sink.mode, value.downcast_object_ref::<Large>().and_then(Large::whole)) {
        (Mode::Prompt, Some(blob)) => sink.keep(Kept::Blob(blob))?,
        (Mode::Text, _) => values::text_for(&sink, value)?,
        (Mode::Prompt, None) => {
            let text = values::text_for(&sink, value)?;
            if text.contains(MARK) { sink.keep(Kept::Text(text))? } else { text }
        }
        (Mode::Shell, _) => match value.downcast_object_ref::<Raw>() {
            Some(raw) => raw.0.clone(),
            None => sink.keep(Kept::Text(values::text_for(&sink, value)?))?,
        },
    };
    out.write_str(&text).map_err(Error::from)
}

/// One render: the source, what it names, and what it leaves behind.
struct Render<'a> {
    source: Prepared<'a>,
    references: References,
    sink: Arc<Sink>,
}

impl<'a> Render<'a> {
    fn new(written: &'a str, mode: Mode) -> Result<Self, Failure> {
        let source = Prepared::new(written).map_err(|error| bad(&error))?;
        let purpose = if mode == Mode::Prompt { Purpose::Prompt } else { Purpose::Content };
        let references = source.with_tree(|tree| reader::read(tree, purpose, &source));
        let references = references.map_err(|error| bad(&error))?;
        Ok(Self { source, references, sink: Sink::new(mode) })
    }

    fn text(&self, scope: &dyn Scope) -> Result<String, Failure> {
        self.sink.sees_rounded(scope::rounded(&self.references, scope));
        let written = scope::written(&self.references, scope);
        let source = with_written(self.source.text(), &written);
        let template = environment().template_from_named_str("template", &source);
        let written = written.iter().map(|(_, text)| Live::from(*text));
        let context = scope::context(&self.references, scope, &self.sink, written.collect());
        let mut bounded = Bounded(Vec::new());
        let rendered =
            template.and_then(|template| template.render_captured_to(context, &mut bounded).map(|_| ()));
        rendered.map_err(|error| self.failure(&error, &source, 0, scope))?;
        self.complete()?;
        Ok(String::from_utf8(bounded.0).expect("the engine writes text"))
    }

    fn value(&self, at: Range<usize>, scope: &dyn Scope) -> Result<Value, Failure> {
        let (start, source) = (at.start, self.source.text());
        self.sink.sees_rounded(scope::rounded(&self.references, scope));
        let expression = &source[at];
        let context = scope::context(&self.references, scope, &self.sink, Vec::new());
        let value = environment().compile_expression(expression).and_then(|compiled| compiled.eval(context));
        let value = value.map_err(|error| self.failure(&error, source, start, scope))?;
        if value.kind() == ValueKind::Undefined {
            self.complete()?;
            return Err(undefined(expression.trim()));
        }
        let value = values::json(&value).map_err(|error| self.failure(&error, source, start, scope))?;
        self.sink.lets_go(&value);
        self.complete()?;
        Ok(value)
    }

    /// Fails if a large output was needed, or if a number would go on otherwise than it was printed.
    fn complete(&self) -> Result<(), Failure> {
        if let Some(Rounded { task, written, .. }) = self.sink.lost() {
            let lossy = Lossy { pointer: String::new(), written: written.clone() }.in_words();
            let message = format!("the output of task {task} is {lossy} where it is no text of its own");
            return Err(Failure::new(ErrorKind::InvalidOutput, message)
                .cause(task)
                .hint("let that task print it as a text, in quotes"));
        }
        let Some(missing) = self.sink.missing() else { return Ok(()) };
        let task = &missing.task;
        Err(if missing.truncated {
            let message = format!("the output of task {task} was cut, since it is larger than 16 MiB");
            Failure::new(ErrorKind::InvalidOutput, message)
                .cause(task)
                .hint("let it print less, or write what others need to the file that WINDLASS_OUTPUT names")
        } else {
            let message = format!(
                "the output of task {task} would be needed whole, and is larger than 64 KiB or has numbers that can't be kept exactly"
            );
            Failure::new(ErrorKind::InvalidOutput, message)
                .cause(task)
                .hint(format!("name the parts that are needed, as in `{{{{ tasks.{task}.output.PART }}}}`; whole it goes only into a prompt"))
        })
    }

    /// An error of the engine in our words. `start` is where what it looked at begins in the text that it was given.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the engine's kinds are many, and it will get more")]
    fn failure(&self, error: &Error, text: &str, start: usize, scope: &dyn Scope) -> Failure {
        if let Err(missing) = self.complete() {
            return missing;
        }
        let place = error.range().map(|range| range.start + start..range.end + start);
        let place = place.and_then(|range| text.get(range)).map(str::trim).filter(|part| !part.is_empty());
        let detail = error.detail().map_or_else(|| error.kind().to_string(), ToOwned::to_owned);
        match error.kind() {
            Kind::UndefinedError => self.undefined(place, scope),
            Kind::OutOfFuel | Kind::WriteFailure => Failure::new(
                ErrorKind::Expression,
                format!(
                    "the template does too much work, or gives too long a text (at most {} MiB)",
                    TEXT_BYTES_MAX >> 20
                ),
            )
            .hint("let a program do it: a `run` task can print JSON that later tasks use"),
            // Said of what is reckoned with.
            _ if detail.contains("undefined") && !self.missing(scope).is_empty() => {
                self.undefined(None, scope)
            }
            _ => {
                let place = place.map(|part| format!(" in `{part}`")).unwrap_or_default();
                Failure::new(ErrorKind::Expression, format!("the template failed{place}: {detail}"))
            }
        }
    }
}

impl Render<'_> {
    /// What is undefined. The engine knows a place in few cases, and then it may be that of what was done with the value:
    /// a filter.
    fn undefined(&self, place: Option<&str>, scope: &dyn Scope) -> Failure {
        let place = place.filter(|part| part.contains(['.', '[']));
        match (place, self.missing(scope).as_slice()) {
            (Some(place), [] | [_, _, ..]) => undefined(place),
            (None, []) => not_there(&format!("a value in `{}`", shortened(self.source.text().trim()))),
            (_, missing) => undefined(&missing.join("` or `")),
        }
    }

    /// What is undefined of all that is named and must be there.
    fn missing(&self, scope: &dyn Scope) -> Vec<&str> {
        let context = scope::context(&self.references, scope, &Sink::new(Mode::Text), Vec::new());
        let is_missing = |chain: &&str| {
            let value = environment().compile_expression(chain).and_then(|chain| chain.eval(&context));
            value.map_or_else(|error| error.kind() == Kind::UndefinedError, |value| value.is_undefined())
        };
        let mut missing: Vec<&str> = self.chains().filter(is_missing).collect();
        missing.dedup();
        missing
    }

    /// The chains that must be defined, as they are written.
    fn chains(&self) -> impl Iterator<Item = &str> {
        self.references.chains.iter().filter_map(|range| self.source.text().get(range.clone()))
    }
}

/// A template in a message.
fn shortened(text: &str) -> String {
    let mut letters = text.chars();
    let start: String = letters.by_ref().take(TEMPLATE_LETTERS_MAX).collect();
    if letters.next().is_some() { format!("{start}…") } else { start }
}

/// The source in which outputs that are to read as they were written are taken from where their texts are.
fn with_written<'s>(source: &'s str, written: &[(Range<usize>, &str)]) -> Cow<'s, str> {
    let mut text = Cow::Borrowed(source);
    for (place, (range, _)) in written.iter().enumerate().rev() {
        text.to_mut().replace_range(range.clone(), &format!("tasks['{WRITTEN}'][{place}]"));
    }
    text
}

fn undefined(what: &str) -> Failure {
    not_there(&format!("`{what}`"))
}

fn not_there(what: &str) -> Failure {
    Failure::new(ErrorKind::Expression, format!("{what} is undefined"))
        .hint("say what to take instead, as in `{{ item.name | default('none') }}`, or ask `{% if item.name is defined %}`")
}

fn bad(error: &TemplateError) -> Failure {
    Failure { hint: error.hint.clone(), ..Failure::new(ErrorKind::Expression, error.message.clone()) }
}

/// Bytes up to the largest text.
struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > TEXT_BYTES_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(super) fn evaluate(written: &str, scope: &dyn Scope) -> Result<Value, Failure> {
    let render = Render::new(written.trim(), Mode::Text)?;
    match render.source.expression() {
        Some(at) => render.value(at, scope),
        None => text(written, scope).map(Value::String),
    }
}

pub(super) fn without_message(written: &str, scope: &dyn Scope) -> Result<(), Failure> {
    let render = Render::new(written.trim(), Mode::Text)?;
    if render.source.expression().is_none() {
        return Ok(());
    }
    let operands = render.source.with_tree(surely::operands).map_err(|error| bad(&error))?;
    // What a task gives that has not succeeded may come.
    let is_there = |task: &String| scope.task(task).is_some_and(|seen| seen.state == "succeeded");
    let known = operands.into_iter().filter(|operand| operand.task.as_ref().is_none_or(is_there));
    known.map(|operand| operand.at).try_for_each(|at| render.value(at, scope).map(|_| ()))
}

pub(super) fn text(written: &str, scope: &dyn Scope) -> Result<String, Failure> {
    Render::new(written, Mode::Text)?.text(scope)
}

pub(super) fn shell(written: &str, scope: &dyn Scope) -> Result<String, Failure> {
    let render = Render::new(written, Mode::Shell)?;
    let rendered = render.text(scope)?;
    let kept = unfold(render.sink.take_kept(), render.references.captures)?;
    let mut line = shell::Line::default();
    for piece in pieces(&rendered) {
        match piece {
            Piece::Text(text) => line.literal(text),
            Piece::Kept(at) => match kept.get(at) {
                Some(Kept::Text(value)) => line.value(value)?,
                Some(Kept::Blob(_)) | None => {}
            },
        }
    }
    line.finish()
}

pub(super) fn prompt(written: &str, scope: &dyn Scope) -> Result<Vec<PromptPart>, Failure> {
    let render = Render::new(written, Mode::Prompt)?;
    let rendered = render.text(scope)?;
    let kept = render.sink.take_kept();
    let mut parts = Parts::default();
    let depth = if render.references.captures { CAPTURES_DEEP_MAX } else { 0 };
    parts.add(&rendered, &kept, kept.len(), depth)?;
    Ok(parts.finish())
}

/// The parts of a prompt as they are put together.
#[derive(Default)]
struct Parts {
    done: Vec<PromptPart>,
    open: String,
}

impl Parts {
    /// Adds a text with the placeholders below a number, each of which can hold only older ones, down to a depth.
    fn add(&mut self, text: &str, kept: &[Kept], below: usize, depth: usize) -> Result<(), Failure> {
        for piece in pieces(text) {
            match piece {
                Piece::Text(text) => self.open.push_str(text),
                Piece::Kept(at) if at < below => match &kept[at] {
                    Kept::Blob(blob) => {
                        self.close();
                        self.done.push(PromptPart::Blob(*blob));
                    }
                    Kept::Text(text) if depth > 0 => self.add(text, kept, at, depth - 1)?,
                    Kept::Text(text) => self.open.push_str(text),
                },
                Piece::Kept(_) => {}
            }
            if self.open.len() > TEXT_BYTES_MAX || self.done.len() > PARTS_MAX {
                return Err(Failure::new(ErrorKind::Expression, "the prompt becomes too long"));
            }
        }
        Ok(())
    }

    fn close(&mut self) {
        if !self.open.is_empty() {
            self.done.push(PromptPart::Text(std::mem::take(&mut self.open)));
        }
    }

    fn finish(mut self) -> Vec<PromptPart> {
        self.close();
        self.done
    }
}

/// Puts older placeholders into the texts that hold them: a text that was captured by `{% set %}` holds some.
fn unfold(kept: Vec<Kept>, captures: bool) -> Result<Vec<Kept>, Failure> {
    if !captures {
        return Ok(kept);
    }
    let mut done: Vec<Kept> = Vec::with_capacity(kept.len());
    let mut bytes = 0;
    for entry in kept {
        let Kept::Text(text) = entry else { continue };
        let mut unfolded = String::new();
        for piece in pieces(&text) {
            match piece {
                Piece::Text(text) => unfolded.push_str(text),
                Piece::Kept(at) => {
                    if let Some(Kept::Text(older)) = done.get(at) {
                        unfolded.push_str(older);
                    }
                }
            }
            if bytes + unfolded.len() > TEXT_BYTES_MAX {
                return Err(Failure::new(ErrorKind::Expression, "the text becomes too long"));
            }
        }
        bytes += unfolded.len();
        done.push(Kept::Text(unfolded));
    }
    Ok(done)
}

enum Piece<'a> {
    Text(&'a str),
    Kept(usize),
}

/// A rendered text, cut at its placeholders.
fn pieces(text: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let Some(after) = rest.strip_prefix(MARK) else {
            let (text, next) = rest.split_at(rest.find(MARK).unwrap_or(rest.len()));
            rest = next;
            return Some(Piece::Text(text));
        };
        let number = after.split_once(MARK_END).and_then(|(number, next)| Some((number.parse().ok()?, next)));
        let Some((at, next)) = number else {
            let (mark, next) = rest.split_at(MARK.len_utf8());
            rest = next;
            return Some(Piece::Text(mark));
        };
        rest = next;
        Some(Piece::Kept(at))
    })
}
