//! Secrets in clear text, by the names of their variables and by how known keys begin: they are warned of, and masked
//! where values and lines of files are shown. Never: certainty.

use std::borrow::Cow;
use std::ops::Range;

use serde_json::Value;

use super::diagnostic::{Code, Findings};
use super::node::Node;
use super::secret_text::{self, Kind};

/// What is shown in the place of a secret.
pub const MASK: &str = "•••";

const NAMES: [&str; 11] = [
    "TOKEN",
    "SECRET",
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "API_KEY",
    "APIKEY",
    "ACCESS_KEY",
    "PRIVATE_KEY",
    "CREDENTIAL",
    "AUTH_KEY",
];

const BEGINNINGS: [&str; 18] = [
    "sk-",
    "sk_live_",
    "rk_live_",
    "ghp_",
    "gho_",
    "ghs_",
    "ghu_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "xoxp-",
    "xapp-",
    "AKIA",
    "AIza",
    "hf_",
    "npm_",
    "pypi-",
    "-----BEGIN",
];

/// What a variable is named for that says where a secret is, or of whom, and holds none.
const ABOUT: [&str; 7] = ["_FILE", "_PATH", "_URL", "_DIR", "_NAME", "_ENV", "_STDIN"];
/// How much of a file is looked through for secrets.
const LOOKED_BYTES_MAX: usize = 512 * 1024;
/// How short a value is that is no key.
const KEY_BYTES_MIN: usize = 16;

/// Warns of secrets in a map of variables.
pub(super) fn warn(env: Option<&Node<'_>>, findings: &mut Findings) {
    for entry in env.map(Node::entries).unwrap_or_default() {
        let Some(value) = entry.value.text() else { continue };
        if value.contains("{{") || value.is_empty() {
            continue;
        }
        let name = entry.key.to_ascii_uppercase();
        let by_name = value.len() >= 6
            && NAMES.iter().any(|part| name.contains(part))
            && !ABOUT.iter().any(|end| name.ends_with(end))
            && !value.starts_with(['/', '.', '$', '~']);
        if by_name || is_key(value) {
            let hint = format!(
                "set {} where windlass is called, and let it through with `pass: [{}]`",
                entry.key, entry.key
            );
            findings.warning(
                Code::ClearSecret,
                entry.value.at,
                format!("`{}` looks like a secret in clear text", entry.key),
                Some(hint),
            );
        }
    }
}

/// A setting as it may be shown: what stands under the name of a secret, and what looks like a key, is masked. It is
/// masked rather than warned of: a value too many costs less than one too few.
pub fn shown(key: &str, value: &Value) -> Value {
    let variable = key.split_once(".env.").or_else(|| key.split_once("defaults.env."));
    let is_secret = variable.is_some_and(|(_, name)| names_a_secret(name));
    match value {
        Value::String(text) if is_secret && !text.contains("{{") => MASK.into(),
        Value::String(text) => masked(text).into_owned().into(),
        Value::Bool(_) | Value::Number(_) if is_secret => MASK.into(),
        Value::Array(items) => list(key, items),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| (name.clone(), shown(&format!("{key}.{name}"), value)))
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

/// A list, in which an option and what is given to it stand beside each other.
fn list(key: &str, items: &[Value]) -> Value {
    let before = std::iter::once("").chain(items.iter().map(|item| item.as_str().unwrap_or_default()));
    let one = |(item, before): (&Value, &str)| {
        let text = item.as_str().unwrap_or_default();
        let is_option = before.starts_with("--") && !before.contains(char::is_whitespace) && !text.is_empty();
        let is_given = is_option && masked(&format!("{before} {text}")).ends_with(MASK);
        if is_given { MASK.into() } else { shown(key, item) }
    };
    items.iter().zip(before).map(one).collect()
}

/// A text without what looks like a secret in it.
pub fn masked(text: &str) -> Cow<'_, str> {
    without(text, Kind::Source)
}

/// The same for a sentence about something.
pub fn masked_message(text: &str) -> Cow<'_, str> {
    without(text, Kind::Message)
}

fn without(text: &str, kind: Kind) -> Cow<'_, str> {
    let found = secret_text::found(text, 0..text.len(), kind);
    if found.is_empty() {
        return Cow::Borrowed(text);
    }
    let (mut masked, mut at) = (String::with_capacity(text.len()), 0);
    for secret in found {
        masked.extend([&text[at..secret.start], MASK]);
        at = secret.end;
    }
    Cow::Owned(masked + &text[at..])
}

/// The text of a file in which what looks like a secret is covered, each place where it was: in the places of it that are
/// shown. A file may be long, and made to cost time: what stands too far down in it to be looked at is covered whole.
pub fn covered(text: &str, shown: &[Range<usize>]) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let (mut left, mut looked_until) = (LOOKED_BYTES_MAX, text.len());
    for within in secret_text::around(text, shown) {
        let end = text.floor_char_boundary(within.end.min(within.start + left));
        left -= end.saturating_sub(within.start);
        for secret in secret_text::found(text, within.start..end.max(within.start), Kind::Source) {
            cover(&mut bytes[secret]);
        }
        if end < within.end {
            looked_until = end;
            break;
        }
    }
    for place in shown.iter().filter(|place| place.end > looked_until) {
        cover(&mut bytes[place.clone()]);
    }
    String::from_utf8(bytes).expect("whole letters are covered")
}

