//! The language in which the tables of `language.rs` are written: what a key may hold. The reader, the published
//! JSON Schema and the list of what is not built yet are all made from those tables, so they can't differ.
//! Never: what a plan means.

/// What a value may be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// Any text.
    Text,
    /// A text, number or boolean, all of them taken as text.
    Scalar,
    /// A text in which `{{ … }}` is evaluated.
    Template,
    /// A boolean.
    Truth,
    /// A boolean, or a template that gives one.
    Condition,
    /// A whole number, the bounds included.
    Whole(u64, u64),
    /// A number that may be negative, the bounds included.
    Signed(i64, i64),
    /// A number, the bounds included.
    Number(f64, f64),
    /// A length of time such as `30s`; with true also `none`.
    Length(bool),
    /// A limit of time: a length above zero, or `none`.
    Limit,
    /// A size such as `2GiB`.
    Bytes,
    /// A rate such as `30/min`.
    Rate,
    /// One of these words.
    Word(&'static [&'static str]),
    /// The name of an error kind.
    Failing,
    /// A list.
    List(&'static Kind),
    /// A map from names to values.
    Map(&'static Kind),
    /// A map with these keys.
    Shape(&'static Shape),
    /// One entry of this shape, whose key is its kind.
    Choice(&'static Shape),
    /// One of several.
    Either(&'static [Kind]),
    /// A JSON Schema.
    Schema,
    /// Anything.
    Any,
}

/// A map with fixed keys.
#[derive(Debug)]
pub(super) struct Shape {
    /// Its name in the published schema.
    pub(super) name: &'static str,
    /// What it is called in messages: `a task`.
    pub(super) called: &'static str,
    /// What it is, for people who read the schema.
    pub(super) about: &'static str,
    /// Its keys.
    pub(super) fields: &'static [Field],
}

/// A key of a [`Shape`].
#[derive(Debug)]
pub(super) struct Field {
    pub(super) key: &'static str,
    pub(super) about: &'static str,
    pub(super) kind: Kind,
    pub(super) built: Built,
    pub(super) required: bool,
}

/// Whether a key is built.
#[derive(Clone, Copy, Debug)]
pub(super) enum Built {
    /// It is.
    Yes,
    /// It is part of the language, and not built yet.
    No,
    /// Only these values are.
    Only(&'static [&'static str]),
}

impl Shape {
    /// The key of this name.
    pub(super) fn field(&self, key: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.key == key)
    }
}

/// A key that is built.
pub(super) const fn key(key: &'static str, kind: Kind, about: &'static str) -> Field {
    Field { key, about, kind, built: Built::Yes, required: false }
}

/// A key that must be there.
pub(super) const fn must(key: &'static str, kind: Kind, about: &'static str) -> Field {
    Field { key, about, kind, built: Built::Yes, required: true }
}

/// A key that is not built yet.
pub(super) const fn later(key: &'static str, kind: Kind, about: &'static str) -> Field {
    Field { key, about, kind, built: Built::No, required: false }
}

/// A key of which only some values are built.
pub(super) const fn partly(
    key: &'static str,
    kind: Kind,
    values: &'static [&'static str],
    about: &'static str,
) -> Field {
    Field { key, about, kind, built: Built::Only(values), required: false }
}

impl Kind {
    /// What it is in messages: `a whole number from 1 to 20`.
    pub(super) fn expected(self) -> String {
        match self {
            Self::Text | Self::Template => "a text".into(),
            Self::Scalar => "a text, a number or a boolean".into(),
            Self::Truth => "true or false".into(),
            Self::Condition => "true, false or an expression in `{{ … }}`".into(),
            Self::Whole(low, high) => match (low, high) {
                (0, u64::MAX) => "a whole number".into(),
                (low, u64::MAX) => format!("a whole number, at least {low}"),
                (low, high) if low == high => format!("the number {low}"),
                (low, high) => format!("a whole number from {low} to {high}"),
            },
            Self::Signed(low, high) => format!("a whole number from {low} to {high}"),
            Self::Number(low, high) if high >= f64::MAX => format!("a number, at least {low}"),
            Self::Number(low, high) => format!("a number from {low} to {high}"),
            Self::Length(false) => "a length of time such as `30s` or `1h30m`".into(),
            Self::Length(true) | Self::Limit => "a length of time such as `30s` or `1h30m`, or `none`".into(),
            Self::Bytes => "a size such as `512MiB` or `2GiB`".into(),
            Self::Rate => "a rate such as `30/min`".into(),
            Self::Word(words) => format!("one of {}", words.join(", ")),
            Self::Failing => "the name of an error kind".into(),
            Self::List(_) => "a list".into(),
            Self::Map(_) | Self::Shape(_) => "a map".into(),
            Self::Choice(_) => "a map with one key".into(),
            Self::Either(kinds) => {
                let mut all: Vec<String> = Vec::new();
                for kind in kinds {
                    let expected = kind.expected();
                    if !all.contains(&expected) {
                        all.push(expected);
                    }
                }
                all.join(" or ")
            }
            Self::Schema => "a JSON Schema".into(),
            Self::Any => "a value".into(),
        }
    }
}
