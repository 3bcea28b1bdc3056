//! Files that nobody means well with, in all formats of plans: what fills a file, again and again.
//! Never: anything random; the same file comes out each time.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;

/// A file: what it begins with, what is repeated by number until it is full, and what it ends with.
#[derive(Clone, Copy)]
pub(crate) struct Hostile {
    /// What it is, in a few words.
    pub(crate) name: &'static str,
    /// The end of its name: `yaml`, `json` or `toml`.
    pub(crate) format: &'static str,
    head: &'static str,
    piece: fn(usize) -> String,
    tail: &'static str,
}

impl Hostile {
    /// Writes so many bytes of it at most, piece by piece: what measures must not be larger than what is measured.
    pub(crate) fn write(&self, path: &Path, bytes: usize) -> io::Result<()> {
        let mut file = BufWriter::new(File::create(path)?);
        file.write_all(self.head.as_bytes())?;
        let mut written = self.head.len() + self.tail.len();
        for number in 0.. {
            let piece = (self.piece)(number);
            written += piece.len();
            if written > bytes {
                break;
            }
            file.write_all(piece.as_bytes())?;
        }
        file.write_all(self.tail.as_bytes())?;
        file.flush()
    }
}

const fn yaml(name: &'static str, head: &'static str, piece: fn(usize) -> String) -> Hostile {
    Hostile { name, format: "yaml", head, piece, tail: "" }
}

const fn closed(hostile: Hostile, tail: &'static str) -> Hostile {
    Hostile { tail, ..hostile }
}

const fn of(format: &'static str, hostile: Hostile) -> Hostile {
    Hostile { format, ..hostile }
}

/// A plan whose tasks may be many.
const TASKS: &str = "limits: { tasks: 1000000, fan_out: 1000000 }\ntasks:\n";

/// What has no structure, or too much of it.
const SHAPES: &[Hostile] = &[
    yaml("a sequence", "", |_| "- a\n".to_owned()),
    yaml("a sequence in brackets", "[", |_| "a,".to_owned()),
    yaml("nested sequences, unclosed", "", |_| "[".to_owned()),
    yaml("nested sequences, 60 deep", "", |_| format!("- {}{}\n", "[".repeat(60), "]".repeat(60))),
    yaml("maps in a line", "", |number| format!("- {{ a: {number}, b: [1, 2], c: x }}\n")),
    yaml("a text of many lines", "tasks: { a: { run: x } }\ngoal: |\n", |_| "  word word\n".to_owned()),
    closed(
        yaml("a text with escapes", "tasks: { a: { run: x } }\ngoal: \"", |_| "\\u00e9\\n".to_owned()),
        "\"\n",
    ),
    yaml("quotes that are not closed", "tasks: { a: { run: x } }\ngoal: \"", |_| "word\n".to_owned()),
    yaml("comments", "tasks: { a: { run: x } }\n", |_| "# c\n".to_owned()),
    yaml("empty lines", "tasks: { a: { run: x } }\n", |_| "\n".to_owned()),
    closed(
        yaml("a control character at the end", "tasks: { a: { run: x } }\n", |_| "# c\n".to_owned()),
        "\u{1}\n",
    ),
    yaml("anchors", "", |number| format!("- &a{number} x\n")),
    yaml("aliases", "- &a { run: x }\n", |_| "- *a\n".to_owned()),
    yaml("aliases of aliases", "- &a0 [x, x, x, x, x, x, x, x, x]\n", |number| {
        format!("- &a{} [{}]\n", number + 1, vec![format!("*a{number}"); 9].join(", "))
    }),
    yaml("merged maps", "a: &a { b: 1, c: 2 }\n", |number| format!("k{number}: {{ <<: *a, d: 3 }}\n")),
];

