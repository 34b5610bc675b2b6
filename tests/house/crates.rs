//! The crates from outside, as paths name them.

use std::{collections::BTreeSet, fs, path::Path, sync::LazyLock};

use toml::{Table, Value};

use crate::floors;

/// What `Cargo.toml` brings in, and what a floor allows before it is brought in.
static OUTSIDE: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let mut names = dependencies(&fs::read_to_string(manifest).unwrap());
    assert!(names.contains("xxhash_rust"), "Cargo.toml misread: {names:?}");
    names.extend(floors::allowed_anywhere().map(str::to_owned));
    names
});

pub(crate) fn is_outside(root: &str) -> bool {
    OUTSIDE.contains(root)
}

/// Everything that a manifest depends on, for any purpose and on any system.
pub(crate) fn dependencies(manifest: &str) -> BTreeSet<String> {
    let manifest: Table = manifest.parse().unwrap();
    let systems = manifest.get("target").and_then(Value::as_table).into_iter();
    let systems = systems.flat_map(Table::values).filter_map(Value::as_table);
    let tables = systems.chain([&manifest]).flat_map(|owner| {
        let names = ["dependencies", "dev-dependencies", "build-dependencies"];
        names.into_iter().filter_map(|name| owner.get(name)?.as_table())
    });
    tables.flat_map(Table::keys).map(|name| name.replace('-', "_")).collect()
}
