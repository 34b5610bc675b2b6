//! The file that a warm file is written as until it is whole. Whoever has it is the one
//! process that may read and write the warm file beside it.

use rustix::fs::{FlockOperation, flock};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Nobody else is to read what clients have stored, nor to write it.
const MODE: u32 = 0o600;

/// How often a draft may become the warm file just when it is opened.
const TRIES: u32 = 8;

/// A draft that is locked and empty; goes when it is dropped.
#[derive(Debug)]
pub(super) struct Draft {
    path: PathBuf,
    file: File,
    /// Open from the start: what cannot be made to last is not to be found out after the
    /// warm file is gone.
    folder: File,
    is_kept: bool,
}

impl Draft {
    /// Makes the draft of a warm file, in the same folder.
    ///
    /// # Errors
    /// Where another process has it, or nothing can be written there.
    pub(super) fn open(of: &Path) -> io::Result<Self> {
        let path = beside(of, "new");
        let place = of.parent().filter(|place| !place.as_os_str().is_empty());
        let place = place.unwrap_or(Path::new("."));
        let folder = File::open(place).map_err(|why| about(place, "cannot open", &why))?;
        let taken = || io::Error::other("another node that runs has it: each needs its own file");
        for _ in 0..TRIES {
            let mut options = OpenOptions::new();
            // Others may write to the folder too: what a link leads to is not theirs to empty.
            options.write(true).create(true).mode(MODE).custom_flags(libc::O_NOFOLLOW);
            let file = options.open(&path).map_err(|why| about(&path, "cannot write", &why))?;
            if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
                return Err(taken());
            }
            // Whoever had it may have finished it meanwhile, and then it is the warm file.
            if is_at(&file, &path) {
                file.set_len(0)?;
                return Ok(Self { path, file, folder, is_kept: false });
            }
        }
        Err(taken())
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Puts it, whole, where the warm file is to be.
    pub(super) fn keep_as(mut self, path: &Path) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.path, path)?;
        self.is_kept = true;
        self.sync_folder()
    }

    /// Has what was renamed or removed beside it stay so, also where the power fails.
    pub(super) fn sync_folder(&self) -> io::Result<()> {
        self.folder.sync_all()
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.is_kept {
            // Whoever comes next empties it.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn is_at(file: &File, path: &Path) -> bool {
    let number = |data: fs::Metadata| (data.dev(), data.ino());
    let (here, there) = (file.metadata().map(number), fs::symlink_metadata(path).map(number));
    here.is_ok_and(|here| there.is_ok_and(|there| here == there))
}

/// The path with something behind it.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    name.into()
}

pub(super) fn about(path: &Path, what: &str, why: &io::Error) -> io::Error {
    io::Error::new(why.kind(), format!("{what} {}: {why}", path.display()))
}
