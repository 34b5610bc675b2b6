//! The file that describes a cluster, in TOML or JSON: how it is read, and what
//! can be wrong with it.
//!
//! Whether a ring can be made of what it says is not judged here.

use crate::cli::{output, units};
use crate::limits::FILE_BYTES_MAX;
use crate::ring::{Bound, Node, NodeId, ZoneId};
use serde::{Deserialize, Deserializer, de};
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// What a cluster file says.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Description {
    pub(super) copies: Option<u8>,
    #[serde(default, rename = "slots", deserialize_with = "slots")]
    pub(super) slot_bits: Option<u8>,
    pub(super) vnodes: Option<u32>,
    #[serde(default, deserialize_with = "bound")]
    pub(super) bound: Option<Bound>,
    pub(super) seed: Option<u64>,
    /// One table for each node, `[[node]]` in TOML.
    #[serde(default, rename = "node", alias = "nodes")]
    pub(super) nodes: Vec<Member>,
}

impl Description {
    /// Nodes called node-0, node-1 and so on, and nothing else.
    pub(super) fn of_nodes(count: u32) -> Self {
        let member = |number| Member { name: format!("node-{number}"), zone: None, weight: 1 };
        Self { nodes: (0..count).map(member).collect(), ..Self::default() }
    }

    /// Reads a file, or stdin where the path is `-`.
    pub(super) fn read(path: &Path) -> Result<Self, FileError> {
        if path == Path::new("-") {
            let text = text("stdin", io::stdin().lock())?;
            // Stdin has no name to tell by, but no TOML begins with a brace.
            let is_json = text.trim_start().starts_with('{');
            return Self::parse(
                "stdin",
                &text,
                if is_json { Language::Json } else { Language::Toml },
            );
        }
        let file = path.display().to_string();
        let language = match path.extension().and_then(std::ffi::OsStr::to_str) {
            Some("toml") => Language::Toml,
            Some("json") => Language::Json,
            _ => return Err(FileError::Extension { file }),
        };
        let opened = File::open(path);
        let opened = opened.map_err(|error| FileError::unreadable(&file, error))?;
        Self::parse(&file, &text(&file, opened)?, language)
    }

    fn parse(file: &str, text: &str, language: Language) -> Result<Self, FileError> {
        let parsed = match language {
            Language::Toml => toml::from_str(text).map_err(|error| pointed_at(text, &error)),
            Language::Json => serde_json::from_str(text).map_err(|error| error.to_string()),
        };
        parsed.map_err(|message| FileError::Malformed {
            file: file.to_owned(),
            message: message.trim_end().to_owned(),
        })
    }
}

/// Characters of a line that are shown to either side of a fault in it.
const CONTEXT: usize = 60;

/// What is wrong with a TOML text, as its parser says it, but with the caret
/// where it belongs when the line is endless or has characters that are escaped.
fn pointed_at(text: &str, error: &toml::de::Error) -> String {
    let parts = error.span().and_then(|span| {
        let (before, rest) = (text.get(..span.start)?, text.get(span.start..)?);
        let line = before.rfind('\n').map_or(0, |end| end + 1);
        Some((before.matches('\n').count() + 1, &before[line..], rest, span.len()))
    });
    let Some((number, before, rest, length)) = parts else { return error.message().to_owned() };
    let column = before.chars().count() + 1;
    let gap = if column > CONTEXT + 1 { "…" } else { "" };
    let before = before.chars().skip(column.saturating_sub(CONTEXT + 1)).collect::<String>();
    let line = rest.lines().next().unwrap_or_default();
    let after: String = line.chars().take(CONTEXT).collect();
    let more = if after.len() < line.len() { "…" } else { "" };
    let fault: String =
        after.char_indices().filter(|(at, _)| *at < length).map(|(_, c)| c).collect();
    let width = |text: &str| output::seen(text).chars().count();
    let (indent, carets) = (width(gap) + width(&before), width(&fault).max(1));
    let margin = " ".repeat(number.to_string().len());
    format!(
        "TOML parse error at line {number}, column {column}\n\
         {margin} |\n\
         {number} | {gap}{before}{after}{more}\n\
         {margin} | {:indent$}{:^<carets$}\n\
         {}",
        "",
        "",
        error.message()
    )
}

/// What a cluster file is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Language {
    Toml,
    Json,
}

/// A node with the names that people know it by.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) zone: Option<String>,
    #[serde(default = "one")]
    pub(crate) weight: u32,
}

