//! Real processes under a real keeper. Never: waiting by the clock (reports, descriptors and files are waited for).

mod busy;
mod cgroups;
mod deaths;
mod errands;
mod faults;
mod held;
mod limits;
#[path = "../../../journal/tests/journal/needs.rs"]
mod needs;
mod planted;
mod runs;
mod scripted;
mod stage;
mod streams;
mod stubborn;
mod watched;
