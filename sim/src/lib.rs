//! The simulator: the same core and the same engine turn that users run, in a seeded world of faults, held against the
//! promises of SEMANTICS after each step. A seed is a world; the same seed is the same world, byte for byte.
//! Never: anything shipped to users, and never the time, the disk or the randomness of the machine that simulates.

pub mod broken;
pub mod case;
mod check;
mod clocks;
mod draft;
mod effects;
mod engine;
mod generate;
mod hands;
mod invariants;
mod meaning;
mod oracle;
mod people;
mod process;
mod queue;
mod random;
pub mod seed;
pub mod trace;
mod world;