fn one() -> u32 {
    1
}

impl Member {
    pub(crate) fn id(&self) -> NodeId {
        NodeId::from_name(&self.name)
    }

    pub(super) fn node(&self) -> Node {
        let zone = self.zone.as_deref().map(ZoneId::from_name).unwrap_or_default();
        Node { id: self.id(), zone, weight: self.weight }
    }
}

fn slots<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u8>, D::Error> {
    let slots = u64::deserialize(deserializer)?;
    units::slot_bits(&slots.to_string()).map(Some).map_err(de::Error::custom)
}

fn bound<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Bound>, D::Error> {
    let text = String::deserialize(deserializer)?;
    units::bound(&text).map(Some).map_err(de::Error::custom)
}

/// Reads to the end, or to the most that a cluster file may have.
fn text(file: &str, source: impl Read) -> Result<String, FileError> {
    let mut bytes = Vec::new();
    let mut source = source.take(FILE_BYTES_MAX + 1);
    let read = source.read_to_end(&mut bytes);
    read.map_err(|error| FileError::unreadable(file, error))?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(FileError::TooLong { file: file.to_owned() });
    }
    String::from_utf8(bytes).map_err(|error| FileError::Malformed {
        file: file.to_owned(),
        message: format!("not UTF-8 from byte {} on", error.utf8_error().valid_up_to()),
    })
}

/// Why a file describes no cluster.
#[derive(Debug)]
pub(crate) enum FileError {
    /// The file cannot be opened or read.
    Unreadable { file: String, error: io::Error },
    /// The file's name does not say what it is written in.
    Extension { file: String },
    /// The file is longer than any cluster.
    TooLong { file: String },
    /// The file does not say what it should.
    Malformed { file: String, message: String },
}

impl FileError {
    fn unreadable(file: &str, error: io::Error) -> Self {
        Self::Unreadable { file: file.to_owned(), error }
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { file, error } => write!(f, "cannot read {file}: {error}"),
            Self::Extension { file } => {
                write!(f, "is {file} TOML or JSON? let its name end in .toml or .json")
            }
            Self::TooLong { file } => {
                write!(f, "{file} is longer than {} MiB", FILE_BYTES_MAX >> 20)
            }
            Self::Malformed { file, message } => write!(f, "{file}: {message}"),
        }
    }
}

impl std::error::Error for FileError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn toml_and_json_agree() {
        let toml = "seed = 7\nbound = \"none\"\n[[node]]\nname = \"a\"\nzone = \"z\"\nweight = 2\n";
        let json = r#"{"seed":7,"bound":"none","node":[{"name":"a","zone":"z","weight":2}]}"#;
        let nodes = [Member { name: "a".to_owned(), zone: Some("z".to_owned()), weight: 2 }];
        for (text, language) in [(toml, Language::Toml), (json, Language::Json)] {
            let described = Description::parse("file", text, language).unwrap();
            assert_eq!(described.seed, Some(7));
            assert_eq!(described.bound, Some(Bound::Unlimited));
            assert_eq!(described.nodes, nodes);
        }
    }

    fn refused(text: &str) -> String {
        let refused = Description::parse("f", text, Language::Toml).unwrap_err().to_string();
        refused.split_once('\n').unwrap().1.to_owned()
    }

    #[test]
    fn carets_point_at_the_fault() {
        // As `output::note` shows it, the fault has 6 characters.
        let text = refused("seed = 1\n\u{1b}foo = ");
        assert!(text.starts_with("  |\n2 | \u{1b}foo = \n  | ^^^^^^\n"), "{text:?}");
        let endless = format!("seed = {}x", "1".repeat(1 << 20));
        assert!(refused(&endless).len() < 400, "{}", refused(&endless));
        let endless = format!("copies = 1 {} copys = 1", " ".repeat(1 << 20));
        let text = refused(&endless);
        let lines: Vec<Vec<char>> = text.lines().map(|line| line.chars().collect()).collect();
        let caret = lines[2].iter().position(|&shown| shown == '^').unwrap();
        assert_eq!(lines[1][caret], '=', "{text}");
    }

    #[test]
    fn file_length_is_bounded() {
        let long = vec![b' '; usize::try_from(FILE_BYTES_MAX).unwrap() + 1];
        assert!(text("file", &long[1..]).is_ok());
        assert!(matches!(text("file", &long[..]), Err(FileError::TooLong { .. })));
    }
}
