//! Lines of shell with hostile values in them, run by real shells: what comes out is the value, and nothing else
//! happens. Never: another promise than that.

use std::collections::BTreeMap;
use std::process::Stdio;

use serde_json::{Value, json};
use windlass_core::template::{Scope, TaskSeen, Template};

/// What a template sees: inputs and nothing else.
pub(crate) struct One(pub(crate) BTreeMap<String, Value>);

impl Scope for One {
    fn input(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }
    fn inputs(&self) -> &BTreeMap<String, Value> {
        &self.0
    }
    fn task(&self, _: &str) -> Option<TaskSeen<'_>> {
        None
    }
    fn plan_dir(&self) -> &'static str {
        "/"
    }
    fn run_id(&self) -> &'static str {
        "abc234"
    }
}

/// Lines in which `@` is the value; each prints `<VALUE>`.
const LINES: [&str; 27] = [
    "printf '<%s>' @",
    "printf '<%s>' \"@\"",
    "printf '<%s>' '@'",
    "printf '<%s>' \"\"@''",
    "x=@; printf '<%s>' \"$x\"",
    "x=\"@\"\nprintf '<%s>' \"$x\"",
    "x='@' && printf '<%s>' \"$x\"",
    "printf '<%s>' \"$(printf '%s.' @)\" | sed '$s/\\.>$/>/'",
    "printf '<%s>' \"$(printf '%s.' \"@\")\" | sed '$s/\\.>$/>/'",
    "printf '<%s>' \"$(printf '%s.' '@')\" | sed '$s/\\.>$/>/'",
    "printf '<%s>' \"$(printf '%s.' \"$(printf '%s' \"@\")\")\" | sed '$s/\\.>$/>/'",
    "unset x; printf '<%s>' \"${x:-@}\"",
    "unset x; printf '<%s>' ${x:-@}",
    "printf '<%s>' \"${x-@}\"",
    "x=$(printf '%s.' @)\nx=${x#@}\nprintf '<%s>' \"${x%.}@\"",
    "x=$(printf '%s.' @)\nx=\"${x#@}\"\nprintf '<%s>' \"${x%.}@\"",
    "x=$(printf '.%s' @)\nx=\"${x%@}\"\nprintf '<%s>' \"${x%.}@\"",
    "printf '<%s>' \\\n@ # \\\n",
    "true # @\nprintf '<%s>' @",
    "(printf '<%s>' @)",
    "f() { printf '<%s>' \"$1\"; }; f @",
    "if true; then printf '<%s>' @; fi",
    "case @ in *) printf '<%s>' @ ;; esac",
    "printf '<'; cat <<END_OF_IT | sed '$s/$/>/'\n@\nEND_OF_IT\n",
    "printf '<'; cat <<'END_OF_IT' | sed '$s/$/>/'\n@\nEND_OF_IT\n",
    "{% if true %}printf '<%s>' \"{% endif %}@{% if true %}\"{% endif %}",
    "{% set c %}printf '<%s>' @{% endset %}{{ c | raw }}",
];

const VALUES: [&str; 26] = [
    "plain",
    "",
    " ",
    "two words",
    "it's",
    "\"",
    "\\",
    "\\\\",
    "a\\",
    "$(echo pwned)",
    "`echo pwned`",
    "$HOME",
    "${HOME}",
    "$",
    "a\nb",
    "; echo pwned",
    "&& echo pwned",
    "| cat",
    "> /dev/null",
    "*",
    "~",
    "#",
    "'; echo pwned; '",
    "\"; echo pwned; \"",
    "}",
    "-n ü €",
];

#[expect(clippy::disallowed_methods, reason = "a shell is what the test is about")]
pub(crate) fn run(shell: &str, line: &str) -> Option<Vec<u8>> {
    let mut command = std::process::Command::new(shell);
    let done = command
        .args(["-c", line])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .stdin(Stdio::null())
        .output()
        .ok()?;
    Some([done.stdout, done.stderr].concat())
}

#[test]
fn what_a_shell_gets_is_the_value_and_nothing_else() {
    assert!(run("sh", "true").is_some(), "there is a shell");
    for shell in ["sh", "bash"].into_iter().filter(|shell| run(shell, "true").is_some()) {
        for source in LINES {
            for value in VALUES {
                let scope = One(BTreeMap::from([("v".to_owned(), json!(value))]));
                let line = Template(source.replace('@', "{{ inputs.v }}")).render_shell(&scope);
                if line.is_err() && source.contains("\"${x") && value.contains('\'') {
                    continue;
                }
                let line = line.expect("it is safe there");
                let out = run(shell, &line).expect("it runs");
                let out = String::from_utf8_lossy(&out);
                // The shell takes line breaks at the end of what a command prints away.
                let in_document = source.contains("END_OF_IT");
                let expected =
                    if in_document && value.is_empty() { "<>\n".to_owned() } else { format!("<{value}>") };
                assert_eq!(out.trim_end(), expected.trim_end(), "{shell}: {line}");
            }
        }
    }
}
