//! The guides that the binary carries: the same pages that stand under docs/. Never: a text that stands only here.

use windlass_core::failure::ErrorKind;

/// A guide.
#[derive(Debug)]
pub(crate) struct Guide {
    /// What it is asked for by.
    pub(crate) topic: &'static str,
    /// What it is about, in a line.
    pub(crate) about: &'static str,
    /// The page, in Markdown.
    pub(crate) page: &'static str,
}

/// The topic whose page has a part for each kind of error.
const ERRORS: &str = "errors";

const fn guide(topic: &'static str, about: &'static str, page: &'static str) -> Guide {
    Guide { topic, about, page }
}

/// All of them, in the order in which somebody new would read them.
pub(crate) const ALL: [Guide; 8] = [
    guide(
        "start",
        "the first ten minutes: a plan, a failure, a crash, a question",
        include_str!("../../../docs/guides/first-ten-minutes.md"),
    ),
    guide("plan", "how to write a plan", include_str!("../../../docs/guides/plan.md")),
    guide("keys", "every key of a plan, with its default", include_str!("../../../docs/reference/keys.md")),
    guide(
        "agent",
        "how to write an agent: what it gets, what it gives back, how it ends",
        include_str!("../../../docs/guides/agent.md"),
    ),
    guide("steer", "look, stop, go on, answer, try again", include_str!("../../../docs/guides/steer.md")),
    guide(
        "recover",
        "after a kill, a reboot, a full disk, damage",
        include_str!("../../../docs/guides/recover.md"),
    ),
    guide(
        "chaos",
        "kills and full disks for a copy of your project",
        include_str!("../../../docs/guides/chaos.md"),
    ),
    guide(
        ERRORS,
        "the kinds of error; `guide errors KIND` has the page of one",
        include_str!("../../../docs/reference/errors.md"),
    ),
];

impl Guide {
    /// The guide on a topic.
    pub(crate) fn on(topic: &str) -> Option<&'static Self> {
        ALL.iter().find(|guide| guide.topic == topic)
    }

    /// Whether it has parts that can be asked for.
    pub(crate) fn has_parts(&self) -> bool {
        self.topic == ERRORS
    }

    /// The page, without the parts that have a page of their own.
    pub(crate) fn overview(&self) -> &'static str {
        if !self.has_parts() {
            return self.page;
        }
        self.page.find("\n## ").map_or(self.page, |end| &self.page[..end])
    }

    /// The part on a kind of error.
    pub(crate) fn part(&self, kind: ErrorKind) -> Option<&'static str> {
        let heading = format!("\n## `{kind}`\n");
        let start = self.page.find(&heading)? + 1;
        let rest = &self.page[start..];
        Some(rest[1..].find("\n## ").map_or(rest, |end| &rest[..=end]))
    }
}

#[cfg(test)]
mod tests {
    use windlass_core::failure::{Retried, Served};

    use super::*;

    /// What the core does with an attempt that ended so, in the words of the pages.
    fn treatment(kind: ErrorKind) -> String {
        let treatment = kind.treatment();
        let charged = if treatment.charged { "Charged" } else { "Not charged" };
        let retried = match treatment.retried {
            Retried::Yes => "tried again as `retry` says",
            Retried::Once => "tried again once",
            Retried::No => "not tried again",
        };
        let falls_back = treatment.falls_back.then_some("an agent's `fallback` takes over");
        let breaker = match treatment.served {
            Served::Failed => Some("its account's breaker counts it"),
            Served::Barred => Some("its account's breaker opens"),
            Served::Limited => Some("its account is slowed"),
            Served::Well | Served::Unknown => None,
        };
        let parts: Vec<&str> =
            [Some(charged), Some(retried), falls_back, breaker].into_iter().flatten().collect();
        format!("\n*{}.*\n", parts.join("; "))
    }

    #[test]
    fn each_kind_of_error_has_a_page_that_says_what_follows_from_it() {
        let errors = Guide::on(ERRORS).expect("there is one");
        for kind in ErrorKind::ALL {
            let page = errors.part(kind).unwrap_or_else(|| panic!("{kind} has no page"));
            let told = treatment(kind);
            assert!(page.contains(&told), "the page of {kind} lacks{told}");
        }
    }
}
