//! How answers look: aligned for people, JSON and CSV for programs.
//!
//! What is in an answer is the subcommand's business.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "figures are rounded to be read"
)]

pub(crate) use super::numbers::{bar, binary_bytes, counted, percent, seconds, thousands};

use super::CliError;
use crate::limits::MESSAGE_BYTES_MAX;
use serde::ser::{SerializeSeq, Serializer};
use serde::{Serialize, ser::SerializeMap};
use serde_json::Value;
use std::borrow::Cow;
use std::fmt;
use std::io::{self, BufWriter, Write};

/// What `-o` chooses from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// Aligned columns
    #[default]
    Table,
    /// Aligned columns, with all there is
    Wide,
    /// One JSON object, with plain numbers
    Json,
    /// One table with a header line
    Csv,
}

impl Format {
    /// Whether people are to read it, so that hints and drawings make sense.
    pub(crate) fn is_for_people(self) -> bool {
        matches!(self, Self::Table | Self::Wide)
    }
}

/// Raised when a field is taken away or changes its meaning.
const SCHEMA_VERSION: u32 = 1;

#[derive(Serialize)]
struct Versioned<'a, T> {
    schema_version: u32,
    #[serde(flatten)]
    body: &'a T,
}

/// Writes one line of JSON: the fields of `body` after the schema's version.
pub(crate) fn write_json(out: &mut dyn Write, body: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, &Versioned { schema_version: SCHEMA_VERSION, body })?;
    writeln!(out)
}

/// Hands stdout to `write`. A reader that goes away early, as `head` does, has
/// seen enough, and that is no error.
pub(crate) fn print(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), CliError> {
    let mut out = BufWriter::new(io::stdout().lock());
    match write(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(CliError::Output(error)),
        _ => Ok(()),
    }
}

/// Says something beside the answer, on stderr. A message may quote a file, so
/// it is made to be read by people, whatever it has in it.
pub(crate) fn note(message: impl fmt::Display) {
    // A closed stderr leaves nobody to tell.
    let _ = writeln!(io::stderr(), "{}", readable(&message.to_string()));
}

/// A text whose unseen characters are escaped, and which ends with `…` where it
/// is too long. Lines are cut one by one: what follows an endless one, as in
/// TOML's messages, is to be read too.
pub(crate) fn readable(text: &str) -> String {
    let lines: Vec<String> =
        text.split('\n').map(|line| cut(&seen(line), LINE_BYTES_MAX)).collect();
    cut(&lines.join("\n"), MESSAGE_BYTES_MAX)
}

/// A quarter each for what comes before, the line that a message quotes, the
/// caret below it, and what is wrong there.
const LINE_BYTES_MAX: usize = MESSAGE_BYTES_MAX / 4;

/// The text with its unseen characters escaped.
pub(crate) fn seen(text: &str) -> String {
    let mut seen = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\t' => seen.push('\t'),
            unseen if is_unseen(unseen) => seen.extend(unseen.escape_unicode()),
            other => seen.push(other),
        }
    }
    seen
}

/// Whether a character does something else than to be seen: it steers the
/// terminal, turns the direction of the text, or has no width.
pub(crate) fn is_unseen(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}')
        || matches!(character, '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// The text, or as much of its beginning as fits with `…` after it.
fn cut(text: &str, bytes_max: usize) -> String {
    if text.len() <= bytes_max {
        return text.to_owned();
    }
    let ends = (0..=bytes_max - '…'.len_utf8()).rev();
    let end = ends.into_iter().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
    format!("{}…", &text[..end])
}

/// Rows of cells under named columns.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    pub(crate) fn new(columns: impl Into<Vec<Column>>) -> Self {
        Self { columns: columns.into(), rows: Vec::new() }
    }

    /// Adds a row: a cell for every column, shown or not.
    pub(crate) fn push(&mut self, row: impl Into<Vec<Cell>>) {
        let row = row.into();
        assert_eq!(row.len(), self.columns.len(), "a cell for every column");
        self.rows.push(row);
    }

    /// Writes the columns that the format shows, aligned under their headings.
    pub(crate) fn write_aligned(&self, out: &mut dyn Write, format: Format) -> io::Result<()> {
        let shown: Vec<usize> = self.shown(format).collect();
        let headings: Vec<&str> =
            shown.iter().map(|&index| self.columns[index].heading.as_str()).collect();
        let texts = |row: &'_ Vec<Cell>| -> Vec<String> {
            shown.iter().map(|&index| row[index].text.clone()).collect()
        };
        let rows: Vec<Vec<String>> = self.rows.iter().map(texts).collect();
        let widths = widths(&headings, &rows);
        let line = |texts: Vec<&str>| {
            let cells = texts.iter().zip(&shown).zip(&widths);
            let cells = cells.map(|((text, &index), &width)| self.columns[index].pad(text, width));
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        writeln!(out, "{}", line(headings))?;
        rows.iter()
            .try_for_each(|row| writeln!(out, "{}", line(row.iter().map(String::as_str).collect())))
    }

    /// Writes all machine values, the columns' names first.
    pub(crate) fn write_csv(&self, out: &mut dyn Write) -> io::Result<()> {
        let shown: Vec<usize> = self.shown(Format::Csv).collect();
        let names = shown.iter().map(|&index| Cow::from(self.columns[index].name));
        write_csv_line(out, names)?;
        self.rows
            .iter()
            .try_for_each(|row| write_csv_line(out, shown.iter().map(|&index| row[index].plain())))
    }

    /// The places of the columns that a format shows.
    fn shown(&self, format: Format) -> impl Iterator<Item = usize> {
        (0..self.columns.len()).filter(move |&index| self.columns[index].is_shown(format))
    }
}

