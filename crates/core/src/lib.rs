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

pub mod decide;
pub mod effect;
pub mod errand;
pub mod event;
pub mod exact;
pub mod failure;
pub mod fold;
pub mod hint;
pub mod id;
pub mod input;
pub mod machine;
pub mod output;
pub mod plan;
pub mod planted;
pub mod policy;
pub mod react;
pub mod size;
pub mod state;
pub mod template;
pub mod time;
pub mod turn;
pub mod verdict;
pub mod view;
