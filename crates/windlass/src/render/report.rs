//! What went wrong, as it is printed: `error: …`, its causes, a hint. Never: choosing the exit code.

use std::io::{self, Write};

use windlass_core::plan::diagnostic::{Code, Diagnostic, Remarks, Severity};
use windlass_core::plan::secrets;

use crate::error::{FileErrors, Report};
use crate::render::snippet;
use crate::render::style::{ERROR, HINT, WARNING, paint};
use crate::render::text::{plain, wrap_words};
use crate::screen;

/// Prints a report.
pub(crate) fn print(to: &mut dyn Write, report: &Report) -> io::Result<()> {
    say(to, &paint(ERROR, "error:"), &secrets::masked_message(&report.message))?;
    for cause in &report.causes {
        say(to, "  cause:", &secrets::masked_message(cause))?;
    }
    if let Some(hint) = &report.hint {
        writeln!(to)?;
        say(to, &paint(HINT, "hint:"), hint)?;
    }
    report.last_line.as_ref().map_or(Ok(()), |line| writeln!(to, "{line}"))
}

/// Prints what is wrong with a file, and how much of it there is.
pub(crate) fn print_file(to: &mut dyn Write, errors: &FileErrors) -> io::Result<()> {
    print_diagnostics(to, &errors.diagnostics, &errors.text)
}

/// Prints remarks about a plan, and about the files of its sub-plans.
pub(crate) fn print_remarks(
    to: &mut dyn Write,
    warnings: &[Diagnostic],
    text: &str,
    beneath: &[Remarks],
) -> io::Result<()> {
    print_diagnostics(to, warnings, text)?;
    for (index, remarks) in beneath.iter().enumerate() {
        if index > 0 || !warnings.is_empty() {
            writeln!(to)?;
        }
        print_diagnostics(to, &remarks.warnings, &remarks.text)?;
    }
    Ok(())
}

/// Prints remarks about a file, each with its place.
fn print_diagnostics(to: &mut dyn Write, diagnostics: &[Diagnostic], text: &str) -> io::Result<()> {
    let text = &without_secrets(text, diagnostics);
    for (index, diagnostic) in diagnostics.iter().enumerate() {
        if index > 0 {
            writeln!(to)?;
        }
        let (style, word) = match diagnostic.severity {
            Severity::Error => (ERROR, "error:"),
            Severity::Warning => (WARNING, "warning:"),
        };
        say(to, &paint(style, word), &diagnostic.message)?;
        match diagnostic.at {
            Some(at) => {
                for line in snippet::lines(&diagnostic.file, text, at, screen::width_of_errors()) {
                    writeln!(to, "{line}")?;
                }
            }
            None => writeln!(to, " --> {}", plain(&diagnostic.file))?,
        }
        say(to, &paint(HINT, "hint:"), &diagnostic.hint)?;
    }
    Ok(())
}

/// The text of a file without what looks like a secret in what is shown of it, or was found to be one, each place where
/// it was.
fn without_secrets(text: &str, diagnostics: &[Diagnostic]) -> String {
    let shown: Vec<_> =
        diagnostics.iter().filter_map(|found| found.at).flat_map(|at| snippet::shown(text, at)).collect();
    let mut bytes = secrets::covered(text, &shown).into_bytes();
    let secrets = diagnostics.iter().filter(|found| found.code == Code::ClearSecret);
    for at in secrets.filter_map(|found| found.at) {
        secrets::cover(&mut bytes[at.offset..at.offset + at.len]);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A text behind its word, broken between words where a terminal would break within them.
fn say(to: &mut dyn Write, word: &str, text: &str) -> io::Result<()> {
    let said = format!("{word} {}", lines_of(text));
    let mut lines = said.split('\n').flat_map(|line| wrap_words(line, screen::width_of_errors()));
    lines.try_for_each(|line| writeln!(to, "{line}"))
}

/// A text whose lines stay lines, but for what would steer the terminal.
fn lines_of(text: &str) -> String {
    text.trim_end().split('\n').map(plain).collect::<Vec<_>>().join("\n  ")
}
