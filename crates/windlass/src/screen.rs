//! How large the screen is that standard output, or standard error, goes to. Never: asked of anything but the terminal.

use std::io::{self, IsTerminal as _};
use std::os::fd::AsFd;

/// How large a terminal is taken to be that does not say.
const SIZE: (usize, usize) = (80, 24);
/// How wide lines may be where no terminal cuts them.
const COLUMNS_OF_A_PIPE: usize = 200;

/// How wide lines may be that nothing cuts.
pub(crate) const WHOLE: usize = usize::MAX / 2;

/// Columns and rows of the terminal.
pub(crate) fn size() -> (usize, usize) {
    size_of(io::stdout())
}

fn size_of(terminal: impl AsFd) -> (usize, usize) {
    let size = rustix::termios::tcgetwinsize(terminal);
    // A terminal that does not know its size says 0.
    let known = size.ok().filter(|size| size.ws_col > 0 && size.ws_row > 0);
    known.map_or(SIZE, |size| (usize::from(size.ws_col).max(20), usize::from(size.ws_row).max(4)))
}

/// How wide lists may be: as the terminal is, and in a pipe as wide as they are.
pub(crate) fn width_of_lists() -> usize {
    if io::stdout().is_terminal() { size().0 } else { WHOLE }
}

/// How wide lines may be that say what is wrong, in the same way.
pub(crate) fn width_of_errors() -> usize {
    if io::stderr().is_terminal() { size_of(io::stderr()).0 } else { WHOLE }
}

/// How wide a line may be that is cut rather than wrapped.
pub(crate) fn columns() -> usize {
    if io::stdout().is_terminal() { size().0 } else { COLUMNS_OF_A_PIPE }
}
