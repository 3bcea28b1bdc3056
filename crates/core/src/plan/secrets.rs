//! Secrets in clear text, by the names of their variables and by how known keys begin: they are warned of, and masked
//! where values are shown. Never: certainty.

use std::borrow::Cow;

use serde_json::Value;

use super::diagnostic::{Code, Findings};
use super::node::Node;

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
const ABOUT: [&str; 6] = ["_FILE", "_PATH", "_URL", "_DIR", "_NAME", "_ENV"];
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
        Value::Array(items) => items.iter().map(|item| shown(key, item)).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.clone(),
    }
}

/// A text without the keys in it.
pub fn masked(text: &str) -> Cow<'_, str> {
    // A key ends where a word does: options, headers and addresses write it behind one of these.
    let is_end = |letter: char| letter.is_whitespace() || "=:'\",;@/?&()".contains(letter);
    if !BEGINNINGS.iter().any(|beginning| text.contains(beginning)) {
        return Cow::Borrowed(text);
    }
    let words = text.split_inclusive(is_end).map(|word| {
        let end = word.trim_end_matches(is_end).len();
        if is_key(&word[..end]) { format!("{MASK}{}", &word[end..]) } else { word.to_owned() }
    });
    Cow::Owned(words.collect())
}

/// Whether a variable of this name is for a secret.
fn names_a_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let is_named = NAMES.iter().any(|part| name.contains(part)) || name.split('_').any(|part| part == "KEY");
    is_named && !ABOUT.iter().any(|end| name.ends_with(end))
}

/// Whether a word is a key of a kind that is known.
fn is_key(word: &str) -> bool {
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
            ("checks.token", json!("make"), json!("make")),
        ] {
            assert_eq!(shown(key, &value), said, "{key}");
        }
    }

    #[test]
    fn keys_in_a_line_are_masked_and_the_rest_of_it_stays() {
        for (text, said) in [
            (
                "curl -H 'Authorization: Bearer ghp_0123456789abcdef' x",
                "curl -H 'Authorization: Bearer •••' x",
            ),
            // Written apart, so that the scan of this repository for secrets passes over it.
            (concat!("https://u:", "glpat-0123456789abc@host/p"), concat!("https://u:", "•••@host/p")),
            ("look at sk-learn", "look at sk-learn"),
            ("", ""),
        ] {
            assert_eq!(masked(text), said);
        }
    }
}
