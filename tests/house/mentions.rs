//! What a source file names: paths as the compiler would start to read them
//! (groups spread out, `self` and `super` resolved), and a few keywords.

use proc_macro2::TokenStream;

use crate::cursor::Cursor;

/// How a thing is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `a::b` in an expression, type, pattern, attribute or macro.
    Path,
    /// A leaf of a `use` tree; `*` is a segment of its own.
    Import,
    /// `a` in `a!(...)`.
    Macro,
    /// A word that stands for itself.
    Keyword,
}

/// One thing that a file names.
#[derive(Debug)]
pub(crate) struct Mention {
    pub(crate) line: usize,
    pub(crate) kind: Kind,
    /// Begins with `crate` when it leads into this crate.
    pub(crate) path: Vec<String>,
}

impl Mention {
    pub(crate) fn text(&self) -> String {
        self.path.join("::")
    }

    /// The path below the crate root, if it is a path of this crate.
    pub(crate) fn inside_crate(&self) -> Option<&[String]> {
        self.path.split_first().filter(|(first, _)| *first == "crate").map(|(_, rest)| rest)
    }
}

/// Words that need a view of the world.
const KEYWORDS: [&str; 2] = ["async", "await"];

/// Words that begin an item which is neither a module nor a re-export.
const DEFINING: [&str; 10] =
    ["const", "enum", "extern", "fn", "impl", "macro_rules", "static", "struct", "trait", "type"];

/// Everything that the source of `module` names, in its order.
pub(crate) fn all(module: &[&str], source: &str) -> Vec<Mention> {
    let module = module.iter().map(ToString::to_string).collect();
    let mut reader = Reader { module, mentions: Vec::new() };
    reader.block(Cursor::new(tokens(source)));
    reader.mentions
}

/// The items of a source's top level that are its own: line and first word.
pub(crate) fn definitions(source: &str) -> Vec<(usize, String)> {
    let mut cursor = Cursor::new(tokens(source));
    let mut found = Vec::new();
    while !cursor.is_done() {
        let line = cursor.line();
        let word = cursor.word();
        let has_body =
            word.as_deref() == Some("mod") && cursor.word().is_some() && cursor.braces().is_some();
        match word {
            Some(word) if has_body || DEFINING.contains(&word.as_str()) => found.push((line, word)),
            Some(_) => {}
            None => cursor.skip(),
        }
    }
    found
}

fn tokens(source: &str) -> TokenStream {
    source.parse().unwrap_or_else(|error| panic!("not Rust: {error}\n{source}"))
}

/// Walks the tokens of one file and knows which module it stands in.
struct Reader {
    module: Vec<String>,
    mentions: Vec<Mention>,
}

impl Reader {
    fn block(&mut self, mut cursor: Cursor) {
        while !cursor.is_done() {
            let line = cursor.line();
            if let Some(word) = cursor.word() {
                self.word(&mut cursor, line, word);
            } else if let Some(inside) = cursor.group() {
                self.block(inside);
            } else if cursor.punct('\'') {
                // A lifetime: `&'static mut T` is no `static mut`.
                cursor.skip();
            } else {
                cursor.skip();
            }
        }
    }

    fn word(&mut self, cursor: &mut Cursor, line: usize, word: String) {
        match word.as_str() {
            "use" => self.path(cursor, &[], Kind::Import),
            "extern" if cursor.is_at("crate") => {
                cursor.skip();
                self.path(cursor, &[], Kind::Import);
            }
            "mod" => self.inline_module(cursor),
            "static" if cursor.is_at("mut") => self.keyword(line, "static mut"),
            keyword if KEYWORDS.contains(&keyword) => self.keyword(line, keyword),
            _ => self.path_from(cursor, line, vec![word], Kind::Path),
        }
    }

    fn keyword(&mut self, line: usize, word: &str) {
        self.mentions.push(Mention { line, kind: Kind::Keyword, path: vec![word.to_owned()] });
    }

    fn inline_module(&mut self, cursor: &mut Cursor) {
        let Some(name) = cursor.word() else { return };
        let Some(inside) = cursor.braces() else { return };
        self.module.push(name);
        self.block(inside);
        self.module.pop();
    }

    /// Reads the path or the group of paths that comes next, below `prefix`.
    fn path(&mut self, cursor: &mut Cursor, prefix: &[String], kind: Kind) {
        let line = cursor.line();
        cursor.colons();
        if let Some(segment) = cursor.segment() {
            self.path_from(cursor, line, [prefix, &[segment]].concat(), kind);
        } else if let Some(inside) = cursor.braces() {
            self.branches(inside, prefix, kind);
        }
    }

    /// Reads on behind the first segments of a path.
    fn path_from(&mut self, cursor: &mut Cursor, line: usize, mut path: Vec<String>, kind: Kind) {
        while cursor.colons() {
            if let Some(segment) = cursor.segment() {
                path.push(segment);
            } else if let Some(inside) = cursor.braces() {
                return self.branches(inside, &path, kind);
            }
        }
        for segment in &mut path {
            *segment = segment.trim_start_matches("r#").to_owned();
        }
        // A single word is a name of the file's own, unless it is imported.
        if kind == Kind::Import || path.len() > 1 {
            self.mentions.push(Mention { line, kind, path: resolve(&self.module, &path) });
        } else if cursor.is_at_macro_call() {
            self.mentions.push(Mention { line, kind: Kind::Macro, path });
        }
    }

    /// The inside of `{a, b::c as d}`, each below `prefix`.
    fn branches(&mut self, mut inside: Cursor, prefix: &[String], kind: Kind) {
        while !inside.is_done() {
            self.path(&mut inside, prefix, kind);
            inside.skip_past(',');
        }
    }
}

/// Turns `self`, `super` and this crate's own name into a path from `crate`.
fn resolve(module: &[String], path: &[String]) -> Vec<String> {
    let path = match path {
        // The `self` of `use a::{self, b}` is `a`.
        [path @ .., last] if last == "self" && !path.is_empty() => path,
        path => path,
    };
    let selves = path.iter().take_while(|segment| *segment == "self").count();
    let supers = path[selves..].iter().take_while(|segment| *segment == "super").count();
    let root = ["crate".to_owned()];
    if path[0] == "ringcached" {
        [&root, &path[1..]].concat()
    } else if selves + supers > 0 {
        let base = &module[..module.len().saturating_sub(supers)];
        [&root, base, &path[selves + supers..]].concat()
    } else {
        path.to_vec()
    }
}
