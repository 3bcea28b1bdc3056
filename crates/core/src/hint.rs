//! Texts that say what to do: a command in one stands in backquotes and begins with the name of the program, as in
//! `` `windlass show RUN` ``. Kept and journaled they are texts; who shows one takes the commands out of it as they are meant
//! there. Never: where a command is about, which only who was called knows.

/// A part of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part<'t> {
    /// As it is, backquotes included.
    Words(&'t str),
    /// A command: its words, without the program's name. The backquotes around it are with what stands beside it.
    Command(Vec<&'t str>),
}

/// The parts of a text, which make it up again one behind the other.
pub fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let (mut words, mut from) = (0, 0);
    while let Some(begin) = text[from..].find('`').map(|at| from + at + 1) {
        let Some(end) = text[begin..].find('`').map(|at| begin + at) else { break };
        if let Some(command) = text[begin..end].strip_prefix("windlass ") {
            parts.push(Part::Words(&text[words..begin]));
            parts.push(Part::Command(command.split(' ').collect()));
            words = end;
        }
        from = end + 1;
    }
    parts.push(Part::Words(&text[words..]));
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_what_stands_in_backquotes_and_begins_with_the_program() {
        let commands = |text| {
            let is_command =
                |part| if let Part::Command(words) = part { Some(words.join("|")) } else { None };
            parts(text).into_iter().filter_map(is_command).collect::<Vec<_>>()
        };
        assert_eq!(commands("see `timeout`; `windlass logs RUN t` or `windlass ps`"), ["logs|RUN|t", "ps"]);
        assert_eq!(commands("windlass ends it, `windlass` does, and `windlass ps"), [""; 0]);
        let text = "a `b` `windlass ps` c";
        let [Part::Words(before), Part::Command(_), Part::Words(behind)] = &parts(text)[..] else {
            panic!("{:?}", parts(text))
        };
        assert_eq!((*before, *behind), ("a `b` `", "` c"));
    }
}
