//! The simulator held against itself: seeds pass, the same seed is the same world, and every planted bug is found.
//! Never: a world that another test shares.

mod bugs;
mod drivers;
mod machine;
mod moments;
mod purity;
mod scenarios;
mod seeds;
