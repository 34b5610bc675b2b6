//! Files of secrets, which are read again while the program runs.

use crate::node::{Client, Node, path};
use std::fs::{self, Permissions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, crypto};

/// A file of users that only its owner may read.
fn users(name: &str, text: &str) -> PathBuf {
    let users = path(name);
    fs::write(&users, text).unwrap();
    fs::set_permissions(&users, Permissions::from_mode(0o600)).unwrap();
    users
}

/// What a new client reads that says it is this one.
fn introduction(node: &Node, pair: &str) -> String {
    let Client(mut stream) = node.connect();
    write!(stream.get_mut(), "set a 0 0 {}\r\n{pair}\r\n", pair.len()).unwrap();
    let mut line = String::new();
    stream.read_line(&mut line).unwrap();
    line
}

#[test]
fn users_are_read_again() {
    let users = users("renewed-users", "ann:one\n");
    let node = Node::start("renewed", &format!("-Y {}", users.display()));
    assert_eq!(introduction(&node, "ann one"), "STORED\r\n");
    fs::write(&users, "bob:two\ncarol:three\n").unwrap();
    node.signal("HUP");
    node.hear("SIGHUP: 2 users");
    assert_eq!(introduction(&node, "bob two"), "STORED\r\n");
    assert_eq!(introduction(&node, "ann one"), "CLIENT_ERROR authentication failure\r\n");
    fs::write(&users, "dan:four\nno colon\n").unwrap();
    node.signal("HUP");
    let said = node.hear("SIGHUP: the old users stay");
    assert!(said.contains("renewed-users: line 2: "), "{said}");
    assert_eq!(introduction(&node, "bob two"), "STORED\r\n");
    assert_eq!(introduction(&node, "dan four"), "CLIENT_ERROR authentication failure\r\n");
    assert!(!said.contains("warning"), "{said}");
}

#[test]
fn passwords_that_all_may_read_are_warned_of() {
    let users = users("public-users", "ann:one\n");
    fs::set_permissions(&users, Permissions::from_mode(0o644)).unwrap();
    let node = Node::start("public", &format!("-Y {}", users.display()));
    assert_eq!(introduction(&node, "ann one"), "STORED\r\n");
    assert!(node.stop().contains("warning: -Y"));
}

/// A certificate that vouches for itself, where the program looks for it.
struct Certificate {
    chain: PathBuf,
    key: PathBuf,
    pem: String,
}

impl Certificate {
    fn new(name: &str) -> Self {
        let (chain, key) = (path(&format!("{name}.pem")), path(&format!("{name}.key")));
        let mut certificate = Self { chain, key, pem: String::new() };
        certificate.renew();
        certificate
    }

    fn renew(&mut self) {
        let made = rcgen::generate_simple_self_signed(["cache.test".to_owned()]).unwrap();
        self.pem = made.cert.pem();
        fs::write(&self.chain, &self.pem).unwrap();
        fs::write(&self.key, made.signing_key.serialize_pem()).unwrap();
    }

    /// What a client is answered that trusts in this certificate only.
    fn ask(&self, node: &Node, request: &str) -> io::Result<String> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.pem.as_bytes()).unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(crypto::ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = "cache.test".try_into().unwrap();
        let session = ClientConnection::new(Arc::new(config), name).unwrap();
        let Client(plain) = node.connect();
        let stream: TcpStream = plain.into_inner();
        let mut stream = BufReader::new(StreamOwned::new(session, stream));
        stream.get_mut().write_all(format!("{request}\r\nquit\r\n").as_bytes())?;
        let mut reply = String::new();
        stream.read_to_string(&mut reply)?;
        Ok(reply)
    }
}

#[test]
fn certificates_are_read_again() {
    let mut certificate = Certificate::new("renewed");
    let (chain, key) = (certificate.chain.display(), certificate.key.display());
    let key = key.to_string();
    let flags = format!("-Z --tls-cert {chain} --tls-key {key} -o ssl_min_version=3");
    let node = Node::start("certificates", &flags);
    assert_eq!(certificate.ask(&node, "mn").unwrap(), "MN\r\n");
    let settings = certificate.ask(&node, "stats settings").unwrap();
    for line in ["ssl_enabled yes", &format!("ssl_key {key}"), "ssl_min_version tlsv1.3"] {
        assert!(settings.contains(&format!("STAT {line}\r\n")), "{line}: {settings}");
    }

    certificate.renew();
    certificate.ask(&node, "mn").unwrap_err();
    node.signal("HUP");
    node.hear("SIGHUP: new connections get the new certificates");
    assert_eq!(certificate.ask(&node, "mn").unwrap(), "MN\r\n");

    let old = Certificate { pem: certificate.pem.clone(), ..Certificate::new("renewed") };
    assert_eq!(old.ask(&node, "refresh_certs").unwrap(), "OK\r\n");
    old.ask(&node, "mn").unwrap_err();
    let new = Certificate { pem: fs::read_to_string(&old.chain).unwrap(), ..old };
    assert_eq!(new.ask(&node, "mn").unwrap(), "MN\r\n");

    fs::write(&new.chain, "no certificate").unwrap();
    let refused = new.ask(&node, "refresh_certs").unwrap();
    assert!(refused.starts_with("Error loading the certificates"), "{refused}");
    node.signal("HUP");
    node.hear("SIGHUP: the old certificates stay");
    assert_eq!(new.ask(&node, "mn").unwrap(), "MN\r\n");
}
