//! The state machines, each a table in a file of its own. Never: data, which lives in `state.rs`.

pub mod attempt;
pub mod breaker;
pub mod run;
pub mod task;
