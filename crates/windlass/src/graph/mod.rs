//! Plans and runs as pictures: what they show is in `model.rs`, where it goes in `layout.rs`, and each format has a file.
//! Never: reading a plan or a home.

mod card;
pub(crate) mod dot;
pub(crate) mod fold;
#[cfg(test)]
mod formats;
pub(crate) mod json;
mod lanes;
mod layers;
mod layout;
#[cfg(test)]
mod layout_laws;
mod legend;
pub(crate) mod mermaid;
pub(crate) mod model;
mod order;
mod place;
pub(crate) mod svg;
mod talk;
pub(crate) mod text;
mod units;
