//! The cluster's secret, and the keys that are made of it.
//!
//! One string that all nodes of a cluster know. Whoever has it is a node: it can
//! mint certificates that the others trust, and write gossip that they believe.

use crate::limits::SECRET_BYTES_MAX;
use crate::ring::NodeId;
use ring::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::{fmt, io};

/// What parts these keys from those that another program makes of the same
/// string. It and the labels below are for ever: other keys are another cluster.
const SALT: &[u8] = b"ringcached secret 1";

/// In place of a secret, where there is none.
const OF_MACHINE: &[u8] = b"no secret: whoever is on this machine may join";

/// What nodes of one cluster know and nobody else. Its text is not kept.
#[derive(Clone)]
pub struct Secret(Prk);

/// Why there is no secret.
#[derive(Debug)]
pub enum SecretError {
    /// There is nothing in it.
    Empty,
    /// It is longer than [`SECRET_BYTES_MAX`].
    TooLong,
    /// The file cannot be read.
    Unreadable(PathBuf, io::Error),
    /// The file can be read by everyone on the machine.
    Public(PathBuf),
}

impl fmt::Display for SecretError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the cluster's secret is empty"),
            Self::TooLong => {
                write!(f, "the cluster's secret has more than {SECRET_BYTES_MAX} bytes")
            }
            Self::Unreadable(path, why) => write!(f, "{}: {why}", path.display()),
            Self::Public(path) => write!(
                f,
                "{}: everyone on this machine can read the cluster's secret: chmod o-r it",
                path.display()
            ),
        }
    }
}

impl std::error::Error for SecretError {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(not shown)")
    }
}

impl Secret {
    /// From its text; blanks and line ends around it are not part of it.
    ///
    /// # Errors
    /// Refuses an empty one and one of absurd length.
    pub fn new(text: &str) -> Result<Self, SecretError> {
        let text = text.trim();
        match text.len() {
            0 => Err(SecretError::Empty),
            1..=SECRET_BYTES_MAX => Ok(Self(Salt::new(HKDF_SHA256, SALT).extract(text.as_bytes()))),
            _ => Err(SecretError::TooLong),
        }
    }

    /// What nodes know each other by that are told nothing, and reach no other machine:
    /// whoever is on this one may join.
    #[must_use]
    pub fn of_machine() -> Self {
        Self(Salt::new(HKDF_SHA256, SALT).extract(OF_MACHINE))
    }

    /// From a file with nothing else in it.
    ///
    /// # Errors
    /// As [`Secret::new`], and refuses a file that is not there, is no text or
    /// can be read by everyone.
    pub fn from_file(path: &Path) -> Result<Self, SecretError> {
        let unreadable = |why| SecretError::Unreadable(path.to_owned(), why);
        let file = File::open(path).map_err(unreadable)?;
        let mode = file.metadata().map_err(unreadable)?.permissions().mode();
        if mode & 0o004 != 0 {
            return Err(SecretError::Public(path.to_owned()));
        }
        let mut text = String::new();
        // One byte more than a secret has tells that the file is too long.
        file.take(SECRET_BYTES_MAX as u64 + 1).read_to_string(&mut text).map_err(unreadable)?;
        if text.len() > SECRET_BYTES_MAX {
            return Err(SecretError::TooLong);
        }
        Self::new(&text)
    }

    /// The seed of the ring's hashes, so that outsiders cannot aim keys at a node.
    #[must_use]
    pub fn ring_seed(&self, cluster: &str) -> u64 {
        u64::from_le_bytes(self.derive("ring seed", cluster.as_bytes()))
    }

    /// The key that gossip is sealed with.
    #[must_use]
    pub fn gossip_key(&self, cluster: &str) -> [u8; 32] {
        self.derive("gossip key", cluster.as_bytes())
    }

    /// The seed of the Ed25519 key that signs the certificates of nodes. The
    /// cluster's name is not in it: nodes of two clusters with one secret are to
    /// come as far as their hellos, which say what differs.
    #[must_use]
    pub fn ca_key(&self) -> [u8; 32] {
        self.derive("certificate authority key", b"")
    }

    /// What operators show a node. `of` is empty where there is a secret: whoever has that is to
    /// need nothing else.
    #[must_use]
    pub fn admin_token(&self, of: &str) -> [u8; 32] {
        self.derive("admin token", of.as_bytes())
    }

    /// What a node marks its connections with, so that after a restart it can
    /// tell its peers that it knows nothing of those before.
    pub(super) fn reset_key(&self, node: NodeId) -> [u8; 32] {
        self.derive("connection reset key", &node.0.to_le_bytes())
    }