/// Covers a secret, without a change of its length in bytes.
pub fn cover(secret: &mut [u8]) {
    secret.iter_mut().filter(|byte| !byte.is_ascii_whitespace()).for_each(|byte| *byte = b'*');
}

/// Whether a variable of this name is for a secret.
pub(super) fn names_a_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let is_secret = is_named(&name) || name.split('_').any(|part| part == "KEY");
    is_secret && !ABOUT.iter().any(|end| name.ends_with(end))
}

/// Whether a name in capitals has a word in it that stands for secrets.
pub(super) fn is_named(name: &str) -> bool {
    NAMES.iter().any(|part| name.contains(part))
}

/// Whether a word is a key of a kind that is known.
pub(super) fn is_key(word: &str) -> bool {
    word.len() >= KEY_BYTES_MIN && BEGINNINGS.iter().any(|beginning| word.starts_with(beginning))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn settings_are_shown_without_what_their_names_or_beginnings_give_away() {
        for (key, value, said) in [
            ("agents.a.env.MY_TOKEN", json!("abc"), json!(MASK)),
            ("agents.a.env.SIGNING_KEY", json!(17), json!(MASK)),
            ("defaults.env.db_password", json!("hunter2"), json!(MASK)),
            ("defaults.env.TOKEN_FILE", json!("/run/token"), json!("/run/token")),
            ("defaults.env.TOKEN", json!("{{ inputs.token }}"), json!("{{ inputs.token }}")),
            ("agents.a.env.KEYBOARD", json!("de"), json!("de")),
            ("agents.a.args", json!(["--key=sk-0123456789abcdef", "-v"]), json!(["--key=•••", "-v"])),
            ("agents.a.args", json!(["--password", "hunter2", "-v"]), json!(["--password", "•••", "-v"])),
            ("agents.a.env", json!({ "MY_TOKEN": "abc", "B": "c" }), json!({ "MY_TOKEN": MASK, "B": "c" })),
            ("checks.token", json!("make"), json!("make")),
        ] {
            assert_eq!(shown(key, &value), said, "{key}");
        }
    }

    #[test]
    fn secrets_in_a_line_are_masked_and_the_rest_of_it_stays() {
        for (text, said) in [
            (
                "curl -H 'Authorization: Bearer ghp_0123456789abcdef' x",
                "curl -H 'Authorization: Bearer •••' x",
            ),
            // Written apart, so that the scan of this repository for secrets passes over it.
            (concat!("https://u:", "glpat-0123456789abc@host/p"), concat!("https://u:", "•••@host/p")),
            (
                concat!("git clone https://u:", "hunter2@host/p x"),
                concat!("git clone https://u:", "•••@host/p x"),
            ),
            (concat!("https://u:", "a:b@c@host"), concat!("https://u:", "•••@host")),
            (
                concat!("https://u:", "$PASS@host ssh://git@host:22/p@q"),
                concat!("https://u:", "$PASS@host ssh://git@host:22/p@q"),
            ),
            ("API_TOKEN=hunter2 ./x --api-key=hunter2 -v", "API_TOKEN=••• ./x --api-key=••• -v"),
            ("./x --password hunter2 --token-file t", "./x --password ••• --token-file t"),
            ("export TOKEN=\"two words\" && x", "export TOKEN=\"•••\" && x"),
            ("curl -H 'X-Auth-Token: abc def' x", "curl -H 'X-Auth-Token: •••' x"),
            ("curl -H \"Authorization: Bearer $TOKEN\" x", "curl -H \"Authorization: Bearer $TOKEN\" x"),
            ("TOKEN=$(cat t) PASSWORD=$P SECRET=/run/s x", "TOKEN=$(cat t) PASSWORD=$P SECRET=/run/s x"),
            (
                "x --max-tokens=100 --tokenizer=y --sort-key=name key=1",
                "x --max-tokens=100 --tokenizer=y --sort-key=name key=1",
            ),
            ("[ \"$TOKEN\" == abc ] || x", "[ \"$TOKEN\" == abc ] || x"),
            ("look at sk-learn", "look at sk-learn"),
            ("", ""),
        ] {
            assert_eq!(masked(text), said);
        }
    }

    #[test]
    fn what_stands_under_the_name_of_a_secret_is_covered_in_files_of_each_format() {
        for (text, said) in [
            ("env: { MY_TOKEN: hunter2, B: 1 ]", "env: { MY_TOKEN: *******, B: 1 ]"),
            ("MY_TOKEN: two words # why\nb: 1", "MY_TOKEN: *** ***** # why\nb: 1"),
            ("MY_TOKEN: 'it''s' \nb: 1", "MY_TOKEN: '*****' \nb: 1"),
            ("a:\n  MY_TOKEN: |\n    one\n    two\n  b: 1", "a:\n  MY_TOKEN: |\n    ***\n    ***\n  b: 1"),
            ("a:\n  MY_TOKEN:\n    one\n  b: 1", "a:\n  MY_TOKEN:\n    ***\n  b: 1"),
            ("a:\n  MY_TOKEN: \"one\n    two\n  b: 1", "a:\n  MY_TOKEN: \"***\n    ***\n  b: 1"),
            (r#"{"my_token": "hun\"ter2", "b": 1}"#, r#"{"my_token": "*********", "b": 1}"#),
            ("API_KEY = 'hunter2'\nb = 1", "API_KEY = '*******'\nb = 1"),
            ("API_KEY = \"\"\"\none\n\"\"\"\nb = 1", "API_KEY = \"\"\"\n***\n\"\"\"\nb = 1"),
            ("agents.a.env.API_KEY = 'x'", "agents.a.env.API_KEY = '*'"),
            ("T_TOKEN: a{{ inputs.b }}c", "T_TOKEN: *{{ inputs.b }}*"),
            ("T_TOKEN: '{{ inputs.b }}'", "T_TOKEN: '{{ inputs.b }}'"),
            ("run: \"TOKEN=\\\"abc\\\" x\"", "run: \"TOKEN=\\\"***\\\" x\""),
            ("args: [\"--password\", \"hunter2\", x]", "args: [\"--password\", \"*******\", x]"),
            ("args:\n  - --password\n  - hunter2\n", "args:\n  - --password\n  - *******\n"),
            (
                "budget: { tokens: 2000x }\nsecrets: [A_TOKEN]",
                "budget: { tokens: 2000x }\nsecrets: [A_TOKEN]",
            ),
            ("token: { run: x }\npassword:\n  run: x", "token: { run: x }\npassword:\n  run: x"),
            (
                "api_token: { type: string }\npass: [API_TOKEN]",
                "api_token: { type: string }\npass: [API_TOKEN]",
            ),
            ("password: ключ", "password: ********"),
        ] {
            assert_eq!(all_covered(text), said);
            assert_eq!(all_covered(text).len(), text.len());
        }
        let key =
            ["-----BEGIN RSA ", "PRIVATE KEY-----\nabc\ndef\n-----END RSA PRIVATE KEY-----\nb"].concat();
        assert!(all_covered(&key).contains("-----\n***\n***\n-----END"), "{}", all_covered(&key));
    }

    fn all_covered(text: &str) -> String {
        covered(text, std::slice::from_ref(&(0..text.len())))
    }

    #[test]
    fn a_secret_ends_no_sooner_for_another_name_that_stands_in_it() {
        for (text, said) in [
            ("TOKEN=TOKEN=TOKEN=abc x", "TOKEN=*************** x"),
            ("A_TOKEN=B_TOKEN=\"two words\" x", "A_TOKEN=********\"*** *****\" x"),
            ("A_TOKEN=B_TOKEN: two\nx", "A_TOKEN=******** ***\nx"),
            ("TOKEN: a{{ inputs.b ~ 'TOKEN=abc' }}c", "TOKEN: *{{ inputs.b ~ 'TOKEN=***' }}*"),
            ("TOKEN: |\n  PASSWORD=a\n  b\nc: d", "TOKEN: |\n  **********\n  *\nc: d"),
        ] {
            assert_eq!(all_covered(text), said);
        }
    }

    #[test]
    fn secrets_are_covered_where_something_is_shown_however_far_above_their_names_stand() {
        let filling = "x: y é\n".repeat(10_000);
        let secret = format!("a:\n  MY_TOKEN: |\n{}    é last\n", "    line\n".repeat(1000));
        let text = format!("{filling}{secret}{filling}B_TOKEN: far");
        let at = text.find("é last").expect("it is there");
        let shown = covered(&text, &[at..at + "é last".len(), 10..20]);
        assert_eq!(shown.len(), text.len());
        assert_eq!(&shown[at..at + 7], "** ****");
        assert!(shown.starts_with(&filling) && shown.ends_with("far"), "nobody looks there");
    }

    #[test]
    fn what_is_shown_is_covered_whole_where_so_much_is_shown_that_not_all_is_looked_through() {
        let text = format!("first: 1\n{}last: 2", "a: b\n".repeat(500_000));
        let (first, middle, last) = (0..8, 9..text.len() - 7, text.len() - 7..text.len());
        let shown = covered(&text, &[first.clone(), middle, last.clone()]);
        assert_eq!((&shown[first.clone()], &shown[last.clone()]), ("first: 1", "***** *"));
        assert!(!shown[9..text.len() - 7].contains(':'), "it goes on too far");
        assert_eq!(covered(&text, &[first, last]), text, "there is no secret in either");
    }

    #[test]
    fn a_sentence_keeps_what_it_says_of_a_name() {
        for (text, said) in [
            ("`api_token`: must be a number", "`api_token`: must be a number"),
            ("`API_TOKEN`: `hunter2` is no list", "`API_TOKEN`: `•••` is no list"),
            (
                concat!("X is `https://u:", "hunter2@host`, no size"),
                concat!("X is `https://u:", "•••@host`, no size"),
            ),
        ] {
            assert_eq!(masked_message(text), said);
        }
    }
}