fn widths(headings: &[&str], rows: &[Vec<String>]) -> Vec<usize> {
    let width = |index: usize| {
        let cells = rows.iter().map(|row| row[index].chars().count());
        cells.chain([headings[index].chars().count()]).max().unwrap_or(0)
    };
    (0..headings.len()).map(width).collect()
}

/// As a list of objects, keyed by the columns' names.
impl Serialize for Table {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut rows = serializer.serialize_seq(Some(self.rows.len()))?;
        for row in &self.rows {
            rows.serialize_element(&Row { table: self, row })?;
        }
        rows.end()
    }
}

struct Row<'a> {
    table: &'a Table,
    row: &'a [Cell],
}

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_map(None)?;
        for index in self.table.shown(Format::Json) {
            fields.serialize_entry(self.table.columns[index].name, &self.row[index].value)?;
        }
        fields.end()
    }
}

/// What a column is called, and where it is shown.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    name: &'static str,
    heading: String,
    align: Align,
    audience: Audience,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Align {
    Left,
    Right,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Audience {
    Everyone,
    /// Not in the plain table.
    Thorough,
    /// Neither in JSON nor in CSV.
    People,
}

impl Column {
    /// A column of words. Its heading is its name unless it is given another.
    pub(crate) fn words(name: &'static str) -> Self {
        let heading = name.replace('_', " ").to_uppercase();
        Self { name, heading, align: Align::Left, audience: Audience::Everyone }
    }

    /// A column of numbers, aligned to the right.
    pub(crate) fn numbers(name: &'static str) -> Self {
        Self { align: Align::Right, ..Self::words(name) }
    }

    /// The same under another heading.
    pub(crate) fn headed(self, heading: &str) -> Self {
        Self { heading: heading.to_owned(), ..self }
    }

    /// The same, left out of the plain table.
    pub(crate) fn only_wide(self) -> Self {
        Self { audience: Audience::Thorough, ..self }
    }

    /// The same, left out of JSON and CSV.
    pub(crate) fn only_drawn(self) -> Self {
        Self { audience: Audience::People, ..self }
    }

    fn is_shown(&self, format: Format) -> bool {
        match self.audience {
            Audience::Everyone => true,
            Audience::Thorough => format != Format::Table,
            Audience::People => format.is_for_people(),
        }
    }

    fn pad(&self, text: &str, width: usize) -> String {
        match self.align {
            Align::Left => format!("{text:<width$}"),
            Align::Right => format!("{text:>width$}"),
        }
    }
}

/// One cell: what people read, and the plain value behind it.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    text: String,
    value: Value,
}

impl Cell {
    pub(crate) fn words(words: impl Into<String>) -> Self {
        let text = words.into();
        Self { value: Value::from(text.as_str()), text }
    }

    /// What is not there, which is something else than zero.
    pub(crate) fn missing() -> Self {
        Self { text: "-".to_owned(), value: Value::Null }
    }

    pub(crate) fn count(count: u64) -> Self {
        Self { text: thousands(count), value: count.into() }
    }

    pub(crate) fn bytes(bytes: u64) -> Self {
        Self { text: binary_bytes(bytes), value: bytes.into() }
    }

    /// A part of a whole, which people read as a percentage.
    pub(crate) fn share(share: f64) -> Self {
        Self { text: percent(share), value: share.into() }
    }

    /// How many times a fair or least amount something is.
    pub(crate) fn ratio(ratio: f64) -> Self {
        Self { text: format!("{ratio:.3}"), value: ratio.into() }
    }

    /// A number with so many digits behind the point.
    pub(crate) fn decimals(number: f64, digits: usize) -> Self {
        Self { text: format!("{number:.digits$}"), value: number.into() }
    }

