//! TLS towards clients, with certificates made on the spot.

use crate::echo::Value;
use crate::house::{Client, House, config};
use crate::wait_until;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use ringcached::limits::HANDSHAKE_S;
use ringcached::net::{
    ClientCertificates, ClientsConfig, Patience, Stop, Tls, TlsFiles, TlsVersion,
};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{fs, io};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, crypto};

/// A certificate authority, and a folder with what it signed.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    folder: PathBuf,
}

impl Authority {
    fn new(name: &str) -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("tls-{name}"));
        fs::create_dir_all(&folder).unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        fs::write(folder.join("ca.pem"), &pem).unwrap();
        Self { issuer: Issuer::new(params, key), pem, folder }
    }

    /// A certificate for a name and its key, in PEM.
    fn sign(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    /// Signs for the server, and puts that where it is looked for.
    fn renew(&self, name: &str) {
        let (certificate, key) = self.sign(name);
        fs::write(self.folder.join("chain.pem"), certificate).unwrap();
        fs::write(self.folder.join("key.pem"), key).unwrap();
    }

    fn files(&self, clients: ClientCertificates) -> TlsFiles {
        TlsFiles {
            chain: self.folder.join("chain.pem"),
            key: Some(self.folder.join("key.pem")),
            client_ca: Some(self.folder.join("ca.pem")),
            clients,
            oldest: TlsVersion::V1_2,
        }
    }

    fn client_config(&self, own: Option<(String, String)>) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.pem.as_bytes()).unwrap()).unwrap();
        let builder = ClientConfig::builder_with_provider(crypto::ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        match own {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
                builder.with_client_auth_cert(chain, key).unwrap()
            }
        }
    }
}

type Secured = Client<StreamOwned<ClientConnection, TcpStream>>;

/// Connects and shakes hands.
fn connect(house: &House, name: &str, config: ClientConfig) -> io::Result<Secured> {
    let server = name.to_owned().try_into().unwrap();
    let mut session = ClientConnection::new(Arc::new(config), server).unwrap();
    let mut stream = house.connect().0.into_inner();
    while session.is_handshaking() {
        session.complete_io(&mut stream)?;
    }
    Ok(Client::new(StreamOwned::new(session, stream)))
}

#[test]
fn tls_serves_as_plain_does() {
    let authority = Authority::new("plain");
    authority.renew("cache.test");
    let tls = Arc::new(Tls::open(authority.files(ClientCertificates::Ignored)).unwrap());
    let house = House::open(&config(), Some(tls), Vec::new());
    let mut client = connect(&house, "cache.test", authority.client_config(None)).unwrap();
    client.ask("echo a\nbody 3\nabc", "a\ngot 3 294\n");
    client.send("echo b\nvalue\n");
    client.expect([b"b\n", &Value::bytes()[..]].concat());
    client.send(format!("body {}\n", 1 << 20));
    client.send(vec![1; 1 << 20]);
    client.expect(format!("got {0} {0}\n", 1 << 20));
}

#[test]
fn orderly_ends_are_said() {
    let authority = Authority::new("ends");
    authority.renew("cache.test");
    let tls = || Arc::new(Tls::open(authority.files(ClientCertificates::Ignored)).unwrap());
    let patience = Patience { idle_s: 1, ..Patience::default() };
    let house = House::open(&ClientsConfig { patience, ..config() }, Some(tls()), Vec::new());
    let mut idle = connect(&house, "cache.test", authority.client_config(None)).unwrap();
    idle.ask("echo a\n", "a\n");
    // Without a parting word the session takes the end of the stream for an attack.
    idle.expect_end();
    let mut quits = connect(&house, "cache.test", authority.client_config(None)).unwrap();
    quits.ask("echo a\nquit\n", "a\n");
    quits.expect_end();

    let house = House::open(&config(), Some(tls()), Vec::new());
    let mut waits = connect(&house, "cache.test", authority.client_config(None)).unwrap();
    waits.ask("echo a\n", "a\n");
    house.lobby.stopper.stop(Stop::Graceful);
    waits.expect_end();
    house.wait();
}

