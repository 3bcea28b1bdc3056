//! Real processes under a real keeper. Never: waiting by the clock (reports, descriptors and files are waited for).

mod deaths;
mod runs;
mod stage;
mod watched;
