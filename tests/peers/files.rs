//! An operator's own authority, in files.

use quinn::ClientConfig;
use quinn::crypto::rustls::QuicClientConfig;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    date_time_ymd,
};
use ringcached::net::peers::{Identity, PeerFiles};
use std::path::PathBuf;
use std::sync::Arc;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::version::TLS13;
use tokio_rustls::rustls::{self, RootCertStore};

pub(crate) struct Authority {
    folder: PathBuf,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let folder = format!("ringcached-peers-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(folder);
        std::fs::create_dir_all(&folder).unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Self { folder, issuer }
    }

    fn leaf(&self, last_year: i32) -> (CertificateDer<'static>, String, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["node.test".to_owned()]).unwrap();
        params.not_after = date_time_ymd(last_year, 1, 1);
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let leaf = params.signed_by(&key, &self.issuer).unwrap();
        (leaf.der().clone(), leaf.pem(), key)
    }

    pub(crate) fn identity(&self) -> Identity {
        self.identity_until(4000)
    }

    pub(crate) fn expired_identity(&self) -> Identity {
        self.identity_until(2001)
    }

    fn identity_until(&self, last_year: i32) -> Identity {
        let (_, leaf, key) = self.leaf(last_year);
        let written = |name: &str, text: String| {
            let path = self.folder.join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let files = PeerFiles {
            ca: written("ca.pem", self.issuer.pem()),
            chain: written("chain.pem", leaf),
            key: written("key.pem", key.serialize_pem()),
        };
        Identity::from_files(&files).unwrap()
    }

    /// A client that nodes take for a node, until it speaks.
    pub(crate) fn client(&self) -> ClientConfig {
        let (leaf, _, key) = self.leaf(4000);
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        quic(self.trusting().with_client_auth_cert(vec![leaf], key).unwrap())
    }

    pub(crate) fn client_without_certificate(&self) -> ClientConfig {
        quic(self.trusting().with_no_client_auth())
    }

    fn trusting(
        &self,
    ) -> rustls::ConfigBuilder<rustls::ClientConfig, rustls::client::WantsClientCert> {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).unwrap();
        rustls::ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(&[&TLS13])
            .unwrap()
            .with_root_certificates(roots)
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn quic(mut client: rustls::ClientConfig) -> ClientConfig {
    client.alpn_protocols = vec![b"ringcached/1".to_vec()];
    ClientConfig::new(Arc::new(QuicClientConfig::try_from(client).unwrap()))
}