    pub(crate) fn seconds(seconds: f64) -> Self {
        Self { text: super::numbers::seconds(seconds), value: seconds.into() }
    }

    /// An amount that need not be whole, which people read rounded.
    pub(crate) fn amount(amount: f64) -> Self {
        Self { text: thousands(amount.round() as u64), value: amount.into() }
    }

    /// The cell of a value, if there is one.
    pub(crate) fn known<T>(value: Option<T>, cell: impl FnOnce(T) -> Self) -> Self {
        value.map_or_else(Self::missing, cell)
    }

    /// A drawing, which has no value of its own.
    pub(crate) fn drawing(drawing: String) -> Self {
        Self { text: drawing, value: Value::Null }
    }

    /// The machine value as CSV has it.
    fn plain(&self) -> Cow<'_, str> {
        match &self.value {
            Value::Null => "".into(),
            Value::String(text) => text.into(),
            value => value.to_string().into(),
        }
    }
}

/// Writes fields with commas between them, quoted where they must be.
pub(crate) fn write_csv_line<'a>(
    out: &mut dyn Write,
    fields: impl IntoIterator<Item = Cow<'a, str>>,
) -> io::Result<()> {
    for (index, field) in fields.into_iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        if field.contains(['"', ',', '\n', '\r']) {
            write!(out, "{comma}\"{}\"", field.replace('"', "\"\""))?;
        } else {
            write!(out, "{comma}{field}")?;
        }
    }
    writeln!(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        write(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn sample() -> Table {
        let mut table = Table::new([
            Column::words("node_name"),
            Column::numbers("slots"),
            Column::numbers("share").headed("OWNS").only_wide(),
            Column::words("bar").only_drawn(),
        ]);
        let row = |name: &str, slots, share, bar: &str| {
            vec![
                Cell::words(name),
                Cell::count(slots),
                Cell::share(share),
                Cell::drawing(bar.to_owned()),
            ]
        };
        table.push(row("é,1", 1_289_981, 0.75, "███"));
        table.push(row("b", 7, 0.25, ""));
        table
    }

    #[test]
    fn messages_are_readable() {
        assert_eq!(readable("a\tb\nc\u{1b}[31m\r\u{9b}"), "a\tb\nc\\u{1b}[31m\\u{d}\\u{9b}");
        assert_eq!(readable("\u{202e}é"), "\\u{202e}é");
        let endless = format!("first\n{}\nlast", "é".repeat(1 << 20));
        let text = readable(&endless);
        assert!(text.starts_with("first\né") && text.ends_with("é…\nlast"), "{text}");
        assert!(text.len() <= 2 * LINE_BYTES_MAX);
        let text = readable(&"ab\n".repeat(1 << 20));
        assert!(text.len() <= MESSAGE_BYTES_MAX && text.ends_with('…'));
        assert_eq!(readable(&"x".repeat(LINE_BYTES_MAX)), "x".repeat(LINE_BYTES_MAX));
    }

    #[test]
    fn columns_line_up() {
        let expected = "\
NODE NAME      SLOTS  BAR
é,1        1,289,981  ███
b                  7
";
        assert_eq!(written(|out| sample().write_aligned(out, Format::Table)), expected);
    }

    #[test]
    fn wide_shows_more() {
        let text = written(|out| sample().write_aligned(out, Format::Wide));
        assert!(text.starts_with("NODE NAME      SLOTS   OWNS  BAR\n"), "{text}");
    }

    #[test]
    fn csv_is_quoted_and_plain() {
        let expected = "node_name,slots,share\n\"é,1\",1289981,0.75\nb,7,0.25\n";
        assert_eq!(written(|out| sample().write_csv(out)), expected);
    }

    #[test]
    fn quotes_are_doubled() {
        let fields = ["a\"b", "c\nd", "e f", ""].map(Cow::from);
        assert_eq!(written(|out| write_csv_line(out, fields)), "\"a\"\"b\",\"c\nd\",e f,\n");
    }

    #[test]
    fn json_has_plain_values() {
        #[derive(Serialize)]
        struct Body {
            nodes: Table,
        }
        let expected = "{\"schema_version\":1,\"nodes\":[\
            {\"node_name\":\"é,1\",\"slots\":1289981,\"share\":0.75},\
            {\"node_name\":\"b\",\"slots\":7,\"share\":0.25}]}\n";
        assert_eq!(written(|out| write_json(out, &Body { nodes: sample() })), expected);
    }

    #[test]
    fn missing_is_not_zero() {
        assert_eq!(Cell::missing().text, "-");
        assert_eq!(Cell::missing().plain(), "");
        assert_eq!(Cell::ratio(f64::NAN).value, Value::Null);
    }
}
