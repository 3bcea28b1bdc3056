//! Numbers as they are written, held against what is kept of them: whole ones up to 64 bits, and doubles. Never: a number
//! that is rounded without a word, nor more than one place in words: a text may be long, and its numbers many.

use std::borrow::Cow;
use std::collections::BTreeMap;

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

/// A number in a text of JSON that is not kept as it is written. It is made for the one that is told: a text may have
/// more of them than there is room for the places of all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lossy {
    /// Where it stands, as a JSON pointer; empty where it is the whole.
    pub pointer: String,
    /// How it is written.
    pub written: String,
}

impl Lossy {
    /// What is wrong with it, as the end of a sentence about what it stands in.
    pub fn in_words(&self) -> String {
        let place = match self.pointer.as_str() {
            "" => String::new(),
            pointer => format!(" at {}", beginning(pointer, PLACE_LETTERS_MAX)),
        };
        let shown = beginning(&self.written, LETTERS_MAX);
        format!("the number {shown}{place}, which can't be kept exactly")
    }
}

fn beginning(text: &str, letters: usize) -> String {
    match text.char_indices().nth(letters) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// How much of the place of a number is told.
const PLACE_LETTERS_MAX: usize = 240;
/// How much of a number is told.
const LETTERS_MAX: usize = 60;
/// What to do about a number that is not kept.
pub const AS_TEXT: &str = "write it as a text, in quotes";

/// Where one stands in a list or an object.
enum Step<'a> {
    Item(usize),
    /// The key as it is written, its quotes too; none before there is one.
    Key(Option<&'a str>),
}

impl Step<'_> {
    fn name(&self) -> String {
        match self {
            Self::Item(number) => number.to_string(),
            Self::Key(key) => serde_json::from_str(key.unwrap_or("\"\"")).unwrap_or_default(),
        }
    }
}

/// A list or an object that is being read, and where in it.
struct Around<'a> {
    step: Step<'a>,
    /// What is wanted of the whole, and of what stands at the step.
    of_all: Part,
    of_step: Part,
}

/// How much is wanted of what stands at a place.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Nothing,
    Everything,
    /// What the names of this branch lead to.
    Branch(usize),
}

/// The parts of a value that are asked about, by the names that lead to them: a long name is held against them once, and
/// not again for each number behind it.
struct Wanted<'p> {
    /// By its names, where the branch goes on; none where a part is named.
    branches: Vec<BTreeMap<Cow<'p, str>, Option<usize>>>,
    whole: Part,
}

impl<'p> Wanted<'p> {
    fn new(pointers: impl IntoIterator<Item = &'p str>) -> Self {
        let mut wanted = Self { branches: vec![BTreeMap::new()], whole: Part::Branch(0) };
        pointers.into_iter().for_each(|pointer| wanted.add(pointer));
        wanted
    }

    fn add(&mut self, pointer: &'p str) {
        let Some(names) = pointer.strip_prefix('/') else {
            if pointer.is_empty() {
                self.whole = Part::Everything;
            }
            return;
        };
        let (mut branch, mut names) = (0, names.split('/').peekable());
        while let Some(name) = names.next() {
            let (is_last, next) = (names.peek().is_none(), self.branches.len());
            let on = self.branches[branch].entry(unescaped(name)).or_insert(Some(next));
            if is_last {
                *on = None;
            }
            // Who names less than another wants all that the other does.
            let Some(on) = *on else { return };
            branch = on;
            if on == next {
                self.branches.push(BTreeMap::new());
            }
        }
    }

    fn of(&self, all: Part, step: &Step<'_>) -> Part {
        let Part::Branch(branch) = all else { return all };
        match self.branches[branch].get(step.name().as_str()) {
            None => Part::Nothing,
            Some(None) => Part::Everything,
            Some(Some(on)) => Part::Branch(*on),
        }
    }
}

fn unescaped(name: &str) -> Cow<'_, str> {
    if name.contains('~') { name.replace("~1", "/").replace("~0", "~").into() } else { name.into() }
}

/// The first number of a text that is not kept as it is written. The text must be valid JSON.
pub fn first_lossy(json: &str) -> Option<Lossy> {
    first_lossy_in(json, [""])
}

