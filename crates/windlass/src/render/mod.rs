//! How things look: reports, tables, times, numbers of things. Never: what is shown (that is the commands' business).

mod axis;
pub(crate) mod hint;
pub(crate) mod log;
pub(crate) mod markdown;
pub(crate) mod plural;
pub(crate) mod report;
pub(crate) mod snippet;
pub(crate) mod story;
pub(crate) mod style;
pub(crate) mod table;
pub(crate) mod text;
pub(crate) mod time;
pub(crate) mod timeline;
pub(crate) mod work;