    fn derive<const BYTES: usize>(&self, label: &str, of: &[u8]) -> [u8; BYTES] {
        let mut key = [0; BYTES];
        // No label has a zero in it, so no two pairs look alike when joined.
        let info = [label.as_bytes(), b"\0", of];
        let expanded = self.0.expand(&info, Bytes(BYTES));
        expanded.and_then(|okm| okm.fill(&mut key)).expect("few bytes and a fitting length");
        key
    }
}

struct Bytes(usize);

impl KeyType for Bytes {
    fn len(&self) -> usize {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{Permissions, remove_file, set_permissions, write};

    fn hex(bytes: &[u8]) -> String {
        let digit = |digit| char::from_digit(u32::from(digit), 16).unwrap();
        bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
    }

    /// Nodes of different builds have to make the same keys.
    #[test]
    fn keys_never_change() {
        let secret = Secret::new("correct horse battery staple").unwrap();
        assert_eq!(format!("{:016x}", secret.ring_seed("shop")), "65f6a3d1c48a1b0a");
        assert_eq!(
            hex(&secret.gossip_key("shop")),
            "a6cd4f3a8156cc1001be3e8562e51097727407fb0b9e7269c4580dfb004b3530"
        );
        assert_eq!(
            hex(&secret.ca_key()),
            "10ae8f41086680c266ad81c4e132dd74223023622420dd9200e590e72d71f3ac"
        );
        assert_eq!(
            hex(&secret.reset_key(NodeId(1))),
            "b6d3773d0cf99652360ac9fbcfbdb1c1d3ab91556048e30edee6c35e48b5016e"
        );
    }

    #[test]
    fn tokens_never_change() {
        let secret = Secret::new("correct horse battery staple").unwrap();
        assert_eq!(
            hex(&secret.admin_token("")),
            "e0d8182b10e9fc9c86ba36ddfe81e9a111b8aadd43ab006726fd9839d7e62e6b"
        );
        assert_eq!(
            hex(&Secret::of_machine().admin_token("shop")),
            "c72fad675e69fada78d3e0cece02d86a0a010b5b3e752ad241aba6b57931c798"
        );
        let said = "no secret: whoever is on this machine may join";
        let by_text = Secret::new(said).unwrap();
        assert_eq!(Secret::of_machine().gossip_key("shop"), by_text.gossip_key("shop"));
    }

    #[test]
    fn clusters_and_secrets_have_keys_of_their_own() {
        let (one, other) = (Secret::new("one").unwrap(), Secret::new("other").unwrap());
        assert_ne!(one.ring_seed("shop"), one.ring_seed("shop2"));
        assert_ne!(one.gossip_key("shop"), one.gossip_key("shop2"));
        assert_ne!(one.gossip_key("shop"), other.gossip_key("shop"));
        assert_ne!(one.ca_key(), other.ca_key());
        assert_ne!(one.ca_key(), one.gossip_key(""));
    }

    #[test]
    fn its_text_is_not_shown() {
        let secret = Secret::new("hunter2").unwrap();
        assert_eq!(format!("{secret:?}"), "Secret(not shown)");
    }

    #[test]
    fn what_is_no_secret_is_refused() {
        let refusal = |text: &str| Secret::new(text).unwrap_err().to_string();
        assert_eq!(refusal(" \n"), "the cluster's secret is empty");
        assert!(refusal(&"x".repeat(SECRET_BYTES_MAX + 1)).contains("more than"));
    }

    #[test]
    fn a_file_is_read_if_it_is_secret() {
        let path = std::env::temp_dir().join(format!("ringcached-secret-{}", std::process::id()));
        write(&path, " correct horse\n").unwrap();
        set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        let public = Secret::from_file(&path).unwrap_err().to_string();
        set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        let secret = Secret::from_file(&path).unwrap();
        write(&path, "\n").unwrap();
        let empty = Secret::from_file(&path).unwrap_err();
        write(&path, vec![b'x'; SECRET_BYTES_MAX + 2]).unwrap();
        let long = Secret::from_file(&path).unwrap_err();
        remove_file(&path).unwrap();
        let missing = Secret::from_file(&path).unwrap_err();
        assert!(public.ends_with("can read the cluster's secret: chmod o-r it"), "{public}");
        assert_eq!(secret.ca_key(), Secret::new("correct horse").unwrap().ca_key());
        assert!(matches!(empty, SecretError::Empty));
        assert!(matches!(long, SecretError::TooLong));
        assert!(matches!(missing, SecretError::Unreadable(..)));
    }
}
