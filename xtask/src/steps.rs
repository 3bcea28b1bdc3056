//! Steps that are run one after the other, each printed with its time; the first failure ends them.
//! Never: a step that is passed over in silence.

use std::time::{Duration, Instant};

/// What was done so far.
pub(crate) struct Steps {
    began: Instant,
    done: Vec<(String, Ended)>,
}

enum Ended {
    Well(Duration),
    PassedOver(String),
}

impl Steps {
    /// Nothing done yet.
    pub(crate) fn begin() -> Self {
        Self { began: now(), done: Vec::new() }
    }

    /// Does a step, and says how long it took.
    pub(crate) fn step(
        &mut self,
        name: &str,
        work: impl FnOnce() -> Result<(), String>,
    ) -> Result<(), String> {
        println!("\n── {name}");
        let began = now();
        let outcome = work();
        let took = began.elapsed();
        match outcome {
            Ok(()) => {
                println!("── {name}: ok, {}", shown(took));
                self.done.push((name.to_owned(), Ended::Well(took)));
                Ok(())
            }
            Err(why) => Err(format!("step {name} failed after {}: {why}", shown(took))),
        }
    }

    /// Says that a step is passed over, and why.
    pub(crate) fn pass_over(&mut self, name: &str, why: &str) {
        println!("\n── {name}: passed over, {why}");
        self.done.push((name.to_owned(), Ended::PassedOver(why.to_owned())));
    }

    /// The table of all steps.
    pub(crate) fn end(self) {
        println!("\n── all steps ended well in {}", shown(self.began.elapsed()));
        for (name, ended) in self.done {
            match ended {
                Ended::Well(took) => println!("   {name:<14} {}", shown(took)),
                Ended::PassedOver(why) => println!("   {name:<14} passed over: {why}"),
            }
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long a step takes is for people, nothing is decided by it"
)]
fn now() -> Instant {
    Instant::now()
}

fn shown(took: Duration) -> String {
    let seconds = took.as_secs();
    if seconds < 60 {
        format!("{:.1} s", took.as_secs_f64())
    } else {
        format!("{} min {:02} s", seconds / 60, seconds % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_step_names_itself_and_its_reason() {
        let mut steps = Steps::begin();
        assert_eq!(steps.step("first", || Ok(())), Ok(()));
        let failed = steps.step("second", || Err("`false` ended with exit status: 1".into())).unwrap_err();
        assert!(failed.starts_with("step second failed after "), "{failed}");
        assert!(failed.ends_with(": `false` ended with exit status: 1"), "{failed}");
    }

    #[test]
    fn times_are_told_in_seconds_and_from_a_minute_on_in_minutes() {
        assert_eq!(shown(Duration::from_millis(1_230)), "1.2 s");
        assert_eq!(shown(Duration::from_secs(61)), "1 min 01 s");
    }
}