#[test]
fn silent_clients_do_not_delay_a_stop() {
    let authority = Authority::new("silent");
    authority.renew("cache.test");
    let tls = Arc::new(Tls::open(authority.files(ClientCertificates::Ignored)).unwrap());
    // Longer than a handshake may take, so that the end of that is not waited for either.
    let grace = Duration::from_secs(3600);
    let house = House::open(&ClientsConfig { grace, ..config() }, Some(tls), Vec::new());
    let mut silent = house.connect();
    wait_until("it is there", || house.figures().current == 1);
    let started = Instant::now();
    house.lobby.stopper.stop(Stop::Graceful);
    silent.expect_end();
    house.wait();
    assert!(started.elapsed() < Duration::from_secs(HANDSHAKE_S) / 2);
}

#[test]
fn silent_client_is_idle_once() {
    let authority = Authority::new("idle");
    authority.renew("cache.test");
    let tls = Arc::new(Tls::open(authority.files(ClientCertificates::Ignored)).unwrap());
    let patience = Patience { idle_s: 1, ..Patience::default() };
    let house = House::open(&ClientsConfig { patience, ..config() }, Some(tls), Vec::new());
    house.connect().expect_end();
    wait_until("it has gone", || house.figures().current == 0);
    let figures = house.figures();
    assert_eq!((figures.idle_kicks, figures.handshake_errors), (1, 0));
}

#[test]
fn certificates_change_while_connections_live() {
    let authority = Authority::new("reload");
    authority.renew("old.test");
    let tls = Arc::new(Tls::open(authority.files(ClientCertificates::Ignored)).unwrap());
    let house = House::open(&config(), Some(Arc::clone(&tls)), Vec::new());
    let mut old = connect(&house, "old.test", authority.client_config(None)).unwrap();
    authority.renew("new.test");
    tls.reload().unwrap();
    let mut new = connect(&house, "new.test", authority.client_config(None)).unwrap();
    new.ask("echo a\n", "a\n");
    old.ask("echo b\n", "b\n");

    fs::write(authority.folder.join("chain.pem"), "no certificate").unwrap();
    let refused = tls.reload().unwrap_err().to_string();
    assert!(refused.contains("chain.pem: no certificate"), "{refused}");
    let mut still = connect(&house, "new.test", authority.client_config(None)).unwrap();
    still.ask("echo c\n", "c\n");
}

#[test]
fn clients_show_certificates_when_asked() {
    let authority = Authority::new("mutual");
    authority.renew("cache.test");
    let tls = Arc::new(Tls::open(authority.files(ClientCertificates::Required)).unwrap());
    let house = House::open(&config(), Some(tls), Vec::new());
    let own = authority.sign("client.test");
    let mut known = connect(&house, "cache.test", authority.client_config(Some(own))).unwrap();
    known.ask("echo a\n", "a\n");
    // With TLS 1.3 a client learns of a refusal by its first read.
    if let Ok(unknown) = connect(&house, "cache.test", authority.client_config(None)) {
        let mut stream = unknown.0.into_inner();
        io::Read::read(&mut stream, &mut [0; 1]).unwrap_err();
    }
    wait_until("it is counted", || house.figures().handshake_errors == 1);
}

#[test]
fn plain_text_is_no_handshake() {
    let authority = Authority::new("garbage");
    authority.renew("cache.test");
    let tls = Arc::new(Tls::open(authority.files(ClientCertificates::Ignored)).unwrap());
    let house = House::open(&config(), Some(tls), Vec::new());
    house.connect().send("echo a\n");
    wait_until("it is counted", || house.figures().handshake_errors == 1);
    let mut client = connect(&house, "cache.test", authority.client_config(None)).unwrap();
    client.ask("echo b\n", "b\n");
}
