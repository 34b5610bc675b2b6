//! Who a node is towards other nodes: its certificate, and whose it trusts.
//!
//! With a secret all nodes make the same authority of it, by name and key, and
//! each mints itself a certificate under it. Or the operator has an authority
//! and gives each node its certificate in files.
//!
//! Names in certificates are for people who look at one: whoever is signed by
//! the authority is a node of the cluster, and which one it is it says itself.

use crate::net::secret::Secret;
use crate::net::tls::{TlsError, certificates, private_key};
use crate::ring::NodeId;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ED25519,
};
use ring::digest::{SHA256, digest};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::{fmt, slice};
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::client::{Resumption, verify_server_cert_signed_by_trust_anchor};
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::pki_types::{
    CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime,
};
use tokio_rustls::rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use tokio_rustls::rustls::version::TLS13;
use tokio_rustls::rustls::{
    self, CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig,
    SignatureScheme,
};

/// What peers speak inside of TLS.
const ALPN: &[u8] = b"ringcached/1";

/// The name of the authority that is made of a secret, the same on all nodes.
const AUTHORITY: &str = "ringcached cluster";

/// What an Ed25519 key is led in by where it is written as PKCS 8 (RFC 8410).
const ED25519_PKCS8: [u8; 16] =
    *b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";

/// An operator's own certificates, in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerFiles {
    /// Whose signature makes a node.
    pub ca: PathBuf,
    /// The node's certificates, its own first.
    pub chain: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// What peers prove that they belong together by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    Secret,
    Files,
}

/// What a node shows to its peers, and what it asks of them.
#[derive(Clone)]
pub struct Identity {
    pub(super) client: Arc<QuicClientConfig>,
    pub(super) server: Arc<QuicServerConfig>,
    pub(super) proof: Proof,
    pub(super) reset_key: [u8; 32],
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("proof", &self.proof).finish_non_exhaustive()
    }
}

impl Identity {
    /// Mints a certificate under the authority that all nodes with this secret
    /// have in common.
    ///
    /// # Errors
    /// Where the machine gives no random numbers for its key.
    pub fn from_secret(secret: &Secret, cluster: &str, node: NodeId) -> Result<Self, TlsError> {
        let (authority, signs) = authority(secret)?;
        let key = KeyPair::generate_for(&PKCS_ED25519).map_err(refused)?;
        let issuer = Issuer::from_params(&authority, &signs);
        let leaf = leaf(cluster, node)?.signed_by(&key, &issuer).map_err(refused)?;
        let root = authority.self_signed(&signs).map_err(refused)?;
        let mut roots = RootCertStore::empty();
        roots.add(root.der().clone()).map_err(refused)?;
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let chain = vec![leaf.der().clone()];
        let reset_key = secret.reset_key(node);
        Self::new(roots, chain, key, Proof::Secret, reset_key).map_err(refused)
    }

    /// Reads the certificates that an operator made. Reading them again gives an
    /// identity for [`Peers::renew`](super::Peers::renew).
    ///
    /// # Errors
    /// Where a file is missing or wrong, or they do not go together.
    pub fn from_files(files: &PeerFiles) -> Result<Self, TlsError> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates(&files.ca)? {
            let reason = |why: rustls::Error| why.to_string();
            let added = roots.add(certificate).map_err(reason);
            added.map_err(|reason| TlsError::File { path: files.ca.clone(), reason })?;
        }
        let (chain, key) = (certificates(&files.chain)?, private_key(&files.key)?);
        check_signature(files, &roots, &chain)?;
        let mut reset_key = [0; 32];
        reset_key.copy_from_slice(digest(&SHA256, key.secret_der()).as_ref());
        let made = Self::new(roots, chain, key, Proof::Files, reset_key);
        made.map_err(|why| TlsError::File { path: files.key.clone(), reason: why.to_string() })
    }

    fn new(
        roots: RootCertStore,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        proof: Proof,
        reset_key: [u8; 32],
    ) -> Result<Self, rustls::Error> {
        let provider = Arc::new(default_provider());
        let roots = Arc::new(roots);
        let client = client(&provider, &roots, chain.clone(), key.clone_key())?;
        let server = server(&provider, &roots, chain, key)?;
        let unfit = |_| rustls::Error::General("no cipher suite that QUIC begins with".into());
        Ok(Self {
            client: Arc::new(QuicClientConfig::try_from(client).map_err(unfit)?),
            server: Arc::new(QuicServerConfig::try_from(server).map_err(unfit)?),
            proof,
            reset_key,
        })
    }
}

