//! Templates and expressions: Jinja's, in a sandbox with strict undefined and bounds on work and size.
//! Never: files, clocks, random numbers, or anything else from outside the [`Scope`].

mod engine;
mod names;
mod reader;
mod references;
mod scope;
mod shell;
mod surely;
mod syntax;
mod values;

use std::ops::Range;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(crate) use self::names::nearest;
pub use self::references::{Name, References, Step, TaskUse, Use};
pub use self::scope::{OutputSeen, Scope, TaskSeen};
use crate::failure::{ErrorKind, Failure};
use crate::id::Digest;

/// The source of a template, syntactically valid in a loaded plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Template(pub String);

/// What is wrong with a template before anything is rendered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TemplateError {
    /// What is wrong.
    pub message: String,
    /// Where, in bytes of the template's source.
    pub range: Range<usize>,
    /// What to do about it.
    pub hint: Option<String>,
}

/// What a template is for; it decides what a large output means in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A value, an argument: contents are needed.
    Content,
    /// A line of shell: contents are needed, where the shell takes them for nothing but text.
    Shell,
    /// A prompt: whole outputs may stay placeholders.
    Prompt,
}

/// The longest text that a template may give, in bytes.
pub const TEXT_BYTES_MAX: usize = 16 * 1024 * 1024;

impl Template {
    /// Whether there is anything in it to be rendered.
    pub fn is_plain(&self) -> bool {
        !["{{", "{%", "{#"].iter().any(|open| self.0.contains(open))
    }

    /// Checks the syntax.
    pub fn check(&self) -> Result<(), TemplateError> {
        if self.is_plain() { Ok(()) } else { syntax::Prepared::new(&self.0)?.with_tree(|_| ()) }
    }

    /// What it refers to, for validation and for cutting extracts, and what is wrong with that.
    pub fn references(&self, purpose: Purpose) -> Result<References, TemplateError> {
        if self.is_plain() {
            return Ok(References::default());
        }
        let source = syntax::Prepared::new(&self.0)?;
        source.with_tree(|tree| reader::read(tree, purpose, &source))
    }

    /// Its value: one `{{ … }}` keeps its type, all else is text.
    pub fn evaluate(&self, scope: &dyn Scope) -> Result<Value, Failure> {
        if self.is_plain() {
            return Ok(Value::String(self.0.clone()));
        }
        engine::evaluate(&self.0, scope)
    }

    /// Whether a condition holds: booleans, null, and the words true and false; all else is an error.
    pub fn truth(&self, scope: &dyn Scope) -> Result<bool, Failure> {
        let value = self.evaluate(scope)?;
        match &value {
            Value::Null => Ok(false),
            Value::Bool(holds) => Ok(*holds),
            Value::String(word) if word.trim() == "true" => Ok(true),
            Value::String(word) if word.trim() == "false" => Ok(false),
            Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
                let message =
                    format!("`{}` gives {}, which is neither true nor false", self.0, brief(&value));
                Err(Failure::new(ErrorKind::Expression, message)
                    .hint("compare it, as in `{{ inputs.count > 0 }}`: a condition is a boolean, null, or one of the words true and false"))
            }
        }
    }

    /// An error where a condition on messages fails whatever one says, since it names what is not there. It tells the plain
    /// cases: what the condition comes to only for some messages is left to them.
    pub fn judges_messages(&self, scope: &dyn Scope) -> Result<(), Failure> {
        if self.is_plain() { Ok(()) } else { engine::without_message(&self.0, scope) }
    }

    /// Its text: null is empty, booleans and numbers are JSON's, lists and objects are compact JSON.
    pub fn render_text(&self, scope: &dyn Scope) -> Result<String, Failure> {
        if self.is_plain() { Ok(self.0.clone()) } else { engine::text(&self.0, scope) }
    }

    /// A line for a POSIX shell, in which each `{{ … }}` stays one word whatever it holds (`| raw`: as it is).
    /// Inside quotes that the line itself has, the value is escaped for those quotes.
    pub fn render_shell(&self, scope: &dyn Scope) -> Result<String, Failure> {
        if self.is_plain() { Ok(self.0.clone()) } else { engine::shell(&self.0, scope) }
    }

    /// A prompt, in which each whole output that is large stays the digest of its blob.
    pub fn render_prompt(&self, scope: &dyn Scope) -> Result<Vec<PromptPart>, Failure> {
        if self.is_plain() {
            return Ok(vec![PromptPart::Text(self.0.clone())]);
        }
        engine::prompt(&self.0, scope)
    }
}

/// A value written out in a plan, with the templates in its texts evaluated.
pub fn evaluate_within(value: &Value, scope: &dyn Scope) -> Result<Value, Failure> {
    Ok(match value {
        Value::String(text) if text.contains('{') => Template(text.clone()).evaluate(scope)?,
        Value::Array(items) => {
            Value::Array(items.iter().map(|item| evaluate_within(item, scope)).collect::<Result<_, _>>()?)
        }
        Value::Object(fields) => {
            let field = |(key, value): (&String, &Value)| Ok((key.clone(), evaluate_within(value, scope)?));
            Value::Object(fields.iter().map(field).collect::<Result<_, Failure>>()?)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    })
}

/// A piece of a prompt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PromptPart {
    /// Text as it is.
    Text(String),
    /// The content of a blob, streamed in by the driver.
    Blob(Digest),
}

/// Where the items of a `for_each` come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Items {
    /// An expression that gives a list.
    Expression(Template),
    /// Values written out in the plan.
    List(Vec<serde_json::Value>),
}

/// The items of a `for_each`: null is none, and what is no list is an error.
pub fn items(items: &Items, scope: &dyn Scope) -> Result<Vec<Value>, Failure> {
    match items {
        Items::List(values) => values.iter().map(|value| evaluate_within(value, scope)).collect(),
        Items::Expression(template) => match template.evaluate(scope)? {
            Value::Null => Ok(Vec::new()),
            Value::Array(values) => Ok(values),
            other @ (Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_)) => {
                let message = format!("`{}` gives {}, which is no list", template.0, brief(&other));
                Err(Failure::new(ErrorKind::InvalidOutput, message)
                    .hint("let the expression give a list (or null for none); one `{{ … }}` and nothing beside it keeps its type"))
            }
        },
    }
}

/// A value in a few words, for messages.
fn brief(value: &Value) -> String {
    let shown = |text: String| {
        if text.chars().count() > 40 { text.chars().take(39).chain(['…']).collect() } else { text }
    };
    match value {
        Value::Null => "null".into(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(_) => format!("the text {}", shown(value.to_string())),
        Value::Array(items) => format!("a list of {}", items.len()),
        Value::Object(_) => format!("the object {}", shown(value.to_string())),
    }
}

#[cfg(test)]
mod tests;
