//! The memory of a node over a restart: written to a file when it has ended, and read
//! before it begins. Here are the files, when they are written and what is said of it; what
//! is in them is left to `format.rs`, `read.rs` and `write.rs`.
//!
//! **A file is never read twice.** What is deleted after the first time would be back after
//! the second. So it is gone before the node that has read it serves; and one that is refused
//! gets another name, for the node lives on without it, and a later start may not find it
//! wrong: its clock may be set right by then. But a node that does not start, for a port is
//! taken or the like, leaves it as it was: nobody has changed anything since. The process that serves holds the draft of the
//! file all the time, so that no other one begins between its last answer and its file.

mod draft;
mod format;
mod read;
#[cfg(test)]
mod tests;
mod write;

use super::{Shared, ViewReader};
use crate::cluster::Phase;
use crate::item::{Key, Now};
use crate::limits::WARM_AGE_S_MAX;
use crate::net::{Stop, Stopper};
use crate::ring::{Layout, NodeId};
use crate::store::Store;
use crate::wire::layout_fingerprint;
use draft::{Draft, about, beside};
use format::{Header, Owner};
use read::{ReadIn, Refused, Wanted};
use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Where memory is kept over a restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WarmFile {
    /// The file.
    pub path: PathBuf,
    /// Whose it is; none for a node alone that was not told who it is.
    pub node: Option<NodeId>,
}

/// What is left to do in the end.
#[derive(Debug)]
pub(super) struct Warm {
    path: PathBuf,
    owner: Owner,
    draft: Draft,
}

/// A memory to begin with, and how it came about.
#[derive(Debug)]
pub(super) struct Begun {
    pub(super) store: Store,
    /// None where nothing is to be written in the end.
    pub(super) read: Option<WasRead>,
    /// What is to be said of it.
    pub(super) said: String,
}

/// A file that is to be put away before its node serves, if there is one.
#[derive(Debug)]
pub(super) struct WasRead {
    warm: Warm,
    away: Away,
}

impl WasRead {
    pub(super) fn path(&self) -> &Path {
        &self.warm.path
    }

    /// To be done when nothing else can keep the node from serving.
    ///
    /// # Errors
    /// Where the file would be read again.
    pub(super) fn put_away(self) -> io::Result<Warm> {
        put_away(&self.warm.path, self.away, &self.warm.draft)?;
        Ok(self.warm)
    }
}

/// A node that has let its clients go, and is about to leave the others.
#[derive(Debug)]
pub(super) struct Parting {
    now: Now,
    view: ViewReader,
    node: NodeId,
    /// Whether it has all that others had for it.
    has_all: bool,
}

impl Parting {
    /// To be asked before the others hear of it: what they delete from then on, this node
    /// does not hear of.
    pub(super) fn of(shared: &Shared, node: NodeId) -> Self {
        let now = shared.now();
        let mut view = shared.view.reader();
        view.hold();
        let has_all = shared.cluster.as_ref().is_none_or(|cluster| {
            let overview = cluster.overview();
            let joins = overview.card.as_ref().is_none_or(|card| card.phase == Phase::Joining);
            cluster.keeps_up(now) && !joins
        });
        Self { now, view, node, has_all }
    }

    /// Whether this node is to have a key. What it has of others' is left over, and nobody
    /// tells it when that is deleted.
    fn keeps(&mut self, key: Key<'_>) -> bool {
        let view = self.view.view();
        let Some(me) = view.index_of(self.node) else { return false };
        let (now, to_be) = view.writers(view.hash(key.bytes()));
        now.contains(me) || to_be.contains(me)
    }
}

