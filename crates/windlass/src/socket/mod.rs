//! How a second terminal reaches a live engine: a Unix socket, JSON lines, one request and one reply at a time.
//! Never: what only reads (that goes to the journal itself, read-only).

mod callers;
mod client;
mod in_time;
mod place;
mod server;
mod wire;

pub(crate) use client::{Client, Lost};
pub(crate) use place::path_for;
pub(crate) use server::{Hosting, Served, serve};
pub(crate) use wire::{BY_BYTES_MAX, Reply, Request};