/// The same, of those that stand in the parts that JSON pointers name.
pub fn first_lossy_in<'p>(json: &str, pointers: impl IntoIterator<Item = &'p str>) -> Option<Lossy> {
    let (bytes, wanted) = (json.as_bytes(), Wanted::new(pointers));
    let (mut around, mut at): (Vec<Around<'_>>, _) = (Vec::new(), 0);
    while let Some(byte) = bytes.get(at) {
        let mut end = at + 1;
        let part = around.last().map_or(wanted.whole, |around| around.of_step);
        match byte {
            b'[' => {
                let step = Step::Item(0);
                around.push(Around { of_step: wanted.of(part, &step), of_all: part, step });
            }
            b'{' => around.push(Around { of_step: Part::Nothing, of_all: part, step: Step::Key(None) }),
            b']' | b'}' => drop(around.pop()),
            b',' => {
                if let Some(Around { step, of_all, of_step }) = around.last_mut() {
                    *step = match step {
                        Step::Item(number) => Step::Item(*number + 1),
                        Step::Key(_) => Step::Key(None),
                    };
                    if matches!(step, Step::Item(_)) {
                        *of_step = wanted.of(*of_all, step);
                    }
                }
            }
            b'"' => {
                end = end_of_text(bytes, at);
                if let Some(Around { step: step @ Step::Key(None), of_all, of_step }) = around.last_mut() {
                    *step = Step::Key(json.get(at..end));
                    *of_step = wanted.of(*of_all, step);
                }
            }
            b'-' | b'0'..=b'9' => {
                let is_part = |byte: &&u8| matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E' | b'0'..=b'9');
                end = at + bytes[at..].iter().take_while(is_part).count();
                let written = &json[at..end];
                if part == Part::Everything && !is_kept(written) {
                    return Some(Lossy { pointer: pointer(&around), written: written.to_owned() });
                }
            }
            _ => {}
        }
        at = end;
    }
    None
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
    let name = |around: &Around<'_>| format!("/{}", around.step.name().replace('~', "~0").replace('/', "~1"));
    around.iter().map(name).collect()
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

    fn found(json: &str, pointers: &[&str]) -> Option<(String, String)> {
        let found = first_lossy_in(json, pointers.iter().copied());
        found.map(|lossy| (lossy.pointer, lossy.written))
    }

    #[test]
    fn what_is_lost_is_named_by_its_place() {
        let json = r#" {"a": [1, 0.1234567890123456789, {"b/\"c~": 1e400}], "1e400": "1e400",
            "d": {"e": [], "f": 12345678901234567890123}} "#;
        let (first, second, third) = (
            ("/a/1", "0.1234567890123456789"),
            ("/a/2/b~1\"c~0", "1e400"),
            ("/d/f", "12345678901234567890123"),
        );
        for (pointers, told) in [
            (&[""][..], Some(first)),
            (&["/a"], Some(first)),
            (&["/d", "/a/1"], Some(first)),
            (&["/a/2"], Some(second)),
            (&["/a/2/b~1\"c~0"], Some(second)),
            (&["/d/f", "/a/2/x"], Some(third)),
            (&["/d/f/g", "/d"], Some(third)),
            (&["/d", "/d/f/g"], Some(third)),
            (&["/d/f/g", "/a/0", "/d/e", "/a/01", "/1e400", "/", "a", "/b"], None),
            (&[], None),
        ] {
            let told = told.map(|(pointer, written)| (pointer.to_owned(), written.to_owned()));
            assert_eq!(found(json, pointers), told, "{pointers:?}");
        }
        assert_eq!(first_lossy(json), first_lossy_in(json, [""]));
        assert_eq!(first_lossy("[1, 2.5, \"x\", null, {}]"), None);
        let whole = first_lossy("1e400").expect("no double is so large");
        assert_eq!(whole.in_words(), "the number 1e400, which can't be kept exactly");
        assert_eq!((found("1e400", &["/a"]), found("{\"\": 1e400}", &["/"]).is_some()), (None, true));
    }

    #[test]
    fn of_a_long_place_the_beginning_is_told() {
        let json = format!("{{\"{}\": 1e400}}", "k".repeat(100_000));
        let told = first_lossy(&json).expect("no double is so large").in_words();
        assert_eq!(told, format!("the number 1e400 at /{}…, which can't be kept exactly", "k".repeat(239)));
    }
}
