//! What went wrong, as it is printed: `error: …`, its causes, a hint. Never: choosing the exit code.

use std::io::{self, Write};

use windlass_core::plan::diagnostic::{Diagnostic, Severity};

use crate::calling::here;
use crate::error::{FileErrors, Report};
use crate::render::snippet;
use crate::render::style::{ERROR, HINT, WARNING, paint};
use crate::render::text::plain;

/// Prints a report.
pub(crate) fn print(to: &mut dyn Write, report: &Report) -> io::Result<()> {
    writeln!(to, "{} {}", paint(ERROR, "error:"), lines_of(&report.message))?;
    for cause in &report.causes {
        writeln!(to, "  cause: {}", lines_of(cause))?;
    }
    if let Some(hint) = &report.hint {
        writeln!(to, "\n{} {}", paint(HINT, "hint:"), lines_of(&here(hint)))?;
    }
    report.last_line.as_ref().map_or(Ok(()), |line| writeln!(to, "{line}"))
}

/// Prints what is wrong with a file, and how much of it there is.
pub(crate) fn print_file(to: &mut dyn Write, errors: &FileErrors) -> io::Result<()> {
    print_diagnostics(to, &errors.diagnostics, &errors.text)
}

/// Prints remarks about a file, each with its place.
pub(crate) fn print_diagnostics(
    to: &mut dyn Write,
    diagnostics: &[Diagnostic],
    text: &str,
) -> io::Result<()> {
    for (index, diagnostic) in diagnostics.iter().enumerate() {
        if index > 0 {
            writeln!(to)?;
        }
        let (style, word) = match diagnostic.severity {
            Severity::Error => (ERROR, "error:"),
            Severity::Warning => (WARNING, "warning:"),
        };
        writeln!(to, "{} {}", paint(style, word), lines_of(&diagnostic.message))?;
        match diagnostic.at {
            Some(at) => {
                for line in snippet::lines(&diagnostic.file, text, at) {
                    writeln!(to, "{line}")?;
                }
            }
            None => writeln!(to, " --> {}", plain(&diagnostic.file))?,
        }
        writeln!(to, "{} {}", paint(HINT, "hint:"), lines_of(&here(&diagnostic.hint)))?;
    }
    Ok(())
}

/// A text whose lines stay lines, but for what would steer the terminal.
fn lines_of(text: &str) -> String {
    text.trim_end().split('\n').map(plain).collect::<Vec<_>>().join("\n  ")
}
