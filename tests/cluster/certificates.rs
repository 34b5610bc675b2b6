//! Nodes that know each other by an authority of the operator's own.

use super::node::{Node, path, wait_until};
use super::nodes::{all_serve, another, listed, nodes};
use super::strange::all_is_written;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
};
use std::fs;

type Issuer = CertifiedIssuer<'static, KeyPair>;

/// The files of one node, and who has signed them.
struct Files {
    name: String,
    issuer: Issuer,
}

impl Files {
    /// Those of a new authority.
    fn new(name: &str) -> Self {
        let files = Self { name: format!("peers-{name}"), issuer: authority() };
        files.write();
        files
    }

    /// Another authority in their place.
    fn renew(&mut self) {
        self.issuer = authority();
        self.write();
    }

    fn write(&self) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["node.test".to_owned()]).unwrap();
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let leaf = params.signed_by(&key, &self.issuer).unwrap();
        self.put("ca", &self.issuer.pem());
        self.put("cert", &leaf.pem());
        self.put("key", &key.serialize_pem());
    }

    fn put(&self, what: &str, text: &str) {
        fs::write(path(&format!("{}-{what}.pem", self.name)), text).unwrap();
    }

    fn flags(&self) -> String {
        let flag = |what: &str| {
            let file = path(&format!("{}-{what}.pem", self.name));
            format!("--peer-{what} {} ", file.display())
        };
        ["ca", "cert", "key"].map(flag).concat()
    }
}

fn authority() -> Issuer {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    Issuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// One that none of these will link to, started to join them.
fn stranger(nodes: &[Node], name: &str, flags: &str) -> Node {
    let join = nodes[0].ready["peer"].as_str().unwrap();
    let flags =
        format!("-p 0 -t 1 --peer-listen 127.0.0.1:0 --join {join} --node-id {name} {flags}");
    Node::begin_as(name, &flags)
}

#[test]
fn nodes_of_one_authority_link_and_others_are_refused() {
    let (ours, theirs) = (Files::new("ours"), Files::new("theirs"));
    let nodes = nodes("authority", 2, &ours.flags());
    nodes[0].connect().ask("set k 0 0 1\r\nx\r\n", "STORED\r\n");
    nodes[1].connect().ask("get k\r\n", "VALUE k 0 1\r\nx\r\nEND\r\n");
    for (name, flags) in [("another-authority", theirs.flags()), ("no-authority", String::new())] {
        let stranger = stranger(&nodes, name, &flags);
        let line = "refused what=call from=127.0.0.1 why=\"the certificate authority differs\"";
        nodes[0].hear(line);
        stranger.hear("refused what=call from=127.0.0.1 why=\"the ");
        // It counts for nothing. Of two, each has its part of the ring for a while, and
        // some keys have no other owner.
        if name == "another-authority" {
            all_is_written(&nodes[0], || true);
        }
        assert_eq!(listed(&nodes[0]), 2);
        drop(stranger);
    }
}

#[test]
fn certificates_of_links_are_read_again() {
    let mut files = Files::new("renewed");
    let mut nodes = nodes("renewed", 2, &files.flags());
    files.renew();
    nodes[0].signal("HUP");
    nodes[0].hear("SIGHUP: new links to other nodes get the new certificates");
    nodes[1].connect().ask("refresh_certs\r\n", "OK\r\n");
    let third = another(&nodes, "renewed", 2, &files.flags());
    nodes.push(third);
    all_serve(&nodes);
    let linked = |node: &Node| {
        let lines = node.connect().lines("stats cluster\r\n");
        lines.iter().filter(|line| line.ends_with(":linked yes")).count()
    };
    for node in &nodes {
        wait_until("all are linked", || linked(node) == 2);
    }
}

#[test]
fn certificates_of_links_that_are_no_good_are_refused() {
    let (files, others) = (Files::new("good"), Files::new("other"));
    let mut nodes = nodes("bad-files", 1, &files.flags());
    let node = &nodes[0];
    let key = fs::read_to_string(path("peers-good-key.pem")).unwrap();
    let cert = fs::read_to_string(path("peers-good-cert.pem")).unwrap();
    let wrongs = [
        ("cert", "nothing".to_owned(), "peers-good-cert.pem: no certificate in it"),
        ("ca", others.issuer.pem(), "peers-good-ca.pem has signed it"),
        ("key", KeyPair::generate().unwrap().serialize_pem(), "peers-good-key.pem: "),
    ];
    for (what, text, why) in wrongs {
        files.put(what, &text);
        node.signal("HUP");
        let said = node.hear(why);
        assert!(said.contains("SIGHUP: the old certificates for other nodes stay: "), "{said}");
        node.connect().ask("refresh_certs\r\n", "Error loading the certificates");
        let said = node.hear("refresh_certs: the old certificates stay: ");
        assert!(!said.contains("new certificates"), "{said}");
        files.put("ca", &files.issuer.pem());
        files.put("cert", &cert);
        files.put("key", &key);
    }
    // Those in use are as before.
    let second = another(&nodes, "bad-files", 1, &files.flags());
    nodes.push(second);
    all_serve(&nodes);
}
