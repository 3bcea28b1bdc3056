//! What went wrong, for people: every error of the libraries becomes a [`Report`] here, with its exit code.
//! Never: printing it (that is `render/report.rs`).

use std::error::Error;
use std::io;

use windlass_core::plan::diagnostic::Diagnostic;
use windlass_core::plan::secrets::masked_message;
use windlass_engine::error::EngineError;

use crate::calling::here;
use crate::exit::Exit;

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub(crate) enum Failed {
    /// It says why.
    Report(Box<Report>),
    /// A file is not as it must be.
    File(Box<FileErrors>),
    /// Nobody reads what it prints any more: it ends quietly.
    ClosedPipe,
}

/// What a command comes to.
pub(crate) type Outcome<T = Exit> = Result<T, Failed>;

/// An error: what happened, why, and what to do about it.
#[derive(Debug)]
pub(crate) struct Report {
    /// How the program ends.
    pub(crate) exit: Exit,
    /// What happened, without a period at the end.
    pub(crate) message: String,
    /// Why, the nearest reason first.
    pub(crate) causes: Vec<String>,
    /// What to do about it; not masked, since its examples are ours.
    pub(crate) hint: Option<String>,
    /// What a program reads from the last line on standard error.
    pub(crate) last_line: Option<String>,
}

/// What is wrong with a file, and its text.
#[derive(Debug)]
pub(crate) struct FileErrors {
    pub(crate) text: String,
    pub(crate) diagnostics: Vec<Diagnostic>,
}

impl FileErrors {
    /// The errors of a file with this content.
    pub(crate) fn of(bytes: &[u8], diagnostics: Vec<Diagnostic>) -> Self {
        Self { text: String::from_utf8_lossy(bytes).into_owned(), diagnostics: meant_here(diagnostics) }
    }
}

impl From<FileErrors> for Failed {
    fn from(errors: FileErrors) -> Self {
        Self::File(Box::new(errors))
    }
}

impl Failed {
    /// What happened in a line, and what to do about it; none where nobody is to be told.
    pub(crate) fn in_short(&self) -> Option<(String, Option<String>)> {
        match self {
            Self::Report(report) => {
                let parts: Vec<&str> =
                    std::iter::once(&report.message).chain(&report.causes).map(String::as_str).collect();
                Some((masked_message(&parts.join(": ")).into_owned(), report.hint.clone()))
            }
            Self::File(errors) => {
                let first = errors.diagnostics.first()?;
                let place = first.at.map(|at| format!(":{}:{}", at.line, at.column)).unwrap_or_default();
                let more = errors.diagnostics.len() - 1;
                let more = if more > 0 { format!(" (and {more} more)") } else { String::new() };
                Some((format!("{}{place}: {}{more}", first.file, first.message), Some(first.hint.clone())))
            }
            Self::ClosedPipe => None,
        }
    }
}

impl Report {
    /// A report of nothing but what happened.
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), causes: Vec::new(), hint: None, last_line: None }
    }

    /// Wrong usage.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// The store or the machine is in the way.
    pub(crate) fn environment(message: impl Into<String>) -> Self {
        Self::new(Exit::Environment, message)
    }

    /// A file that can't be written: named wrongly, unless the disk is full.
    pub(crate) fn unwritable(message: String, error: &io::Error) -> Self {
        let is_full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
        let report = if is_full { Self::environment(message) } else { Self::usage(message) };
        report.cause(error.to_string())
    }

    /// A report of an error of a library: its message, and the chain of its sources.
    pub(crate) fn of(exit: Exit, error: &dyn Error) -> Self {
        Self::new(exit, error.to_string()).because(error.source())
    }

    /// The same, with the reasons that an error gives.
    #[must_use]
    pub(crate) fn because(mut self, mut source: Option<&dyn Error>) -> Self {
        while let Some(error) = source {
            let text = error.to_string();
            if self.causes.last() != Some(&text) {
                self.causes.push(text);
            }
            source = error.source();
        }
        self
    }

    /// The same, with a reason.
    #[must_use]
    pub(crate) fn cause(mut self, cause: impl Into<String>) -> Self {
        self.causes.push(cause.into());
        self
    }

    /// The same, with what the system said, and the way out where it has nothing left.
    #[must_use]
    pub(crate) fn system(self, error: &io::Error) -> Self {
        self.cause(error.to_string()).hint(windlass_worker::way_out(error).map(str::to_owned))
    }

    /// The same, with a hint.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<Option<String>>) -> Self {
        self.hint = hint.into().or(self.hint);
        self
    }
}

impl From<Report> for Failed {
    fn from(report: Report) -> Self {
        Self::Report(Box::new(report))
    }
}

/// What a part of Windlass that is not there yet answers.
pub(crate) fn not_supported_yet(what: &str) -> Failed {
    Report::usage(format!("{what} is not supported yet")).into()
}

/// A failure to print.
pub(crate) fn print_failed(error: &io::Error) -> Failed {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return Failed::ClosedPipe;
    }
    Report::environment("the output could not be written").cause(error.to_string()).into()
}

/// Remarks about a file whose hints have commands for this place.
pub(crate) fn meant_here(mut diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    for found in &mut diagnostics {
        found.hint = here(&found.hint);
    }
    diagnostics
}

/// A failure of the engine or of the store.
pub(crate) fn engine_failed(error: &EngineError) -> Report {
    let rescue = error.rescue().map(|copy| copy.display().to_string());
    Report {
        last_line: rescue,
        ..Report::of(Exit::Environment, error).hint(error.hint().map(|hint| here(&hint)))
    }
}
