//! `-l`: where to listen.

use crate::cli::CliError;
use crate::limits::LISTENERS_MAX;
use crate::node::{ListenAt, Speech};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};

/// All that `-l` names, with this port where it names none; the loopback address
/// where it names nothing.
pub(super) fn all(listen: &[String], port: u16, speech: Speech) -> Result<Vec<ListenAt>, CliError> {
    if listen.is_empty() {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        return Ok(vec![ListenAt { address, speech }]);
    }
    let mut all: Vec<ListenAt> = Vec::new();
    for text in listen {
        let (text, speech) = match text.strip_prefix("notls:") {
            Some(rest) => (rest, Speech::Plain),
            None => (text.as_str(), speech),
        };
        for address in resolve(text, port)? {
            if !all.iter().any(|at| at.address == address && address.port() != 0) {
                all.push(ListenAt { address, speech });
            }
        }
    }
    match all.len() {
        0..=LISTENERS_MAX => Ok(all),
        more => {
            Err(CliError::Usage(format!("{more} addresses to listen on, at most {LISTENERS_MAX}")))
        }
    }
}

/// Whether one of them has its own port.
pub(super) fn names_a_port(listen: &[String]) -> bool {
    let rests = listen.iter().map(|text| text.strip_prefix("notls:").unwrap_or(text));
    rests.into_iter().any(|text| {
        let is_whole = |text: &str| text.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
        !is_whole(text) && text.contains(':')
    })
}

fn resolve(text: &str, port: u16) -> Result<Vec<SocketAddr>, CliError> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    if let Ok(address) = bare.parse::<IpAddr>() {
        return Ok(vec![(address, port).into()]);
    }
    let found = match text.contains(':') {
        true => text.to_socket_addrs(),
        false => (text, port).to_socket_addrs(),
    };
    match found.map(Iterator::collect::<Vec<_>>) {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(CliError::Usage(format!("-l {text}: no such address"))),
        Err(why) => Err(CliError::Usage(format!("-l {text}: {why}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(listen: &[&str]) -> Vec<String> {
        let listen: Vec<String> = listen.iter().map(ToString::to_string).collect();
        let all = all(&listen, 11_211, Speech::Tls).unwrap();
        all.iter().map(|at| format!("{} {:?}", at.address, at.speech)).collect()
    }

    #[test]
    fn addresses_come_with_ports_and_without() {
        assert_eq!(shown(&[]), ["127.0.0.1:11211 Tls"]);
        assert_eq!(
            shown(&["10.0.0.1", "10.0.0.2:99", "::1", "[::1]:7", "[::2]", "notls:10.0.0.3:5"]),
            [
                "10.0.0.1:11211 Tls",
                "10.0.0.2:99 Tls",
                "[::1]:11211 Tls",
                "[::1]:7 Tls",
                "[::2]:11211 Tls",
                "10.0.0.3:5 Plain",
            ]
        );
        assert_eq!(shown(&["10.0.0.1", "10.0.0.1:11211"]), ["10.0.0.1:11211 Tls"]);
    }

    #[test]
    fn own_ports_are_noticed() {
        let names = |text: &str| names_a_port(&[text.to_owned()]);
        assert!(names("10.0.0.1:5") && names("[::1]:5") && names("notls:localhost:5"));
        assert!(!names("10.0.0.1") && !names("::1") && !names("[::1]") && !names("localhost"));
    }

    #[test]
    fn wrong_addresses_are_named() {
        for text in ["", "10.0.0.1:99999", "10.0.0.1:x", "no such host"] {
            let refused = all(&[text.to_owned()], 1, Speech::Plain).unwrap_err().to_string();
            assert!(refused.starts_with(&format!("-l {text}: ")), "{refused}");
        }
    }
}
