//! The core of Windlass: one pure state machine that decides everything.

pub mod effect;
pub mod event;
pub mod failure;
pub mod id;
pub mod input;
pub mod plan;
pub mod template;
pub mod time;
