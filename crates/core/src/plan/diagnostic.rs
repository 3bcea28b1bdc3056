//! What is wrong with a file, for people: code, place, message, hint. Plain values; the binary draws them.
//! Never: colours, frames or the words of a terminal.

use std::ops::Range;

use serde::Serialize;

use super::secrets::masked_message;

/// An error or a warning about a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// What kind of trouble it is, for programs: `unknown_key`, `cycle`, …
    pub code: Code,
    /// Whether it keeps the file from being used.
    pub severity: Severity,
    /// What is wrong, without a period at the end.
    pub message: String,
    /// What to do about it. It is not masked as a whole, since its examples are ours: whoever puts a text of the file into
    /// one masks that.
    pub hint: String,
    /// The file it is about.
    pub file: String,
    /// The offending text; none if it is about the file as a whole.
    pub at: Option<Location>,
}

/// What is not wrong in a file beside the plan's own, and worth a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remarks {
    /// One after the other, as in that file.
    pub warnings: Vec<Diagnostic>,
    /// What stands in the file.
    pub text: String,
}

/// A place in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Location {
    /// Where the text begins, in bytes from the start of the file.
    pub offset: usize,
    /// How long it is, in bytes.
    pub len: usize,
    /// Its line, from 1.
    pub line: usize,
    /// Its column, from 1, in characters.
    pub column: usize,
}

/// Whether a file can be used all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// It can't.
    Error,
    /// It can.
    Warning,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal => $hint:literal),* $(,)?) => {
        /// The kinds of trouble.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Code { $($(#[$doc])* $name),* }
        impl Code {
            /// The name for programs.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }

            /// What to do about it, where nothing closer is known.
            pub const fn hint(self) -> &'static str {
                match self { $(Self::$name => $hint),* }
            }
        }
    };
}

codes! {
    /// Larger than is read.
    TooLarge = "too_large" => "is this the right file?",
    /// Not text in UTF-8.
    NotText = "not_text" => "is this the right file? save it as UTF-8",
    /// Not YAML, TOML or JSON.
    Syntax = "syntax" => "see that quotes and brackets are closed, and that what belongs together begins in the same column",
    /// Nested too deep.
    TooDeep = "too_deep" => "no plan needs that: is this the right file?",
    /// More values than are read, aliases included.
    TooMany = "too_many" => "let a task make the list, and go over it with `for_each`",
    /// A key twice in one place.
    DuplicateKey = "duplicate_key" => "keep one of the two",
    /// A key that does not exist there.
    UnknownKey = "unknown_key" => "`windlass schema plan` prints all keys with what they are for",
    /// A key that must be there.
    MissingKey = "missing_key" => "`windlass schema plan` prints what must be there",
    /// A value of another type.
    WrongType = "wrong_type" => "`windlass schema plan` prints the type of each key",
    /// A value that is not one of those allowed.
    BadValue = "bad_value" => "`windlass schema plan` prints what each key takes",
    /// A number outside its range.
    OutOfRange = "out_of_range" => "take one within that range, or leave the key out",
    /// A name outside the pattern.
    BadName = "bad_name" => "names are letters, digits, `_` and `-`, and begin with a letter or `_`",
    /// A version of the language that this build does not read.
    UnknownVersion = "unknown_version" => "a newer windlass may read it",
    /// A plan without tasks.
    EmptyPlan = "empty_plan" => "write at least one task under `tasks`; `windlass init` writes a first plan",
    /// More tasks than the limit.
    TooManyTasks = "too_many_tasks" => "raise `limits.tasks`, or let `for_each` make the tasks",
    /// A task that does nothing, or more than one thing.
    TaskKind = "task_kind" => "give it one of `run`, `prompt`, `approval`",
    /// A `prompt` that nobody works on.
    MissingAgent = "missing_agent" => "name one with `agent`, there or under `defaults`",
    /// An agent that does not exist.
    UnknownAgent = "unknown_agent" => "name it under `agents`, in the plan or in windlass.toml",
    /// A task that does not exist.
    MissingNeed = "missing_need" => "name a task that stands under `tasks`, or add it there",
    /// A task that needs itself.
    SelfNeed = "self_need" => "take its own name out of its `needs`",
    /// Tasks that wait for each other.
    Cycle = "cycle" => "take one of these needs away",
    /// A `join` that can't be met.
    BadJoin = "bad_join" => "`join` is `all`, `any`, or a number up to that of the needs",
    /// A template that can't be read, or that names what is not there.
    BadTemplate = "bad_template" => "templates see `inputs`, `tasks`, `item`, `index`, `plan.dir`, `run.id`, `attempt` and `feedback`",
    /// A JSON Schema that is none.
    BadSchema = "bad_schema" => "write it as in `{ type: object, required: [name], properties: { name: { type: string } } }`",
    /// A folder outside the run's.
    DirOutside = "dir_outside" => "name a folder inside the one that `windlass run` is called in; `--dir` chooses that",
    /// A value for an input that is missing, of another type, or for no input.
    BadInput = "bad_input" => "give it with `--input NAME=VALUE`, as `inputs` of the plan says",
    /// Part of the language, and not built yet.
    NotSupported = "not_supported_yet" => "leave it out until then",
    /// A secret in clear text.
    ClearSecret = "clear_secret" => "name the variable under `pass`, or under `secrets` of an agent",
    /// An agent that may change the folder that it was called in.
    SharedWorkspace = "shared_workspace" => "say `workspace: shared` there or under `defaults` if that is meant",
    /// A topic that nothing emits.
    SilentTopic = "silent_topic" => "let a task emit it, or say `external: true` where its messages come from elsewhere",
    /// More was found than is shown.
    More = "more" => "mend these first: some of the rest may go away with them",
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// The most errors of a file that are shown at once; what is not supported yet is always shown in full.
pub const ERRORS_MAX: usize = 20;

/// Of how many files beside the plan's own warnings are kept, each with its text.
const FILES_MAX: usize = 20;

/// A place in a file while it is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mark {
    pub(super) start: u32,
    pub(super) end: u32,
}

