//! Lines of shell made from a seed, with hostile values in them, run by real shells: nothing of a value is ever run.
//! Never: a line that does anything but print.

use std::collections::BTreeMap;

use serde_json::json;
use windlass_core::template::Template;

use crate::shell_lines::{One, run};

/// What a value would run if it could; what that prints is nowhere in the value.
const RUN: &str = "echo p$((6*7))d";
const PRINTED: &str = "p42d";

/// Values in which `@` is what must not be run.
const VALUES: [&str; 24] = [
    "$(@)",
    "`@`",
    ";@;",
    "\n@\n",
    "'\n@\n'",
    "\"\n@\n\"",
    "';@;'",
    "\";@;\"",
    "}$(@)",
    ")\n@\n(",
    "\nEOF\n@\n",
    "EOF)\n@\n",
    "EOF);@;(",
    "OF\n@\n",
    "x\n\tEOF\n@\n",
    "\\$(@)",
    "\\\n@",
    "\\';@;'",
    "\\\";@;\"",
    "(@)",
    "\n@ #",
    "a[$(@)]",
    "&@&",
    "EOF",
];

const NOISE: [&str; 39] = [
    "\"",
    "'",
    "\\",
    "\\\n",
    "$",
    "$$",
    "$(",
    "$((",
    "))",
    "((",
    "(",
    ")",
    "{",
    "}",
    "${x:-",
    "\"${x:-",
    "`",
    "#",
    " #",
    "<",
    "<<",
    "<<<",
    "<(",
    "$[",
    "]",
    "$'",
    "$\"",
    "<<EOF\n",
    "<<-EOF\n",
    "<<'EOF'\n",
    "<< -EOF\n",
    "\nEOF\n",
    "\tEOF\n",
    ";",
    "\n",
    "case x in ",
    "x) ",
    "&& ",
    "@",
];

/// Numbers that follow from a seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).expect("it is below the bound")
    }

    fn pick(&mut self, among: &[&'static str]) -> &'static str {
        among[self.below(among.len())]
    }
}

/// A line as it is made.
struct Maker {
    dice: Dice,
    line: String,
    /// The delimiters of the here-documents that begin behind the next line break.
    documents: Vec<&'static str>,
}

impl Maker {
    fn add(&mut self, among: &[&'static str]) {
        let text = self.dice.pick(among);
        self.line.push_str(text);
    }

    fn lines(&mut self, deep: usize) {
        for _ in 0..=self.dice.below(3) {
            self.command(deep);
            self.add(&["", "", "; ", " # c @"]);
            self.line.push('\n');
            for delimiter in std::mem::take(&mut self.documents) {
                for _ in 0..=self.dice.below(2) {
                    self.add(&["x @ y\n", "@\n", "a\\\n", "$x\n", "'\"@\n", "\tz\n", "E@\n"]);
                }
                self.line.push_str(delimiter);
                self.line.push('\n');
            }
        }
    }

    fn command(&mut self, deep: usize) {
        let around = match self.dice.below(if deep == 0 { 5 } else { 11 }) {
            0..=3 => {
                self.line.push_str("echo");
                for _ in 0..=self.dice.below(3) {
                    self.line.push(' ');
                    self.word(deep);
                }
                return;
            }
            4 => {
                self.line.push_str("x=");
                return self.word(deep);
            }
            5 => ["( ", " )"],
            6 => ["{ ", "; }"],
            7 => ["echo @ | ", ""],
            8 => ["case @ in *) ", " ;; esac"],
            _ => return self.document(),
        };
        self.line.push_str(around[0]);
        self.command(deep - 1);
        self.line.push_str(around[1]);
    }

    fn document(&mut self) {
        let [begin, end] = [
            ["<<EOF", "EOF"],
            ["<<'EOF'", "EOF"],
            ["<<-EOF", "\tEOF"],
            ["<< \"E F\"", "E F"],
            ["<< -EOF", "-EOF"],
            ["<<'-EOF'", "-EOF"],
            ["<<\\EOF", "EOF"],
            ["<<E''OF", "EOF"],
        ][self.dice.below(8)];
        self.line.push_str("cat ");
        self.line.push_str(begin);
        self.documents.push(end);
        self.add(&["", "", " | cat"]);
    }

    fn word(&mut self, deep: usize) {
        for _ in 0..=self.dice.below(2) {
            match self.dice.below(if deep == 0 { 5 } else { 10 }) {
                0..=2 => self.line.push('@'),
                3 => self.add(&["a", "$x", "$", "\\\\", "\\$", "$$", "#", "~", "*"]),
                4 => self.add(&["'@'", "'a @'", "'\"@'", "''", "$'a'", "`echo a`", "\\\n"]),
                5 | 6 => self.quoted(deep - 1),
                7 => self.substitution(deep - 1),
                8 => {
                    self.add(&["${x:-", "${y#", "${y%%", "${x=", "${y:1:"]);
                    self.word(deep - 1);
                    self.line.push('}');
                }
                _ => self.add(&["$((1+@))", "$((@))", "$(( (@) ))"]),
            }
        }
    }

    fn quoted(&mut self, deep: usize) {
        self.line.push('"');
        for _ in 0..=self.dice.below(3) {
            match self.dice.below(if deep == 0 { 4 } else { 7 }) {
                0..=2 => self.line.push('@'),
                3 => self
                    .add(&["a", "'", "\\\"", "$", "\\\\", "$$", "`echo a`", "#", "\n", "\\\n", "$((1+@))"]),
                4 | 5 => self.substitution(deep - 1),
                _ => self.add(&["${x:-@}", "${y#@}", "${x+a@}", "${x:-$y@}"]),
            }
        }
        self.line.push('"');
    }

    fn substitution(&mut self, deep: usize) {
        self.line.push_str("$(");
        if self.dice.below(3) == 0 {
            let outer = std::mem::take(&mut self.documents);
            self.lines(deep);
            self.documents = outer;
        } else {
            self.command(deep);
        }
        self.line.push(')');
    }

    /// Puts in or takes out what makes a line wrong, or right in another way.
    fn spoil(&mut self) {
        let places: Vec<usize> = self.line.char_indices().map(|(place, _)| place).collect();
        let place = places[self.dice.below(places.len())];
        if self.dice.below(3) == 0 {
            self.line.remove(place);
        } else {
            let noise = self.dice.pick(&NOISE);
            self.line.insert_str(place, noise);
        }
    }
}

#[test]
fn nothing_of_a_value_is_run_wherever_it_stands() {
    let mut maker = Maker { dice: Dice(0x77_1ea5), line: String::new(), documents: Vec::new() };
    let mut ran = 0;
    for _ in 0..700 {
        maker.line.clear();
        maker.documents.clear();
        maker.lines(3);
        for _ in 0..maker.dice.below(3) {
            maker.spoil();
        }
        let value = maker.dice.pick(&VALUES).replace('@', RUN);
        let source = maker.line.replace('{', "{{ '{' | raw }}").replace('@', "{{ inputs.v }}");
        let scope = One(BTreeMap::from([("v".to_owned(), json!(value))]));
        let Ok(line) = Template(source).render_shell(&scope) else { continue };
        for shell in ["sh", "bash"] {
            let Some(out) = run(shell, &line) else { continue };
            ran += 1;
            let out = String::from_utf8_lossy(&out);
            assert!(!out.contains(PRINTED), "{shell} with {value:?} in {:?}:\n{line}\n{out}", maker.line);
        }
    }
    assert!(ran > 100, "most lines can be put together");
}
