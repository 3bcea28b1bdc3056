//! The simulator: the same core and the same engine turn that users run, in a seeded world of faults, held against the
//! promises of SEMANTICS after each step. A seed is a world; the same seed is the same world, byte for byte.
//! Never: anything shipped to users, and never the time, the disk or the randomness of the machine that simulates.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "an invariant looks at the events that concern it, and at no others"
)]

pub mod accounts;
mod allot;
mod bring;
mod broken;
pub mod case;
mod check;
pub mod cli;
mod clocks;
pub mod conformance;
mod converse;
pub mod coverage;
mod deaths;
mod draft;
mod effects;
mod engine;
mod family;
mod fold;
mod generate;
mod growth;
mod hands;
mod invariants;
mod lives;
mod meaning;
mod mood;
mod nest;
mod oracle;
mod people;
mod plans;
pub mod planted;
mod process;
mod queue;
mod random;
mod rename;
mod revise;
mod scope;
pub mod seed;
pub mod seeds;
pub mod shrink;
mod steering;
mod talk;
pub mod trace;
mod world;
mod written;
