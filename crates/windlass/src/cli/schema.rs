//! `windlass schema`: the JSON Schemas of what others write for us and read from us. Never: anything by hand.

use clap::{Args, ValueEnum};

use crate::desk::Desk;
use crate::error::Outcome;
use crate::exit::Exit;

/// Print the JSON Schema of plans, or of the lines of `events --json`
#[derive(Args, Debug)]
pub(crate) struct Schema {
    /// Of what
    of: Of,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Of {
    /// A plan file
    Plan,
    /// A line of `events --json`
    Event,
}

impl Schema {
    pub(crate) fn carry_out(self, desk: &mut Desk) -> Outcome {
        let schema = match self.of {
            Of::Plan => windlass_core::plan::schema::plan(),
            Of::Event => windlass_core::event::schema::line(),
        };
        desk.line(&format!("{schema:#}"))?;
        Ok(Exit::Done)
    }
}