impl Warm {
    /// Reads what an earlier life has left, if that can be used. `grace` is how long the
    /// others of its cluster keep a place for a node, if it has a cluster.
    ///
    /// # Errors
    /// Where the file cannot be written in the end.
    pub(super) fn begin(
        told: WarmFile,
        layout: &Layout,
        grace: Option<Duration>,
        now: Now,
        empty: impl Fn() -> Store,
    ) -> io::Result<Begun> {
        let WarmFile { path, node } = told;
        let owner = Owner { cluster: grace.map(|_| layout_fingerprint(layout)), node };
        let age_max = grace.map(|grace| grace.min(Duration::from_secs(WARM_AGE_S_MAX)));
        let wanted = Wanted { owner, age_max, seed: layout.seed, now };
        let draft = Draft::open(&path)?;
        let (started, mut store) = (Instant::now(), empty());
        let shown = path.display();
        let outcome = match open(&path) {
            Ok(None) => Ok(format!("warm file {shown}: there is none, the node starts empty")),
            Ok(Some((file, bytes))) => read::read(file, bytes, &wanted, &store)
                .map(|read_in| said_of(&path, &read_in, started.elapsed())),
            Err(why) => Err(why),
        };
        let (said, away) = match outcome {
            Ok(said) => (said, Some(Away::Removed)),
            Err(why @ Refused::Strange) => {
                let end = "it is left alone, and nothing will be written there";
                (format!("warm file {shown} refused: {why}; {end}"), None)
            }
            Err(why) => {
                // Of what was read before, nobody knows what it is.
                store = empty();
                let renamed = beside(&path, REFUSED);
                let end = format!("the node starts empty; it is renamed to {}", renamed.display());
                (format!("warm file {shown} refused: {why}; {end}"), Some(Away::Renamed))
            }
        };
        let read = away.map(|away| WasRead { warm: Self { path, owner, draft }, away });
        Ok(Begun { store, read, said })
    }

    /// Writes what is in a memory that nobody changes any more; what is to be said of it.
    pub(super) fn write(self, store: &Store, mut parting: Parting, stopper: &Stopper) -> String {
        let shown = self.path.display().to_string();
        if !parting.has_all {
            return format!(
                "warm file {shown} not written: the node was still joining, and has not all \
                 that the others have deleted"
            );
        }
        let (started, now) = (Instant::now(), parting.now);
        let header = Header {
            owner: self.owner,
            written: now,
            floor: store.flush_floor(now),
            flush_at: store.flush_to_come(),
        };
        let is_cut_short = || stopper.asked() == Some(Stop::Now);
        let keeps = |key: Key<'_>| parting.keeps(key);
        let Self { path, draft, .. } = self;
        let written = write::write(store, &header, now, keeps, is_cut_short, draft.file());
        let kept = written.and_then(|written| {
            draft.keep_as(&path)?;
            Ok(written)
        });
        match kept {
            Ok(written) => format!(
                "warm file {shown} written: {} items, {} bytes, {} ms",
                written.items,
                written.bytes,
                started.elapsed().as_millis()
            ),
            Err(why) => format!("warm file {shown} not written: {why}"),
        }
    }
}

/// What a file is called that was refused.
const REFUSED: &str = "refused";

/// What becomes of a file that is not to be read again.
#[derive(Clone, Copy, Debug)]
enum Away {
    Removed,
    Renamed,
}

fn put_away(path: &Path, away: Away, draft: &Draft) -> io::Result<()> {
    let done = match away {
        Away::Removed => fs::remove_file(path),
        Away::Renamed => fs::rename(path, beside(path, REFUSED)),
    };
    match done {
        Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(why) => Err(about(path, "it would be read again: cannot remove", &why)),
        Ok(()) => draft.sync_folder(),
    }
}

/// The file and its length, if there is one.
fn open(path: &Path) -> Result<Option<(BufReader<File>, u64)>, Refused> {
    match fs::metadata(path) {
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(why) => return Err(Refused::Io(why)),
        // Whoever opens a pipe waits for another.
        Ok(data) if !data.is_file() => return Err(Refused::Strange),
        Ok(_) => {}
    }
    let file = File::open(path).map_err(Refused::Io)?;
    let bytes = file.metadata().map_err(Refused::Io)?.len();
    Ok(Some((BufReader::new(file), bytes)))
}

fn said_of(path: &Path, read_in: &ReadIn, took: Duration) -> String {
    let ReadIn { items, expired, refused, bytes } = read_in;
    let refused = match refused {
        0 => String::new(),
        refused => format!(", {refused} that this memory does not take"),
    };
    format!(
        "warm file {} read: {items} items, {bytes} bytes, {} ms, {expired} expired{refused}",
        path.display(),
        took.as_millis()
    )
}