/// What is a map, and has what no plan has.
const KEYS: &[Hostile] = &[
    yaml("unknown keys", "", |number| format!("k{number}: 1\n")),
    yaml("unknown keys, long", "", |number| format!("{number}{}: 1\n", "k".repeat(1000))),
    yaml("duplicates", "", |_| "a: 1\n".to_owned()),
    yaml("duplicates of many keys", "", |number| format!("k{}: 1\n", number % 400_000)),
    yaml("unknown keys of tasks", TASKS, |number| format!("  t{number}: {{ rum: x, neds: [a] }}\n")),
    yaml("names that can't be", TASKS, |number| format!("  {number}-: {{ run: x }}\n")),
    yaml("tasks that are no maps", TASKS, |number| format!("  t{number}: [x]\n")),
    yaml("tasks that do nothing", TASKS, |number| format!("  t{number}: {{}}\n")),
    yaml("wrong types", TASKS, |number| format!("  t{number}: {{ run: x, retry: 3, timeout: 5 }}\n")),
    yaml("what is not built", TASKS, |number| {
        format!("  t{number}: {{ run: x, gates: [{{ tests: {{ run: x }} }}] }}\n")
    }),
    yaml("secrets", "tasks:\n  a:\n    run: x\n    env:\n", |number| {
        format!("      TOKEN{number}: abcdefgh\n")
    }),
    yaml("names of secrets in a line, unclosed", "tasks: { a: { run: \"", |_| "TOKEN=".to_owned()),
    yaml("names of secrets in brackets, unclosed", "tasks: { a: { env: {", |_| "TOKEN: abc, ".to_owned()),
    yaml("names of variables", "tasks:\n  a:\n    run: x\n    env:\n", |number| {
        format!("      {number}: abc\n")
    }),
    yaml(
        "a bad schema",
        "tasks:\n  a:\n    run: x\n    output:\n      schema:\n        properties:\n",
        |number| format!("          k{number}: {{ type: objekt }}\n"),
    ),
];

/// Plans of many tasks.
const PLANS: &[Hostile] = &[
    yaml("too many tasks", "tasks:\n", |number| format!("  t{number}: {{ run: x }}\n")),
    yaml("tasks, 100 bytes each", TASKS, |number| {
        format!("  t{number}: {{ run: \"{}\" }}\n", "x".repeat(80))
    }),
    yaml("tasks with anchors", TASKS, |number| {
        format!(
            "  t{number}: &t{number} {{ run: \"{}\", env: {{ A: b, C: d }}, retry: {{ max_attempts: 3 }} }}\n",
            "x".repeat(40)
        )
    }),
    yaml("a chain", TASKS, |number| {
        format!(
            "  t{number}: {{ needs: [{}], run: \"{}\" }}\n",
            number.checked_sub(1).map_or(String::new(), |before| format!("t{before}")),
            "x".repeat(60)
        )
    }),
    yaml("needs that are not there", TASKS, |number| {
        format!("  t{number}: {{ needs: [u{number}], run: x }}\n")
    }),
    yaml("circles of two", TASKS, |number| format!("  t{number}: {{ needs: [t{}], run: x }}\n", number ^ 1)),
    yaml("needs of all before", TASKS, |number| {
        let needs: Vec<String> = (0..number).map(|need| format!("t{need}")).collect();
        format!("  t{number}: {{ needs: [{}], run: x }}\n", needs.join(", "))
    }),
    yaml(
        "items of a list",
        "limits: { fan_out: 1000000 }\ntasks:\n  a:\n    run: x\n    for_each:\n",
        |number| format!("      - item {number}\n"),
    ),
];

/// A task that needs many, in a plan of many.
const NEEDED: usize = 100_000;

/// A plan that has it: each piece is a task, a need of one, or a variable that refers to the last of them.
fn needed(number: usize) -> String {
    let last = NEEDED - 1;
    match number {
        number if number < NEEDED => format!("  t{number}: {{ run: x }}\n"),
        NEEDED => "  z:\n    run: x\n    needs:\n".to_owned(),
        number if number <= 2 * NEEDED => format!("      - t{}\n", number - NEEDED - 1),
        number if number == 2 * NEEDED + 1 => "    env:\n".to_owned(),
        number => format!("      A{number}: \"{{{{ tasks.t{last}.output }}}}\"\n"),
    }
}

