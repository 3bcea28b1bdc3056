//! What the tasks need of the machine, and how a Debian machine gets it. Never: a download that is not the
//! system's own package manager or rustup.

use crate::program::Program;

/// A program that must be there, and the Debian package that brings it.
pub(crate) struct Need {
    /// A line that ends well where the program is there.
    pub(crate) probe: &'static str,
    /// The package.
    pub(crate) package: &'static str,
}

/// What building and testing needs besides Rust: SQLite and BLAKE3 are compiled from C, worktrees are git's, syncs are
/// watched and made to fail, lines are completed in each shell, and graphs are read by Graphviz.
pub(crate) const FOR_TESTS: [Need; 7] = [
    Need { probe: "git --version", package: "git" },
    Need { probe: "cc --version", package: "build-essential" },
    Need { probe: "strace --version", package: "strace" },
    Need { probe: "bash --version", package: "bash" },
    Need { probe: "zsh --version", package: "zsh" },
    Need { probe: "fish --version", package: "fish" },
    Need { probe: "dot -V", package: "graphviz" },
];

/// The variable by which a person leaves tests out that need what a machine can't give (`needs.rs` of the journal's
/// tests): names of needs, with commas between them.
const WITHOUT: &str = "WINDLASS_TESTS_WITHOUT";

/// What such tests need, as far as they are left out.
pub(crate) fn left_out() -> Option<String> {
    std::env::var_os(WITHOUT)
        .map(|names| names.to_string_lossy().into_owned())
        .filter(|names| !names.is_empty())
}

/// What the comparison is with.
pub(crate) const FOR_BENCH: [Need; 1] = [Need { probe: "ninja --version", package: "ninja-build" }];

/// Installs what is missing, where that is possible, and says what to do where it is not.
pub(crate) fn provide(needs: &[Need]) -> Result<(), String> {
    let missing: Vec<&str> =
        needs.iter().filter(|need| !Program::line(need.probe).answers()).map(|need| need.package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    println!("missing, to be installed with apt-get: {}", missing.join(", "));
    let hint = || format!("install {} by hand, then run this again", missing.join(" and "));
    if !Program::line("apt-get --version").answers() {
        return Err(format!("there is no apt-get here; {}", hint()));
    }
    let apt =
        |line: &str| Program::line("apt-get -q -y").and(&[line]).with("DEBIAN_FRONTEND", "noninteractive");
    let refreshed = apt("update").run();
    let installed = apt("install").and(&["--no-install-recommends"]).and(&missing).run();
    installed.map_err(|why| match refreshed {
        Ok(()) => format!("{why}; {}", hint()),
        Err(also) => format!("{why} ({also}); {}", hint()),
    })
}

/// rustfmt and clippy: a minimal toolchain comes without them.
pub(crate) fn provide_components() -> Result<(), String> {
    let there = |probe: &str| Program::line(probe).answers();
    if there("cargo fmt --version") && there("cargo clippy --version") {
        return Ok(());
    }
    let added = Program::line("rustup component add rustfmt clippy").run();
    added.map_err(|why| format!("{why}; rustfmt and clippy are needed: install them as you installed Rust"))
}
