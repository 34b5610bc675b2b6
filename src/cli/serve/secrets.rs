//! The files of secrets that a node reads at its start and again when it is told
//! to: users and certificates, those for other nodes among them.

use crate::cli::CliError;
use crate::limits::SECRETS_FILE_BYTES_MAX;
use crate::net::Tls;
use crate::net::peers::PeerCertificates;
use crate::node::Users;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Permissions of others than the owner and his group.
const OTHERS: u32 = 0o007;

/// `-Y`: the file, and the users that were in it.
#[derive(Debug)]
pub(super) struct UsersFile {
    path: PathBuf,
    users: Users,
}

impl UsersFile {
    pub(super) fn open(path: &Path) -> Result<Self, CliError> {
        let wrong = |why: String| CliError::Usage(format!("-Y {}: {why}", path.display()));
        let text = bytes(path).map_err(wrong)?;
        let users = Users::parse(&text).map_err(|why| wrong(why.to_string()))?;
        Ok(Self { path: path.to_owned(), users })
    }

    pub(super) fn users(&self) -> Users {
        self.users.clone()
    }

    /// What to say where everybody may read it. memcached reads it all the same.
    pub(super) fn warning(&self) -> Option<String> {
        let mode = fs::metadata(&self.path).ok()?.permissions().mode();
        let path = self.path.display();
        (mode & OTHERS != 0)
            .then(|| format!("warning: -Y {path}: everybody may read it; `chmod o= {path}`"))
    }

    /// Reads it again. Who was known stays known if it is no good.
    fn reload(&self) -> Result<(), String> {
        let wrong = |why: String| format!("{}: {why}", self.path.display());
        let text = bytes(&self.path).map_err(wrong)?;
        self.users.renew(&text).map_err(|why| wrong(why.to_string()))
    }
}

/// All of a file, unless it is far too long for what it should be.
fn bytes(path: &Path) -> Result<Vec<u8>, String> {
    let mut text = Vec::new();
    let file = File::open(path).map_err(|why| why.to_string())?;
    let read = file.take(SECRETS_FILE_BYTES_MAX).read_to_end(&mut text);
    read.map_err(|why| why.to_string())?;
    Ok(text)
}

/// What is read again while a node runs.
#[derive(Debug)]
pub(super) struct Secrets {
    pub(super) tls: Option<Arc<Tls>>,
    pub(super) users: Option<UsersFile>,
    pub(super) peers: Option<Arc<PeerCertificates>>,
}

impl Secrets {
    /// Reads all of it again, each for itself; says what came of it.
    pub(super) fn reload(&self) -> Vec<String> {
        let tls = self.tls.as_deref().map(|tls| match tls.reload() {
            Ok(()) => "new connections get the new certificates".to_owned(),
            Err(why) => format!("the old certificates stay: {why}"),
        });
        let peers = self.peers.as_deref().map(|peers| match peers.reload() {
            Ok(()) => "new links to other nodes get the new certificates".to_owned(),
            Err(why) => format!("the old certificates for other nodes stay: {why}"),
        });
        let users = self.users.as_ref().map(|file| match file.reload() {
            Ok(()) => format!("{} users", file.users.count()),
            Err(why) => format!("the old users stay: {why}"),
        });
        let warning = self.users.as_ref().and_then(UsersFile::warning);
        let said: Vec<String> = tls.into_iter().chain(peers).chain(users).chain(warning).collect();
        match said.is_empty() {
            true => vec!["there is nothing to read again".to_owned()],
            false => said,
        }
    }
}
