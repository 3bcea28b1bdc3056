//! The journal as its users meet it: real SQLite, real files, real processes.

#![expect(clippy::unwrap_used, reason = "all of it is tests")]

mod blobs;
mod conformance;
mod damage;
mod deaths;
mod faulty;
mod full_disk;
mod homes;
mod inspections;
mod locks;
mod needs;
mod outages;
mod place;
mod planted;
mod power;
mod readers;
mod records;
mod rescue;
mod vanished;
