//! How large an event is as it is stored, and how large it may be: what follows from a state must fit into the journal,
//! or something else must follow. Never: a guess.

use std::io;

use serde::Serialize;

use crate::event::Event;

/// The largest event, as stored.
pub const EVENT_BYTES_MAX: usize = 256 << 10;
/// What a record adds to its event, at most: its time, its version, the names of both.
const AROUND_BYTES_MAX: usize = 64;

/// How many bytes a value is as JSON.
pub fn of(value: &impl Serialize) -> usize {
    struct Count(usize);
    impl io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    serde_json::to_writer(&mut count, value).expect("what goes into events is plain data");
    count.0
}

/// How many bytes a record with this event comes to in the journal, at most.
pub fn of_record(event: &Event) -> usize {
    of(event) + AROUND_BYTES_MAX
}

/// Whether an event is too large for a record.
pub(crate) fn too_large(event: &Event) -> bool {
    of_record(event) > EVENT_BYTES_MAX
}

/// How deep a JSON text nests. Of other texts it tells no less than how deep what is JSON at their beginning does.
pub fn depth_of_json(json: &[u8]) -> usize {
    let (mut now, mut deepest, mut in_text, mut escaped) = (0_usize, 0, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => {
                now += 1;
                deepest = deepest.max(now);
            }
            b'}' | b']' if !in_text => now = now.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_depth_counts_what_is_open_at_once_and_no_brackets_in_texts() {
        for (json, depth) in
            [("1", 0), ("[]", 1), ("[[], {\"a\": [1]}]", 3), (r#"["[[\"[["]"#, 1), ("]]]][", 1)]
        {
            assert_eq!(depth_of_json(json.as_bytes()), depth, "{json}");
        }
    }

    #[test]
    fn a_size_is_that_of_the_text_in_json() {
        for text in ["", "plain", "\u{1}\"\\\n", "größer"] {
            assert_eq!(of(&text), serde_json::to_vec(text).expect("a text").len(), "{text:?}");
        }
    }
}
