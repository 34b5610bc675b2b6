//! `stats detail dump`

use crate::node::Prefixes;
use std::io::Write;

/// A line for each prefix.
pub(in crate::node) fn prefixes(prefixes: &Prefixes, out: &mut Vec<u8>) {
    prefixes.each(|prefix, counts| {
        out.extend_from_slice(b"PREFIX ");
        out.extend_from_slice(prefix);
        let (gets, hits, sets, deletes) = (counts.gets, counts.hits, counts.sets, counts.deletes);
        // Writing to memory does not fail.
        let _ = write!(out, " get {gets} hit {hits} set {sets} del {deletes}\r\n");
    });
}
