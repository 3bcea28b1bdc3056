//! The few colours, by what they say. Never: a colour that carries what no word says.

use anstyle::{AnsiColor, Style};

/// Well.
pub(crate) const OK: Style = AnsiColor::Green.on_default();
/// Not well.
pub(crate) const ERROR: Style = AnsiColor::Red.on_default().bold();
/// To be looked at.
pub(crate) const WARNING: Style = AnsiColor::Yellow.on_default();
/// What to do, and where things are.
pub(crate) const HINT: Style = AnsiColor::Cyan.on_default();
/// Less important than the rest.
pub(crate) const DIM: Style = Style::new().dimmed();
/// Titles.
pub(crate) const BOLD: Style = Style::new().bold();

/// A text in a style.
pub(crate) fn paint(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}
