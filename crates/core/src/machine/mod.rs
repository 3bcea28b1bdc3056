//! The state machines, each a table in a file of its own. Never: data, which lives in `state/`.

pub mod arrows;
pub mod attempt;
pub mod breaker;
pub mod run;
pub mod task;
