//! The certificates that a node shows to its clients, and those it asks of them; and how
//! a command of this program reaches such a node.

use crate::limits::SECRETS_FILE_BYTES_MAX;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::{error, fmt};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore, ServerConfig};

/// Where the certificates are, and what is asked of clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The node's certificates, its own first, in PEM.
    pub chain: PathBuf,
    /// Its private key; in the file of the chain if nothing is said.
    pub key: Option<PathBuf>,
    /// Whom to trust for the certificates of clients.
    pub client_ca: Option<PathBuf>,
    /// Whether clients need one.
    pub clients: ClientCertificates,
    /// The oldest protocol to speak.
    pub oldest: TlsVersion,
}

/// Whether clients show certificates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientCertificates {
    /// They are not asked.
    #[default]
    Ignored,
    /// They are asked; one that is shown has to be good.
    Requested,
    /// Without a good one there is no connection.
    Required,
}

/// A version of the protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsVersion {
    /// TLS 1.2.
    #[default]
    V1_2,
    /// TLS 1.3.
    V1_3,
}

/// Why there is no TLS with these files.
#[derive(Debug)]
pub enum TlsError {
    /// A file cannot be read, or has not in it what it should.
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Clients are to show certificates, and nobody says whom to trust.
    NoClientCa,
    /// They do not go together.
    Refused(String),
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, reason } => write!(f, "{}: {reason}", path.display()),
            Self::NoClientCa => {
                f.write_str("client certificates are asked for: name a file of their CA")
            }
            Self::Refused(reason) => f.write_str(reason),
        }
    }
}

impl error::Error for TlsError {}

/// The certificates in use. They can be replaced while connections live: a new
/// one gets the new ones, the others keep what they have.
#[derive(Debug)]
pub struct Tls {
    files: TlsFiles,
    current: RwLock<Arc<ServerConfig>>,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// Where a file is missing or wrong, or they do not go together.
    pub fn open(files: TlsFiles) -> Result<Self, TlsError> {
        let current = RwLock::new(Arc::new(server_config(&files)?));
        Ok(Self { files, current })
    }

    /// Reads the files again. What was in use stays in use if they are no good.
    ///
    /// # Errors
    /// As [`Tls::open`].
    pub fn reload(&self) -> Result<(), TlsError> {
        let fresh = Arc::new(server_config(&self.files)?);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        TlsAcceptor::from(Arc::clone(&current))
    }
}

fn server_config(files: &TlsFiles) -> Result<ServerConfig, TlsError> {
    let key = files.key.as_ref().unwrap_or(&files.chain);
    let chain = certificates(&files.chain)?;
    let key = private_key(key)?;
    let versions = match files.oldest {
        TlsVersion::V1_2 => &[&TLS13, &TLS12][..],
        TlsVersion::V1_3 => &[&TLS13][..],
    };
    let builder = ServerConfig::builder_with_provider(default_provider().into());
    let builder = builder.with_protocol_versions(versions).map_err(|why| refused(&why))?;
    let builder = match client_verifier(files)? {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    builder.with_single_cert(chain, key).map_err(|why| refused(&why))
}

fn client_verifier(files: &TlsFiles) -> Result<Option<Arc<dyn ClientCertVerifier>>, TlsError> {
    if files.clients == ClientCertificates::Ignored {
        return Ok(None);
    }
    let path = files.client_ca.as_ref().ok_or(TlsError::NoClientCa)?;
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|why| wrong(path, &why))?;
    }
    let provider = default_provider().into();
    let builder = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
    let builder = match files.clients {
        ClientCertificates::Requested => builder.allow_unauthenticated(),
        ClientCertificates::Ignored | ClientCertificates::Required => builder,
    };
    builder.build().map(Some).map_err(|why| wrong(path, &why))
}

/// What a client of TLS trusts in, and what it shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientFiles {
    /// Certificates, one of which is to have signed the server's, in PEM.
    pub ca: PathBuf,
    /// Its own certificates and the key to them, where the server asks for them.
    pub own: Option<(PathBuf, PathBuf)>,
}

impl ClientFiles {
    /// Reads the files.
    ///
    /// # Errors
    /// As [`Tls::open`].
    pub fn open(&self) -> Result<ClientConfig, TlsError> {
        let mut roots = RootCertStore::empty();
        // Those of a system may be of all kinds.
        if roots.add_parsable_certificates(certificates(&self.ca)?).0 == 0 {
            return Err(wrong(&self.ca, &"no certificate of an authority in it"));
        }
        let builder = ClientConfig::builder_with_provider(default_provider().into());
        let builder = builder.with_safe_default_protocol_versions().map_err(|why| refused(&why))?;
        let builder = builder.with_root_certificates(roots);
        let Some((chain, key)) = &self.own else { return Ok(builder.with_no_client_auth()) };
        let own = builder.with_client_auth_cert(certificates(chain)?, private_key(key)?);
        own.map_err(|why| refused(&why))
    }
}

pub(super) fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(&bytes(path)?).map_err(|why| wrong(path, &why))
}

pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = bytes(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match found {
        Ok(found) if found.is_empty() => Err(wrong(path, &"no certificate in it")),
        Ok(found) => Ok(found),
        Err(why) => Err(wrong(path, &why)),
    }
}

/// All of a file, unless it is far too long for what it should be.
fn bytes(path: &Path) -> Result<Vec<u8>, TlsError> {
    let read = |path: &Path| -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(path)?.take(SECRETS_FILE_BYTES_MAX).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read(path).map_err(|why| wrong(path, &why))
}

fn wrong(path: &Path, why: &dyn fmt::Display) -> TlsError {
    TlsError::File { path: path.to_owned(), reason: why.to_string() }
}

fn refused(why: &rustls::Error) -> TlsError {
    TlsError::Refused(why.to_string())
}
