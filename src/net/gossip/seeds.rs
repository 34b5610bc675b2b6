//! Where other nodes may be: addresses, and names that are looked up again and
//! again.

use super::limits::SEEDS_MAX;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::lookup_host;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// Before the names of a service whose nodes come and go.
const DNS: &str = "dns://";

/// A name is looked up again after so long, and sooner when that has failed.
const LOOKUP_PERIOD: Duration = Duration::from_secs(30);
const LOOKUP_AGAIN: Duration = Duration::from_secs(2);

/// An answer is waited for so long.
const LOOKUP_MAX: Duration = Duration::from_secs(5);

/// Where other nodes may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seed {
    /// There.
    At(SocketAddr),
    /// At all addresses of `host:port`, whatever they are at the time.
    Named(Box<str>),
}

impl Seed {
    /// Reads an address, `host:port`, or `dns://name:port`. None if it has no
    /// port.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(address) = text.parse() {
            return Some(Self::At(address));
        }
        let named = text.strip_prefix(DNS).unwrap_or(text);
        let (host, port) = named.rsplit_once(':')?;
        let is_name = !host.is_empty() && !host.contains(['/', ':', ' ']);
        (is_name && port.parse::<u16>().is_ok()).then(|| Self::Named(named.into()))
    }
}

impl fmt::Display for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(address) => address.fmt(f),
            Self::Named(name) => f.write_str(name),
        }
    }
}

/// Where seeds are, as far as that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeedsFound {
    /// All addresses.
    pub addresses: Vec<SocketAddr>,
    /// Whether every name had some.
    pub complete: bool,
}

/// Looks the names up for as long as somebody wants to know.
pub(super) async fn look_up(seeds: Vec<Seed>, found: watch::Sender<SeedsFound>) {
    let names = seeds.iter().any(|seed| matches!(seed, Seed::Named(_)));
    loop {
        let (addresses, complete) = addresses(&seeds).await;
        if found.send(SeedsFound { addresses, complete }).is_err() || !names {
            return;
        }
        let rest = if complete { LOOKUP_PERIOD } else { LOOKUP_AGAIN };
        tokio::select! {
            () = sleep(rest) => {}
            () = found.closed() => return,
        }
    }
}

/// All addresses, and whether all names had some.
async fn addresses(seeds: &[Seed]) -> (Vec<SocketAddr>, bool) {
    let (mut addresses, mut complete) = (Vec::new(), true);
    for seed in seeds.iter().take(SEEDS_MAX) {
        match seed {
            Seed::At(address) => addresses.push(*address),
            Seed::Named(name) => match timeout(LOOKUP_MAX, lookup_host(&**name)).await {
                Ok(Ok(found)) => addresses.extend(found.take(SEEDS_MAX)),
                Ok(Err(_)) | Err(_) => complete = false,
            },
        }
    }
    addresses.sort_unstable();
    addresses.dedup();
    addresses.truncate(SEEDS_MAX);
    (addresses, complete)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_addresses_or_names_with_a_port() {
        let named = |name: &str| Some(Seed::Named(name.into()));
        assert_eq!(Seed::parse("10.0.0.1:7"), Some(Seed::At("10.0.0.1:7".parse().unwrap())));
        assert_eq!(Seed::parse("[::1]:7"), Some(Seed::At("[::1]:7".parse().unwrap())));
        assert_eq!(Seed::parse("host:7"), named("host:7"));
        assert_eq!(Seed::parse("dns://cache.svc:7"), named("cache.svc:7"));
        for wrong in ["", "host", ":7", "host:", "host:99999", "dns://", "http://host:7", "a b:7"] {
            assert_eq!(Seed::parse(wrong), None, "{wrong}");
        }
    }

    #[tokio::test]
    async fn addresses_need_no_lookup_and_unknown_names_are_tried_again() {
        let at: SocketAddr = "10.0.0.1:7".parse().unwrap();
        assert_eq!(addresses(&[Seed::At(at), Seed::At(at)]).await, (vec![at], true));
        let unknown = Seed::Named("no such name:7".into());
        assert_eq!(addresses(&[unknown, Seed::At(at)]).await, (vec![at], false));
    }
}
