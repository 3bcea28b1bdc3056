//! Numbers as they are written, held against what is kept of them: whole ones up to 64 bits, and doubles. Never: a number
//! that is rounded without a word.

/// The most digits with which programs write doubles: so many tell any two apart. Who writes more means a number that is
/// no double, also where they are those of one.
const DIGITS_MAX: usize = 17;

/// Whether a number reads back as it is written in JSON, YAML or TOML. A double may be written with more digits than
/// it needs, as `1.10` or, by programs that take no shorter one, `0.10000000000000001`.
pub fn is_kept(written: &str) -> bool {
    let is_whole = !written.contains(['.', 'e', 'E']);
    if is_whole {
        // A longer one would go on as a double, which is written in another way.
        return written.parse::<u64>().is_ok() || written.parse::<i64>().is_ok();
    }
    let Some((digits, place)) = decimal(written) else { return true };
    let Some(double) = written.parse::<f64>().ok().filter(|double| double.is_finite()) else { return false };
    if digits.len() > DIGITS_MAX || double == 0.0 {
        return false;
    }
    let own = format!("{:.*e}", digits.len() - 1, double.abs());
    decimal(&own) == Some((digits, place))
}

/// The digits of a number from its first to its last that is not zero, and the place of its point among them; none where
/// all are zero.
fn decimal(written: &str) -> Option<(String, i64)> {
    let unsigned = written.trim_start_matches(['+', '-']);
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = [whole, part].concat();
    let zeros = digits.len() - digits.trim_start_matches('0').len();
    let significant = digits.trim_matches('0');
    if significant.is_empty() {
        return None;
    }
    // What does not fit is far beyond the exponents that doubles have.
    let exponent: i64 = exponent.parse().unwrap_or(i64::MAX / 2);
    let before = i64::try_from(whole.len()).ok()?.saturating_sub(i64::try_from(zeros).ok()?);
    Some((significant.to_owned(), before.saturating_add(exponent)))
}

/// A number in a text of JSON that is not kept as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lossy {
    /// Where it stands, as a JSON pointer; empty where it is the whole.
    pub pointer: String,
    /// How it is written.
    pub written: String,
}

impl Lossy {
    /// Whether it stands in the part that a pointer names.
    pub fn is_in(&self, pointer: &str) -> bool {
        self.pointer.strip_prefix(pointer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// What is wrong with it, as the end of a sentence about what it stands in.
    pub fn in_words(&self) -> String {
        let place = if self.pointer.is_empty() { String::new() } else { format!(" at {}", self.pointer) };
        let mut letters = self.written.chars();
        let shown: String = letters.by_ref().take(LETTERS_MAX).collect();
        let more = if letters.next().is_some() { "…" } else { "" };
        format!("the number {shown}{more}{place}, which can't be kept exactly")
    }
}

/// How much of a number is told.
const LETTERS_MAX: usize = 60;
/// What to do about a number that is not kept.
pub const AS_TEXT: &str = "write it as a text, in quotes";

/// A list or an object that is being read, and where in it.
enum Around<'a> {
    Item(usize),
    /// The key as it is written, its quotes too; none before there is one.
    Key(Option<&'a str>),
}

/// The numbers of a text that are not kept as they are written. The text must be valid JSON.
pub fn lossy(json: &str) -> Vec<Lossy> {
    let bytes = json.as_bytes();
    let (mut around, mut found, mut at) = (Vec::new(), Vec::new(), 0);
    while let Some(byte) = bytes.get(at) {
        let mut end = at + 1;
        match byte {
            b'[' => around.push(Around::Item(0)),
            b'{' => around.push(Around::Key(None)),
            b']' | b'}' => drop(around.pop()),
            b',' => match around.last_mut() {
                Some(Around::Item(number)) => *number += 1,
                Some(Around::Key(key)) => *key = None,
                None => {}
            },
            b'"' => {
                end = end_of_text(bytes, at);
                if let Some(Around::Key(key @ None)) = around.last_mut() {
                    *key = json.get(at..end);
                }
            }
            b'-' | b'0'..=b'9' => {
                let is_part = |byte: &&u8| matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E' | b'0'..=b'9');
                end = at + bytes[at..].iter().take_while(is_part).count();
                let written = &json[at..end];
                if !is_kept(written) {
                    found.push(Lossy { pointer: pointer(&around), written: written.to_owned() });
                }
            }
            _ => {}
        }
        at = end;
    }
    found
}

/// The place behind a text that begins at one.
fn end_of_text(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(byte) = bytes.get(at) {
        at += if *byte == b'\\' { 2 } else { 1 };
        if *byte == b'"' {
            return at;
        }
    }
    bytes.len()
}

fn pointer(around: &[Around<'_>]) -> String {
    let step = |around: &Around<'_>| match around {
        Around::Item(number) => format!("/{number}"),
        Around::Key(key) => {
            let key: String = serde_json::from_str(key.unwrap_or("\"\"")).unwrap_or_default();
            format!("/{}", key.replace('~', "~0").replace('/', "~1"))
        }
    };
    around.iter().map(step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_kept_where_its_digits_are_those_of_what_is_kept() {
        for kept in [
            "0",
            "-0",
            "0.000",
            "0e999",
            "7",
            "18446744073709551615",
            "-9223372036854775808",
            "1.10",
            "1.5e3",
            "1E-7",
            "0.1",
            "0.10000000000000001",
            "0.66666666666666663",
            "0.50000000000000000000000000",
            "1e23",
            "85.71428571428571",
            "5e-324",
            "1.7976931348623157e308",
            ".5",
            "5.",
            "+1.5",
            "1e+5",
            "9007199254740993",
        ] {
            assert!(is_kept(kept), "{kept}");
        }
        for lost in [
            "12345678901234567890123",
            "100000000000000000000000",
            "18446744073709551616",
            "-9223372036854775809",
            "0.1234567890123456789",
            "1e400",
            "-1e400",
            "1e-400",
            "1e99999999999999999999",
            "9007199254740993.0",
            "1.00000000000000000001",
            "3.14159265358979323846",
            "0.1000000000000000055511151231257827",
            "0.1000000000000000055511151231257827021181583404541015625",
            "36893488147419103232.0",
        ] {
            assert!(!is_kept(lost), "{lost}");
        }
        assert!(!is_kept(&format!("1{}1", "0".repeat(5000))));
        assert!(is_kept(&format!("1.{}", "0".repeat(5000))));
    }

    #[test]
    fn what_is_lost_is_named_by_its_place() {
        let json = r#" {"a": [1, 0.1234567890123456789, {"b/\"c": 1e400}], "1e400": "1e400", "d": {"e": [], "f": 12345678901234567890123}} "#;
        let found: Vec<(String, String)> =
            lossy(json).into_iter().map(|lossy| (lossy.pointer, lossy.written)).collect();
        let expected = [
            ("/a/1", "0.1234567890123456789"),
            ("/a/2/b~1\"c", "1e400"),
            ("/d/f", "12345678901234567890123"),
        ];
        assert_eq!(found, expected.map(|(pointer, written)| (pointer.to_owned(), written.to_owned())));
        assert_eq!(lossy("[1, 2.5, \"x\", null, {}]"), []);
        let whole = &lossy("1e400")[0];
        assert_eq!(whole.in_words(), "the number 1e400, which can't be kept exactly");
        assert!(whole.is_in("") && !whole.is_in("/a"));
        let deep = Lossy { pointer: "/ab/c".into(), written: "1".into() };
        assert!(deep.is_in("/ab") && deep.is_in("/ab/c") && !deep.is_in("/a") && !deep.is_in("/ab/c/d"));
    }
}
