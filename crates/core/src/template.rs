//! Templates and expressions: Jinja's, in a sandbox with strict undefined and a bound on work.

use serde::{Deserialize, Serialize};

/// The source of a template, syntactically valid in a loaded plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Template(pub String);
