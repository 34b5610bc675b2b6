//! The rules themselves: from one source file to what it breaks.

use std::fmt;

use crate::{
    crates,
    floors::{self, Nature},
    mentions::{self, Kind, Mention},
    purity,
};

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// A room uses a room above it.
    Upward { from: &'static str, to: &'static str },
    /// A path ends at the crate root, or goes through what `lib.rs` re-exports:
    /// the arrow's end cannot be seen.
    NoRoomNamed,
    /// A file lies in a room that is on no floor.
    UnknownRoom,
    /// `lib.rs` holds something of its own.
    NotAMap,
    /// A pure room touches the world; the text says which part of it.
    Impure(&'static str),
    /// A pure room uses an outside crate that its floor does not list.
    Outside,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Upward { from, to } => write!(f, "`{from}` may not use `{to}`, a room above it"),
            Self::NoRoomNamed => write!(f, "name the room it comes from, not the crate root"),
            Self::UnknownRoom => write!(f, "a room without a floor: give it one in tests/house"),
            Self::NotAMap => write!(f, "lib.rs only declares modules and re-exports"),
            Self::Impure(world) => {
                write!(f, "a pure room touches no {world} (tests/house/purity.rs)")
            }
            Self::Outside => {
                write!(f, "a pure room uses only the crates of its floor (tests/house/floors.rs)")
            }
        }
    }
}

/// One broken rule, and where.
#[derive(Debug)]
pub(crate) struct Violation {
    pub(crate) file: String,
    pub(crate) line: usize,
    pub(crate) found: String,
    pub(crate) rule: Rule,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "src/{}:{}: {}: {}", self.file, self.line, self.found, self.rule)
    }
}

/// Everything that is wrong with one file, given its path below `src/`.
///
/// # Panics
/// When the source is no Rust.
pub(crate) fn broken(file: &str, source: &str) -> Vec<Violation> {
    let violation = |line, found, rule| Violation { file: file.to_owned(), line, found, rule };
    let module = module_of(file);
    let Some(&name) = module.first() else {
        let own = mentions::definitions(source).into_iter();
        return own.map(|(line, found)| violation(line, found, Rule::NotAMap)).collect();
    };
    if floors::find(name).is_none() {
        return vec![violation(1, format!("room `{name}`"), Rule::UnknownRoom)];
    }
    let judged = mentions::all(&module, source).into_iter().filter_map(|mention| {
        let rule = judge(name, &mention)?;
        Some(violation(mention.line, mention.text(), rule))
    });
    judged.collect()
}

/// The modules that lead to a file: `ring/walk.rs` is `ring::walk`, and the
/// crate root is no module at all.
fn module_of(file: &str) -> Vec<&str> {
    let module = file.trim_end_matches(".rs").split('/');
    module.filter(|&part| part != "mod" && part != "lib").collect()
}

fn judge(room: &str, mention: &Mention) -> Option<Rule> {
    let (floor, from) = floors::find(room)?;
    if let Some(inside) = mention.inside_crate() {
        return match inside.first().and_then(|to| floors::find(to)) {
            None => Some(Rule::NoRoomNamed),
            Some((above, to)) if above > floor => {
                Some(Rule::Upward { from: from.name, to: to.name })
            }
            Some(_) => None,
        };
    }
    let Nature::Pure(allowed) = from.nature else { return None };
    let first = mention.path[0].as_str();
    let is_path = matches!(mention.kind, Kind::Path | Kind::Import);
    if is_path && crates::is_outside(first) && !allowed.contains(&first) {
        return Some(Rule::Outside);
    }
    purity::touched(mention).map(Rule::Impure)
}
