//! Values inserted into a line for a POSIX shell. Never: letting a value be more than one word.

use crate::failure::{ErrorKind, Failure};

/// A line as it is put together.
#[derive(Default)]
pub(super) struct Line {
    done: String,
}

impl Line {
    /// Adds what the plan's owner wrote.
    pub(super) fn literal(&mut self, text: &str) {
        self.done.push_str(text);
    }

    /// Adds a value.
    pub(super) fn value(&mut self, value: &str) -> Result<(), Failure> {
        if value.contains('\0') {
            let message = "a value for the shell holds a NUL character, which no command line can";
            return Err(Failure::new(ErrorKind::Expression, message));
        }
        self.done.push('\'');
        self.done.push_str(&value.replace('\'', r"'\''"));
        self.done.push('\'');
        Ok(())
    }

    /// The line.
    pub(super) fn finish(self) -> String {
        self.done
    }
}
