//! The names that templates know, and the one that was probably meant. Never: what a plan defines.

/// The variables that templates see.
pub(super) const VARIABLES: [&str; 8] =
    ["inputs", "tasks", "item", "index", "plan", "run", "attempt", "feedback"];

/// The functions that templates can call.
pub(super) const FUNCTIONS: [&str; 2] = ["range", "dict"];

/// The filters.
#[rustfmt::skip]
pub(super) const FILTERS: [&str; 45] = [
    "lower", "upper", "title", "capitalize", "replace", "length", "count", "dictsort", "items", "reverse", "trim",
    "join", "split", "lines", "default", "d", "round", "abs", "int", "float", "attr", "first", "last", "min", "max",
    "sort", "list", "string", "bool", "batch", "slice", "sum", "indent", "select", "reject", "selectattr",
    "rejectattr", "map", "groupby", "unique", "chain", "zip", "format", "tojson", "raw",
];

/// The tests.
#[rustfmt::skip]
pub(super) const TESTS: [&str; 38] = [
    "undefined", "defined", "none", "boolean", "odd", "even", "divisibleby", "number", "integer", "int", "float",
    "string", "sequence", "iterable", "mapping", "startingwith", "endingwith", "lower", "upper", "sameas", "eq",
    "equalto", "==", "ne", "!=", "lt", "lessthan", "<", "le", "<=", "gt", "greaterthan", ">", "ge", ">=", "in", "true",
    "false",
];

/// The most names that one is compared with: a plan may have a million.
const NAMES_MAX: usize = 1000;

/// The name that was probably meant.
pub(crate) fn nearest<'a>(name: &str, all: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = name.chars().count();
    let allowed = (length / 3).clamp(1, 3).min(length.saturating_sub(1));
    let distance = |other: &str| strsim::damerau_levenshtein(name, other);
    let alike =
        all.into_iter().filter(|other| other.len().abs_diff(name.len()) <= 4 * allowed).take(NAMES_MAX);
    let near = alike.map(|other| (distance(other), other)).filter(|(steps, _)| *steps <= allowed);
    near.min_by_key(|(steps, _)| *steps).map(|(_, other)| other)
}
