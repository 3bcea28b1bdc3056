//! The core of Windlass: one pure state machine that decides everything.
//!
//! ```text
//! input ──> decide(state, input, now) ──> events ──> evolve(state, event) ──> journal (durable)
//!                                            ▲                   │
//!                                            └── follow(state) <─┘   react(record) ──> effects ──> drivers ──> input
//! ```
//!
//! `decide` and `follow` never change the state; `evolve` never decides; nothing in here reads a clock, draws a random
//! number or does I/O. So every run can be replayed, and the same core runs in production and under the simulator.

pub mod agenda;
mod alarms;
mod approvals;
pub mod arrows;
mod attempts;
pub mod bars;
mod beginnings;
mod blocked;
pub mod budget;
mod children;
pub mod clocks;
pub mod crew;
pub mod critical;
pub mod decide;
pub mod due;
pub mod effect;
pub mod event;
mod event_kinds;
pub mod event_schema;
pub mod evolve;
pub mod exact;
pub mod failure;
pub mod fleet;
mod follow;
mod growth;
pub mod hint;
pub mod id;
pub mod input;
mod judge;
mod knots;
pub mod machine;
mod nests;
mod otherwise;
pub mod outside;
mod placement;
pub mod plan;
pub mod planted;
pub mod policy;
pub mod purses;
pub mod queue;
pub mod react;
mod render;
mod requeue;
mod rest;
mod revise;
pub mod roster;
pub mod size;
pub mod slow;
pub mod state;
pub mod template;
pub mod time;
pub mod topics;
mod transition;
pub mod tree;
pub mod turn;
pub mod view;
mod waits;
pub mod wake;
pub mod wake_words;
