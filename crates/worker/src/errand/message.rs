//! The messages of commits that Windlass makes. Never: reading one.

use windlass_core::id::AttemptKey;

use super::heads::TRAILER;

/// A first line, and the trailer by which the work of the attempt is known.
pub(super) fn with_key(first: &str, key: &AttemptKey) -> String {
    let first: String = first.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let first = match first.trim() {
        "" => "Work of an attempt",
        // It would be a comment, which some commands take out.
        line => line.trim_start_matches('#').trim_start(),
    };
    format!("{first}\n\n{TRAILER}: {key}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_first_line_can_look_like_another_key() {
        let key: AttemptKey = "abcdef/t/2".parse().expect("a key");
        let of = |first| with_key(first, &key);
        assert_eq!(of("a\n\nWindlass-Key: x"), "a  Windlass-Key: x\n\nWindlass-Key: abcdef/t/2\n");
        assert_eq!(of(" \n"), "Work of an attempt\n\nWindlass-Key: abcdef/t/2\n");
    }
}
