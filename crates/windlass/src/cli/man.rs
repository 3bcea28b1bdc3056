//! `windlass man`: the manual pages, made of the command line's own definition. Never: a page written by hand.

use std::path::PathBuf;

use clap::{Args, CommandFactory as _};
use clap_mangen::Man as Page;

use crate::cli::Cli;
use crate::desk::Desk;
use crate::error::{Outcome, Report, print_failed};
use crate::exit::Exit;

/// Print the manual page, or write one for each command
///
/// `windlass man | man -l -` shows it; `windlass man --out ~/.local/share/man/man1` puts all pages where `man` finds them.
#[derive(Args, Debug)]
pub(crate) struct Man {
    /// Write windlass.1, and a page for each command, into this folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

impl Man {
    pub(crate) fn carry_out(self, desk: &mut Desk) -> Outcome {
        // `help` has no page of its own: `man windlass` is what it would say.
        let pages = Cli::command().disable_help_subcommand(true);
        let Some(folder) = self.out else {
            let mut page = Vec::new();
            Page::new(pages).render(&mut page).map_err(|error| print_failed(&error))?;
            desk.bytes(&page)?;
            return Ok(Exit::Done);
        };
        let written =
            std::fs::create_dir_all(&folder).and_then(|()| clap_mangen::generate_to(pages, &folder));
        written.map_err(|error| {
            let message = format!("the manual pages can't be written to {}", folder.display());
            Report::unwritable(message, &error)
        })?;
        desk.note(&format!("the manual pages are in {}", folder.display()));
        Ok(Exit::Done)
    }
}
