//! An operator's certificates for the links between nodes, which are read again
//! while a node runs.

use super::certificate::{Identity, PeerFiles};
use crate::net::tls::TlsError;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// The certificates in use, for whoever reads them again and for the one who shows
/// them to other nodes.
#[derive(Debug)]
pub struct PeerCertificates {
    files: PeerFiles,
    current: Mutex<Identity>,
    renewed: Notify,
}

impl PeerCertificates {
    /// Reads the files.
    ///
    /// # Errors
    /// Where a file is missing or wrong, or they do not go together.
    pub fn open(files: PeerFiles) -> Result<Self, TlsError> {
        let current = Mutex::new(Identity::from_files(&files)?);
        Ok(Self { files, current, renewed: Notify::new() })
    }

    /// Reads the files again, and tells who shows them. What was in use stays in use
    /// if they are no good.
    ///
    /// # Errors
    /// As [`PeerCertificates::open`].
    pub fn reload(&self) -> Result<(), TlsError> {
        let fresh = Identity::from_files(&self.files)?;
        *self.current() = fresh;
        self.renewed.notify_one();
        Ok(())
    }

    /// What is in use.
    #[must_use]
    pub fn identity(&self) -> Identity {
        self.current().clone()
    }

    /// Waits until they have been read again; where there are none, for ever.
    pub async fn renewed(certificates: Option<&Self>) -> Identity {
        match certificates {
            Some(certificates) => {
                certificates.renewed.notified().await;
                certificates.identity()
            }
            None => std::future::pending().await,
        }
    }

    fn current(&self) -> MutexGuard<'_, Identity> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
