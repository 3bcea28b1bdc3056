//! What `--budget` says: which budget is raised, and by how much. Never: whether a run has such a one.

use windlass_core::event::Raise;
use windlass_core::time::Span;

use crate::error::{Outcome, Report, not_supported_yet};

/// The budgets that the language knows and this version does not.
const LATER: [&str; 4] = ["usd", "tokens", "turns", "resumes"];

/// What all of them add up to.
pub(super) fn of(written: &[String]) -> Outcome<Raise> {
    let mut raise = Raise::default();
    for text in written {
        let (what, more) = text.split_once('=').ok_or_else(|| wrong(text, "it has no `=`"))?;
        let Some(more) = more.strip_prefix('+') else {
            return Err(wrong(text, "what is added begins with `+`").into());
        };
        match what {
            "attempts" => {
                let more: u32 = more.parse().map_err(|_| wrong(text, "attempts are a whole number"))?;
                raise.attempts = raise.attempts.saturating_add(more);
            }
            "wall" => {
                let more: Span = more.parse().map_err(|error| wrong(text, &format!("{error}")))?;
                raise.wall = raise.wall.plus(more);
            }
            later if LATER.contains(&later) => {
                return Err(not_supported_yet(&format!("`resume --budget {later}`")));
            }
            _ => return Err(wrong(text, "there is no such budget").into()),
        }
    }
    if !written.is_empty() && raise.is_nothing() {
        return Err(wrong(&written[0], "it adds nothing").into());
    }
    Ok(raise)
}

fn wrong(text: &str, why: &str) -> Report {
    Report::usage(format!("`--budget {text}` can't be understood: {why}"))
        .hint("write `--budget attempts=+5` or `--budget wall=+10m`".to_owned())
}
