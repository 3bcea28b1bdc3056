//! The policies: small pure functions that weigh numbers. Never: state.

pub mod join;
pub mod retry;
pub mod select;
