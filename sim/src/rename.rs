//! The behaviours of a case under other names, for when a smaller plan calls the same attempts otherwise.
//! Never: two behaviours under one name.

use crate::case::Case;

/// A node of a plan: its run, and the labels of the nodes around it and its own.
pub(crate) struct Node {
    pub(crate) run: String,
    pub(crate) labels: Vec<u32>,
}

/// What becomes of the names of attempts of a node, or below it.
#[derive(Clone, Copy)]
pub(crate) enum Change {
    /// Its children at this layer are none any more: the one of this number is it, and the others are gone.
    Only(usize, usize),
    /// It is no plan any more, but the task that had this label in it.
    Within(u32),
}

/// Gives the behaviours below a node the names that they have after a change.
pub(crate) fn rename(case: &mut Case, node: &Node, change: Change) {
    let depth = node.labels.len() - 1;
    for (name, behaviour) in std::mem::take(&mut case.behaviours) {
        let parts: Vec<&str> = name.split('/').collect();
        let [run, path @ .., attempt] = parts.as_slice() else { continue };
        let is_ours = |(part, wanted): (&&str, &u32)| label(part) == Some(*wanted);
        let is_below = *run == node.run && path.len() > depth && path.iter().zip(&node.labels).all(is_ours);
        if !is_below {
            case.behaviours.insert(name, behaviour);
        } else if let Some(own) = changed(&path[depth..], change) {
            let around = std::iter::once(*run).chain(path[..depth].iter().copied());
            let parts: Vec<&str> = around.chain(own.iter().map(String::as_str)).chain([*attempt]).collect();
            case.behaviours.insert(parts.join("/"), behaviour);
        }
    }
}

fn changed(path: &[&str], change: Change) -> Option<Vec<String>> {
    let (first, rest) = path.split_first()?;
    let mut names: Vec<&str> = first.split('.').collect();
    let rest = rest.iter().map(|part| (*part).to_owned());
    match change {
        Change::Only(layer, number) => {
            let is_meant = names.get(layer + 1)?.parse() == Ok(number);
            names.remove(layer + 1);
            is_meant.then(|| std::iter::once(names.join(".")).chain(rest).collect())
        }
        Change::Within(inner) => {
            let mut rest = rest;
            let within = rest.next().filter(|part| label(part) == Some(inner))?;
            let children =
                within.split_once('.').map(|(_, children)| format!(".{children}")).unwrap_or_default();
            Some(std::iter::once(format!("{}{children}", names[0])).chain(rest).collect())
        }
    }
}

fn label(part: &str) -> Option<u32> {
    part.split('.').next()?.strip_prefix('t')?.parse().ok()
}
