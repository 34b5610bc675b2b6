//! The house rules: who may use whom under `src/`, and what the pure rooms may
//! touch. A module cycle compiles silently; here it fails with file and line.
//!
//! Sources are read as tokens rather than as a syntax tree: a path is then the
//! same thing in a `use`, an expression, an attribute or a macro's arguments.
//! What the compiler would have to resolve is out of sight: a macro that writes
//! paths its source does not show, and a module brought in by `#[path]`.

mod crates;
mod cursor;
mod floors;
mod mentions;
mod purity;
mod rules;
mod samples;

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A file longer than this has more than one thing to say.
const FILE_LINES_MAX: usize = 700;

#[test]
fn rooms_keep_the_rules() {
    let sources = sources();
    let found = sources.iter().flat_map(|(file, text)| rules::broken(file, text));
    assert_none("house rules are broken", found.map(|violation| violation.to_string()));
}

#[test]
fn files_stay_readably_short() {
    let sources = sources();
    let lengths = sources.iter().map(|(file, text)| (file, text.lines().count()));
    let long = lengths.filter(|&(_, lines)| lines > FILE_LINES_MAX);
    assert_none(
        &format!("files have over {FILE_LINES_MAX} lines"),
        long.map(|(file, lines)| format!("src/{file}: {lines} lines")),
    );
}

/// Fails with everything found, so that one run shows all there is to mend.
fn assert_none(complaint: &str, found: impl Iterator<Item = String>) {
    let found: Vec<String> = found.collect();
    assert!(found.is_empty(), "{} {complaint}:\n  {}", found.len(), found.join("\n  "));
}

/// Every `.rs` file under `src/`, by its path below `src/`, with its text.
fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    files.sort();
    assert!(files.contains(&root.join("lib.rs")), "no lib.rs in {}", root.display());
    files.iter().map(|file| (below(&root, file), fs::read_to_string(file).unwrap())).collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// The path from `root` to `file`, with `/` between its parts on every system.
fn below(root: &Path, file: &Path) -> String {
    let parts = file.strip_prefix(root).unwrap().components();
    parts.map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}
