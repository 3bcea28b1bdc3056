//! Markdown for a terminal.

mod inline;
mod page;

pub(crate) use page::lines;
