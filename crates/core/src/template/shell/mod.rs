//! Lines of shell with values in them: `line` puts in values, `letters` follows what stands around them,
//! `here_document` its documents. Never: a value that the shell could take for anything but text.

mod here_document;
mod letters;
mod line;

pub(super) use line::Line;

#[cfg(test)]
mod tests;
