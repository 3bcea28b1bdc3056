//! The storeys of the core: what is in one knows nothing of what is above it or beside it. Never: which file of a storey
//! knows which other.

use std::collections::BTreeSet;

use crate::text::{code, paths_from};
use crate::{nothing_of, sources};

const CORE: &str = "crates/core/src/";

/// From the ground up. ARCHITECTURE.md says what each of them is.
const STOREYS: [&[&str]; 11] = [
    &["exact", "hint", "id", "planted", "time"],
    &["failure", "output", "verdict"],
    &["template"],
    &["plan"],
    &["machine", "policy"],
    &["errand"],
    &["event"],
    &["effect", "input", "size"],
    &["state"],
    &["fold", "view"],
    &["decide"],
];

/// What binds them together, and nothing rests on.
const ROOF: [&str; 2] = ["react", "turn"];

/// What is for faces: nothing in the core looks at it.
const FOR_FACES: &str = "view";

/// What a run is known by. What is chosen or shown of it is asked of it, and is no method of its own: else those below
/// could call it.
const KNOWN: [&str; 4] = ["State", "Run", "Task", "Attempt"];

fn storey(name: &str) -> Option<usize> {
    let built = STOREYS.iter().position(|storey| storey.contains(&name));
    built.or_else(|| ROOF.contains(&name).then_some(STOREYS.len()))
}

/// The part of the core that a file belongs to: its folder, or itself.
fn part(path: &str) -> &str {
    let within = path.trim_start_matches(CORE);
    within.split(['/', '.']).next().unwrap_or(within)
}

/// What a file of the core imports that does not lie below it.
fn not_below(path: &str, text: &str) -> BTreeSet<String> {
    let own = part(path);
    let paths = paths_from(&code(text), "crate");
    let parts: BTreeSet<&str> = paths.iter().filter_map(|path| path.split("::").nth(1)).collect();
    let is_below = |name: &str| name != FOR_FACES && storey(name).is_some() && storey(name) < storey(own);
    let others = parts.into_iter().filter(|name| *name != own && !is_below(name));
    others.map(|name| format!("{path} imports crate::{name}")).collect()
}

#[test]
fn imports_of_the_core_point_down_only() {
    let core = sources().into_iter().filter(|source| source.path.starts_with(CORE) && !source.is_test());
    let others = core.filter(|source| !source.path.ends_with("/lib.rs"));
    let found: Vec<String> = others.flat_map(|source| not_below(&source.path, &source.text)).collect();
    nothing_of(
        &found,
        "Facts and questions belong to state, changes to fold, choices to decide: move what is asked for to where both \
         may ask. A new part of the core has its place in STOREYS.",
    );
}

#[test]
fn an_import_that_points_up_or_beside_is_found() {
    let found = |path: &str, text: &str| !not_below(&format!("{CORE}{path}"), text).is_empty();
    assert!(found("state/queue.rs", "use crate::fold::transition::Moment;\n"));
    assert!(found("state/queue.rs", "use crate::{id::RunId, decide::Stamp};\n"));
    assert!(found("fold/mod.rs", "fn f() { crate::view::output() }\n"));
    assert!(found("view/mod.rs", "use crate::fold::evolve;\n"));
    assert!(found("decide/mod.rs", "use crate::view::RunState;\n"));
    assert!(found("event/mod.rs", "use crate::nowhere::Thing;\n"));
    assert!(!found("decide/mod.rs", "use crate::decide::judge;\nuse crate::state::Run; // crate::turn\n"));
    assert!(!found("turn.rs", "use crate::decide::{Stamp, alarms};\nuse crate::fold::evolve;\n"));
}

#[test]
fn what_is_chosen_or_shown_of_a_run_is_no_method_of_it() {
    let above = ["decide", "view", "turn", "react"];
    let mut found = Vec::new();
    for source in sources().into_iter().filter(|source| source.path.starts_with(CORE)) {
        if above.contains(&part(&source.path)) {
            let code = code(&source.text);
            let is_known = |name: &&&str| code.lines().any(|line| line == format!("impl {name} {{"));
            found.extend(KNOWN.iter().filter(is_known).map(|name| format!("{}: impl {name}", source.path)));
        }
    }
    nothing_of(&found, "Make it a function that takes it, or a question that state answers.");
}
