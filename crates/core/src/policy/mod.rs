//! The policies: small pure functions that weigh numbers. Never: state.

pub mod balance;
pub mod breaker;
pub mod concurrency;
pub mod join;
pub mod rate;
pub mod retry;
pub mod select;
