//! Names this build: the version, and a digest of the sources that give a journal its meaning. A snapshot is trusted
//! by the very build that wrote it, and the journal says which build wrote what.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};

fn main() {
    let mut files = BTreeSet::new();
    for folder in ["../core/src", "../journal/src", "src"] {
        println!("cargo:rerun-if-changed={folder}");
        collect(Path::new(folder), &mut files);
    }
    let mut digest = DefaultHasher::new();
    for file in files {
        std::fs::read(&file).expect("a source file can be read").hash(&mut digest);
    }
    println!("cargo:rustc-env=WINDLASS_BUILD={}+{:016x}", env!("CARGO_PKG_VERSION"), digest.finish());
}

fn collect(folder: &Path, files: &mut BTreeSet<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, files);
        } else {
            files.insert(path);
        }
    }
}
