//! Secrets in clear text, by the names of their variables and by how known keys begin. Never: certainty; it warns.

use super::diagnostic::{Code, Findings};
use super::node::Node;

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
            && !["_FILE", "_PATH", "_URL", "_DIR", "_NAME", "_ENV"].iter().any(|end| name.ends_with(end))
            && !value.starts_with(['/', '.', '$', '~']);
        let by_value = value.len() >= 16 && BEGINNINGS.iter().any(|beginning| value.starts_with(beginning));
        if by_name || by_value {
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