/// Whether other nodes will take this for a node's, on both ends of a link. Whether it
/// is out of date they say themselves: clocks differ.
fn check_signature(
    files: &PeerFiles,
    roots: &RootCertStore,
    chain: &[CertificateDer<'static>],
) -> Result<(), TlsError> {
    let wrong = |reason| TlsError::File { path: files.chain.clone(), reason };
    let (provider, roots) = (Arc::new(default_provider()), Arc::new(roots.clone()));
    let algorithms = provider.signature_verification_algorithms;
    let as_server = Signed { roots: Arc::clone(&roots), algorithms };
    let as_client = WebPkiClientVerifier::builder_with_provider(roots, provider).build();
    let as_client = as_client.map_err(refused)?;
    let Some((own, rest)) = chain.split_first() else { return Err(wrong("empty".to_owned())) };
    let (name, now) = (ServerName::from(Ipv4Addr::LOCALHOST), UnixTime::now());
    let looks = [
        as_server.verify_server_cert(own, rest, &name, &[], now).map(drop),
        as_client.verify_client_cert(own, rest, now).map(drop),
    ];
    for look in looks {
        match look {
            Ok(()) => {}
            Err(rustls::Error::InvalidCertificate(why)) if is_of_time(&why) => {}
            // Another authority of the same name has another key.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::UnknownIssuer | CertificateError::BadSignature,
            )) => {
                let ca = files.ca.display();
                return Err(wrong(format!("no certificate in {ca} has signed it")));
            }
            Err(why) => return Err(wrong(why.to_string())),
        }
    }
    Ok(())
}

fn is_of_time(why: &CertificateError) -> bool {
    matches!(
        why,
        CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. }
    )
}

fn client(
    provider: &Arc<CryptoProvider>,
    roots: &Arc<RootCertStore>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ClientConfig, rustls::Error> {
    let algorithms = provider.signature_verification_algorithms;
    let verifier = Arc::new(Signed { roots: Arc::clone(roots), algorithms });
    let mut client = ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&[&TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_client_auth_cert(chain, key)?;
    client.alpn_protocols = vec![ALPN.to_vec()];
    // Each connection shows its certificate anew: it may have been replaced.
    client.resumption = Resumption::disabled();
    client.enable_sni = false;
    Ok(client)
}

fn server(
    provider: &Arc<CryptoProvider>,
    roots: &Arc<RootCertStore>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ServerConfig, rustls::Error> {
    let asks = WebPkiClientVerifier::builder_with_provider(Arc::clone(roots), Arc::clone(provider));
    let asks = asks.build().map_err(|why| rustls::Error::General(why.to_string()))?;
    let mut server = ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(asks)
        .with_single_cert(chain, key)?;
    server.alpn_protocols = vec![ALPN.to_vec()];
    server.send_tls13_tickets = 0;
    Ok(server)
}

/// The authority of a secret: what is in its certificate, and its key.
fn authority(secret: &Secret) -> Result<(CertificateParams, KeyPair), TlsError> {
    let pkcs8 = [&ED25519_PKCS8[..], &secret.ca_key()].concat();
    let pkcs8 = PrivatePkcs8KeyDer::from(pkcs8);
    let key = KeyPair::from_pkcs8_der_and_sign_algo(&pkcs8, &PKCS_ED25519).map_err(refused)?;
    let mut authority = CertificateParams::default();
    authority.distinguished_name.push(DnType::CommonName, AUTHORITY);
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    Ok((authority, key))
}

/// What a node's certificate says. It does not end: what ends it is another
/// secret.
fn leaf(cluster: &str, node: NodeId) -> Result<CertificateParams, TlsError> {
    let id = format!("{:016x}", node.0);
    let mut leaf =
        CertificateParams::new(slice::from_ref(&format!("{id}.ringcached"))).map_err(refused)?;
    leaf.distinguished_name.push(DnType::CommonName, id);
    leaf.distinguished_name.push(DnType::OrganizationName, cluster);
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    leaf.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    Ok(leaf)
}

fn refused(why: impl fmt::Display) -> TlsError {
    TlsError::Refused(why.to_string())
}

/// Trusts whoever the authority signed, whatever its name.
#[derive(Debug)]
struct Signed {
    roots: Arc<RootCertStore>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Signed {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let certificate = ParsedCertificate::try_from(end_entity)?;
        let (roots, algorithms) = (&self.roots, self.algorithms.all);
        verify_server_cert_signed_by_trust_anchor(
            &certificate,
            roots,
            intermediates,
            now,
            algorithms,
        )?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
