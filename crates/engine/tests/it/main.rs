//! The engine with real homes and real processes, without a face. Never: a process that outlives its test.

mod bugs;
mod embeds;
mod ends;
mod stage;
