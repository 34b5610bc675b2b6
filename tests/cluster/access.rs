//! `members` and `status` of a node that lets in whom it knows.

use super::node::{Node, path, program};
use super::nodes::another;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

/// A certificate for this machine that vouches for itself, and its key, in files.
fn certificate(name: &str) -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let write = |what: &str, text: String| {
        let path = path(&format!("access-{name}-{what}.pem"));
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    (write("cert", made.cert.pem()), write("key", made.signing_key.serialize_pem()))
}

/// A file with this text that so many may read.
fn secret(name: &str, text: &str, mode: u32) -> String {
    let path = path(&format!("access-{name}"));
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    path.display().to_string()
}

/// The exit code, and what is said on both streams.
fn ask(node: &Node, flags: &str, password: Option<&str>) -> (i32, String) {
    let mut command = program(&format!("status --server {} {flags}", node.address()));
    command.env_remove("RINGCACHED_PASSWORD");
    if let Some(password) = password {
        command.env("RINGCACHED_PASSWORD", password);
    }
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(text).unwrap())
}

#[track_caller]
fn says(told: &(i32, String), code: i32, text: &str) {
    assert!(told.0 == code && told.1.contains(text), "{told:?}");
}

#[test]
fn who_is_known_is_let_in() {
    let (cert, key) = certificate("node");
    let users = secret("users", "ann:secret word\n", 0o600);
    let flags = format!("-Z --tls-cert {cert} --tls-key {key} -Y {users}");
    let node = another(&[], "access", 0, &flags);
    let tls = format!("--tls --ca {cert}");
    let ann = format!("{tls} --user ann");

    says(&ask(&node, &ann, Some("secret word")), 0, "HEALTHY");
    let file = secret("password", "secret word\n", 0o600);
    let by_file = format!("{ann} --password-file {file}");
    says(&ask(&node, &by_file, None), 0, "HEALTHY");
    let line = format!("members --server {} {by_file}", node.address());
    assert!(program(&line).output().unwrap().status.success());

    says(&ask(&node, &ann, Some("another word")), 1, "authentication failure");
    says(&ask(&node, &tls, None), 1, "name one with --user");
    says(&ask(&node, "--user ann", Some("secret word")), 1, "speaks TLS: say --tls");
    says(&ask(&node, &ann, None), 2, "set RINGCACHED_PASSWORD");
    let public = secret("public", "secret word\n", 0o644);
    let by_public = format!("{ann} --password-file {public}");
    says(&ask(&node, &by_public, None), 2, "everyone on this machine can read it");
    let (other, _) = certificate("other");
    says(&ask(&node, &format!("--ca {other}"), None), 1, "certificate");
    says(&ask(&node, "--ca /no/such/file", None), 2, "/no/such/file: ");
}

#[test]
fn who_is_asked_for_a_certificate_shows_it() {
    let ((cert, key), (mine, my_key)) = (certificate("asks"), certificate("shows"));
    let flags = format!("-Z --tls-cert {cert} --tls-key {key} --tls-ca {mine}");
    let node = another(&[], "shows", 0, &flags);
    let shown = format!("--ca {cert} --cert {mine} --key {my_key}");
    says(&ask(&node, &shown, None), 0, "HEALTHY");
    let (code, said) = ask(&node, &format!("--ca {cert}"), None);
    assert!(code == 1 && said.starts_with("error: "), "{code} {said}");
}
