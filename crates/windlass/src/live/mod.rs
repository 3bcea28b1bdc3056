//! The live display of runs: their tasks as a tree, a bar with an estimate, and how all that is drawn. Never: plain
//! lines, which are the story's.

pub(crate) mod block;
pub(crate) mod canvas;
pub(crate) mod estimate;
pub(crate) mod spec;
pub(crate) mod tails;
pub(crate) mod tree;
