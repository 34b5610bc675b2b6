//! How a node is reached: in the clear or by TLS, and as which of its users.

use crate::cli::{CliError, reach};
use crate::limits::CREDENTIALS_BYTES_MAX;
use crate::net::ClientFiles;
use clap::Args;
use std::env;
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConnection, StreamOwned};

/// How long a node may take to say a line.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where a password may stand instead of a file.
const PASSWORD_VARIABLE: &str = "RINGCACHED_PASSWORD";

/// Where systems keep the certificates that they trust in.
const SYSTEM_CA: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// How a node asks to be reached.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct Access {
    /// Speak TLS
    #[arg(long)]
    tls: bool,

    /// Certificates to trust in, in PEM; with --tls alone those of the system
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,

    /// Certificates to show, where the node asks for them
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,

    /// The key to them
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,

    /// Name of one of the node's users
    #[arg(long, value_name = "NAME")]
    user: Option<String>,

    /// File with that user's password; or set `RINGCACHED_PASSWORD`
    #[arg(long, value_name = "PATH", requires = "user")]
    password_file: Option<PathBuf>,
}

/// A connection, of whichever kind.
pub(super) trait Stream: Read + Write {}

impl<S: Read + Write> Stream for S {}

impl Access {
    /// Connects to a node.
    pub(super) fn connect(&self, server: &str) -> Result<Box<dyn Stream>, CliError> {
        let files = self.files()?;
        let stream = reach::connect(server, PATIENCE)?;
        let Some(files) = files else { return Ok(Box::new(stream)) };
        let config = files.open().map_err(|why| CliError::Usage(format!("TLS: {why}")))?;
        let host = server.rsplit_once(':').map_or(server, |(host, _)| host);
        let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned());
        let name = name.map_err(|why| CliError::Usage(format!("--server {server}: {why}")))?;
        let session = ClientConnection::new(Arc::new(config), name);
        let session = session.map_err(|why| CliError::Failed(format!("TLS: {why}")))?;
        let mut stream = StreamOwned::new(session, stream);
        let shaken = stream.conn.complete_io(&mut stream.sock);
        shaken.map_err(|why| reach::failed(server, &why))?;
        Ok(Box::new(stream))
    }

    /// What says who one is, if one says so.
    pub(super) fn introduction(&self) -> Result<Option<String>, CliError> {
        let Some(user) = &self.user else { return Ok(None) };
        let password = match &self.password_file {
            Some(path) => password_of(path)?,
            None => env::var(PASSWORD_VARIABLE).map_err(|_| {
                let where_to = format!("set {PASSWORD_VARIABLE}, or name a file");
                CliError::Usage(format!("--user {user}: {where_to} with --password-file"))
            })?,
        };
        let pair = format!("{user} {password}");
        let is_fit = !user.contains([' ', '\r', '\n']) && pair.len() <= CREDENTIALS_BYTES_MAX - 2;
        if !is_fit {
            return Err(CliError::Usage("--user: no such name and password can be".to_owned()));
        }
        Ok(Some(format!("set auth 0 0 {}\r\n{pair}\r\n", pair.len())))
    }

    fn files(&self) -> Result<Option<ClientFiles>, CliError> {
        if !self.tls && self.ca.is_none() && self.cert.is_none() {
            return Ok(None);
        }
        let of_system = || SYSTEM_CA.iter().map(PathBuf::from).find(|path| path.exists());
        let ca = self.ca.clone().or_else(of_system).ok_or_else(|| {
            CliError::Usage("--tls: name the certificates to trust in with --ca".to_owned())
        })?;
        Ok(Some(ClientFiles { ca, own: self.cert.clone().zip(self.key.clone()) }))
    }
}

/// The first line of a file that not everybody may read.
fn password_of(path: &Path) -> Result<String, CliError> {
    let wrong = |why: String| CliError::Usage(format!("--password-file {}: {why}", path.display()));
    let file = File::open(path).map_err(|why| wrong(why.to_string()))?;
    let mode = file.metadata().map_err(|why| wrong(why.to_string()))?.permissions().mode();
    if mode & 0o004 != 0 {
        return Err(wrong("everyone on this machine can read it: chmod o-r it".to_owned()));
    }
    let mut text = String::new();
    let read = file.take(CREDENTIALS_BYTES_MAX as u64).read_to_string(&mut text);
    read.map_err(|why| wrong(why.to_string()))?;
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(line.to_owned()),
        _ => Err(wrong("it is empty".to_owned())),
    }
}