/// Templates.
const TEMPLATES: &[Hostile] = &[
    yaml("tasks with templates", TASKS, |number| {
        format!(
            "  t{number}: {{ needs: [{}], run: \"x {{{{ tasks.t{}.output.a.b }}}}\" }}\n",
            if number > 0 { "t0" } else { "" },
            usize::from(number == 0)
        )
    }),
    yaml("references without needs", TASKS, |number| {
        format!("  t{number}: {{ run: \"x {{{{ tasks.t0.output }}}}\" }}\n")
    }),
    yaml("references to nothing", TASKS, |number| {
        format!("  t{number}: {{ run: \"{{{{ tasks.u{number}.output }}}}\" }}\n")
    }),
    yaml("references of one to the last of many needs", TASKS, needed),
    yaml("templates that can't be read", TASKS, |number| format!("  t{number}: {{ run: \"{{{{ a b\" }}\n")),
    closed(
        yaml("a template of many parts", "tasks: { a: { prompt: \"", |_| "{{ nope }} ".to_owned()),
        "\" } }\n",
    ),
    closed(
        yaml("a template of many good parts", "tasks: { a: { run: [\"", |_| "{{ attempt }} ".to_owned()),
        "\"] } }\n",
    ),
    closed(yaml("a template that is deep", "tasks: { a: { run: [\"{{ ", |_| "(".to_owned()), " }}\"] } }\n"),
    closed(
        yaml("a line of shell", "tasks: { a: { run: \"", |_| "'$(echo {{ attempt }})' ".to_owned()),
        "\" } }\n",
    ),
];

/// The other formats.
const OTHERS: &[Hostile] = &[
    closed(of("json", yaml("a list", "[0", |_| ",1".to_owned())), "]"),
    of("json", yaml("nested lists, unclosed", "", |_| "[".to_owned())),
    closed(of("json", yaml("unknown keys", "{\"a\":1", |number| format!(",\"k{number}\":1"))), "}"),
    closed(of("json", yaml("duplicates", "{\"a\":1", |_| ",\"a\":1".to_owned())), "}"),
    closed(of("json", yaml("a text with escapes", "{\"goal\":\"", |_| "\\u00e9\\n".to_owned())), "\"}"),
    closed(of("toml", yaml("a list", "a = [0", |_| ",1".to_owned())), "]"),
    of("toml", yaml("unknown keys", "", |number| format!("k{number} = 1\n"))),
    of("toml", yaml("duplicates", "", |_| "a = 1\n".to_owned())),
    of("toml", yaml("tables", "", |number| format!("[tasks.t{number}]\nrun = \"x\"\n"))),
    of("toml", yaml("duplicate tables", "", |_| "[tasks.a]\nrun = \"x\"\n".to_owned())),
    of("toml", yaml("lists of tables", "", |_| "[[a.b]]\nc = 1\n".to_owned())),
    of("toml", yaml("dotted keys", "", |number| format!("a.b{number}.c = 1\n"))),
];

/// All of them.
pub(crate) fn all() -> impl Iterator<Item = &'static Hostile> {
    [SHAPES, KEYS, PLANS, TEMPLATES, OTHERS].into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fills_the_room_that_a_plan_has_and_no_more() {
        let folder = std::env::temp_dir().join(format!("windlass-hostile-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("ours");
        let path = folder.join("file");
        let names: Vec<(&str, &str)> = all().map(|hostile| (hostile.format, hostile.name)).collect();
        for hostile in all() {
            hostile.write(&path, 64 << 10).expect("there is room");
            let bytes = path.metadata().expect("it is there").len();
            assert!((60 << 10..=64 << 10).contains(&bytes), "{}: {bytes}", hostile.name);
            let same = names.iter().filter(|name| **name == (hostile.format, hostile.name)).count();
            assert_eq!(same, 1, "{} stands there twice", hostile.name);
        }
        std::fs::remove_dir_all(&folder).expect("ours");
    }
}