impl Mark {
    pub(super) fn new(range: Range<usize>) -> Self {
        let bounded = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Self { start: bounded(range.start), end: bounded(range.end.max(range.start)) }
    }

    pub(super) fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// What was found while a file was read; lines are counted only once there is something to show.
#[derive(Debug, Default)]
pub(super) struct Findings {
    found: Vec<Finding>,
    /// How many errors came when there were enough.
    left_out: usize,
    errors: usize,
    /// What is to be said of the files that this one names.
    beneath: Vec<Remarks>,
}

#[derive(Debug)]
struct Finding {
    code: Code,
    severity: Severity,
    at: Option<Mark>,
    message: String,
    hint: Option<String>,
}

impl Finding {
    fn order(&self) -> (Option<Mark>, Code, &str) {
        (self.at, self.code, &self.message)
    }
}

impl Findings {
    /// Notes an error.
    pub(super) fn error(
        &mut self,
        code: Code,
        at: Mark,
        message: impl Into<String>,
        hint: impl Into<Option<String>>,
    ) {
        self.add(Finding {
            code,
            severity: Severity::Error,
            at: Some(at),
            message: message.into(),
            hint: hint.into(),
        });
    }

    /// Notes an error about the file as a whole.
    pub(super) fn of_file(
        &mut self,
        code: Code,
        message: impl Into<String>,
        hint: impl Into<Option<String>>,
    ) {
        self.add(Finding {
            code,
            severity: Severity::Error,
            at: None,
            message: message.into(),
            hint: hint.into(),
        });
    }

    /// Notes a warning.
    pub(super) fn warning(
        &mut self,
        code: Code,
        at: Mark,
        message: impl Into<String>,
        hint: impl Into<Option<String>>,
    ) {
        self.add(Finding {
            code,
            severity: Severity::Warning,
            at: Some(at),
            message: message.into(),
            hint: hint.into(),
        });
    }

    /// Keeps what is to be said of a file that this one names, once where it is named twice.
    pub(super) fn beneath(&mut self, remarks: Remarks) {
        let is_known = self.beneath.iter().any(|other| other.warnings == remarks.warnings);
        if !remarks.warnings.is_empty() && !is_known && self.beneath.len() < FILES_MAX {
            self.beneath.push(remarks);
        }
    }

    /// All that is to be said of such files.
    pub(super) fn all_beneath(&mut self) -> Vec<Remarks> {
        std::mem::take(&mut self.beneath)
    }

    /// Whether there is an error.
    pub(super) fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// Whether more errors would not be shown: what costs time to find need not be looked for.
    pub(super) fn is_full(&self) -> bool {
        self.left_out > 0
    }

    fn add(&mut self, finding: Finding) {
        // More than are shown are kept, so that those shown are the first of the file and not the first found.
        let is_error = finding.severity == Severity::Error;
        if is_error && finding.code != Code::NotSupported {
            self.errors += 1;
            if self.errors > 10 * ERRORS_MAX {
                self.left_out += 1;
                return;
            }
        } else if is_error {
            self.errors += 1;
        } else if self.found.len() > 50 * ERRORS_MAX {
            return;
        }
        self.found.push(finding);
    }

    /// All that is to be shown, in the order of the file, whose text begins after some bytes.
    pub(super) fn finish(mut self, file: &str, text: &str, skipped: usize) -> Vec<Diagnostic> {
        self.found.sort_by(|one, other| one.order().cmp(&other.order()));
        // What an alias repeats is wrong once.
        self.found.dedup_by(|one, other| one.order() == other.order());
        let lines = if self.found.is_empty() { Vec::new() } else { line_starts(text) };
        let mut shown = 0;
        let is_full = self.is_full();
        let mut left_out = self.left_out;
        let mut diagnostics = Vec::with_capacity(self.found.len());
        for finding in self.found {
            if finding.severity == Severity::Error && finding.code != Code::NotSupported {
                shown += 1;
                if shown > ERRORS_MAX {
                    left_out += 1;
                    continue;
                }
            }
            diagnostics.push(Diagnostic {
                code: finding.code,
                severity: finding.severity,
                message: masked_message(&finding.message).into_owned(),
                hint: finding.hint.unwrap_or_else(|| finding.code.hint().to_owned()),
                file: file.to_owned(),
                at: finding.at.map(|at| {
                    let location = locate(at, text, &lines);
                    Location { offset: location.offset + skipped, ..location }
                }),
            });
        }
        if left_out > 0 {
            let plural = if left_out == 1 { "error" } else { "errors" };
            // What is found no more once there are enough has no number.
            let many = if is_full { "at least " } else { "" };
            diagnostics.push(Diagnostic {
                code: Code::More,
                severity: Severity::Error,
                message: format!("{many}{left_out} more {plural}"),
                hint: Code::More.hint().into(),
                file: file.to_owned(),
                at: None,
            });
        }
        diagnostics
    }
}

fn line_starts(text: &str) -> Vec<usize> {
    std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect()
}

fn locate(at: Mark, text: &str, lines: &[usize]) -> Location {
    let boundary = |mut place: usize| {
        place = place.min(text.len());
        while !text.is_char_boundary(place) {
            place -= 1;
        }
        place
    };
    let (start, end) = (boundary(at.start as usize), boundary(at.end as usize));
    let line = lines.partition_point(|first| *first <= start);
    let column = text[lines[line - 1]..start].chars().count() + 1;
    Location { offset: start, len: end.max(start) - start, line, column }
}
