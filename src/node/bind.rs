//! From the addresses asked for to sockets that listen.
//!
//! A node of a cluster that has its memory to read first lets nobody in by TCP meanwhile: the
//! system would take clients in as soon as it listens, and they would wait for all that time
//! though other nodes answer. Who is refused turns to those. Clients of a node alone wait, and
//! so do those of a path: they have nobody else to ask.
//!
//! All addresses are taken before the memory is read, so that one that is taken does not cost it.

use super::server::{ListenAt, ServerConfig, Speech, StartError, TakenPort};
use crate::limits::PORTS_TRIED;
use crate::net::{Listener, Tls};
use std::fs;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;

/// Where a node listens in the end.
#[derive(Debug)]
pub(super) struct Bound {
    pub(super) addresses: Vec<SocketAddr>,
    /// The port that was wanted, where another one was taken instead.
    pub(super) moved_from: Option<u16>,
}

impl Bound {
    /// The port for clients; zero is none.
    pub(super) fn port(&self) -> u16 {
        self.addresses.first().map_or(0, SocketAddr::port)
    }

    /// Where clients reach it, as other nodes tell them; empty for a path.
    pub(super) fn first(&self) -> Box<str> {
        self.addresses.first().map(SocketAddr::to_string).unwrap_or_default().into()
    }

    /// Where clients find it: host name, address and port; none for a path. A node
    /// that listens at all addresses goes by its host's name.
    pub(super) fn shown(&self) -> Option<String> {
        let own = self.addresses.iter().find(|at| !at.ip().is_unspecified());
        let named = || Some(format!("{}||{}", host_name()?, self.addresses.first()?.port()));
        own.map(|at| format!("{0}|{0}|{1}", at.ip(), at.port())).or_else(named)
    }
}

/// As the system knows it.
fn host_name() -> Option<String> {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    Some(name.trim_end().to_owned())
}

/// Takes all addresses, or none, and listens there; by TCP perhaps not before [`open`].
pub(super) fn all(
    config: &ServerConfig,
    tls: Option<&Arc<Tls>>,
) -> Result<(Vec<Listener>, Bound), StartError> {
    let backlog = config.settings.backlog;
    let (mut listeners, moved_from) = addresses(config, tls)?;
    let addresses = listeners.iter().filter_map(Listener::address).collect();
    if let Some(path) = &config.unix_socket {
        let listener = Listener::unix(path, config.settings.unix_mask, backlog);
        listeners.push(listener.map_err(|why| StartError::Path(path.clone(), why))?);
    }
    Ok((listeners, Bound { addresses, moved_from }))
}

/// Takes the address at which other nodes reach this one, if it is to have others. Nobody is
/// answered there yet.
pub(super) fn peers(config: &ServerConfig) -> Result<Option<UdpSocket>, StartError> {
    let Some(cluster) = &config.cluster else { return Ok(None) };
    let socket = UdpSocket::bind(cluster.listen);
    socket.map(Some).map_err(|why| match why.kind() {
        io::ErrorKind::AddrInUse => StartError::OthersTaken(cluster.listen),
        _ => StartError::Others(cluster.listen, why),
    })
}

/// Lets clients in, wherever that was not so yet.
pub(super) fn open(listeners: &[Listener]) -> Result<(), StartError> {
    for listener in listeners {
        let opened = listener.open();
        if let (Err(why), Some(address)) = (opened, listener.address()) {
            return Err(refused(address, why));
        }
    }
    Ok(())
}

/// Takes all addresses, with other ports than those asked for if need be
/// and that is wanted.
fn addresses(
    config: &ServerConfig,
    tls: Option<&Arc<Tls>>,
) -> Result<(Vec<Listener>, Option<u16>), StartError> {
    let tries = match config.taken {
        TakenPort::Refuse => 0,
        TakenPort::TryNext => PORTS_TRIED,
    };
    let mut raised = 0;
    loop {
        let bound = config.listen.iter().map(|at| one(at, raised, config, tls));
        match bound.collect() {
            Err(StartError::Taken(_)) if raised < tries => raised += 1,
            Err(error) => return Err(error),
            Ok(listeners) => {
                let wanted = config.listen.first().map(|at| at.address.port());
                return Ok((listeners, wanted.filter(|_| raised > 0)));
            }
        }
    }
}

fn one(
    at: &ListenAt,
    raised: u16,
    config: &ServerConfig,
    tls: Option<&Arc<Tls>>,
) -> Result<Listener, StartError> {
    let mut address = at.address;
    address.set_port(address.port().saturating_add(raised));
    let tls = match at.speech {
        Speech::Plain => None,
        Speech::Tls => Some(Arc::clone(tls.ok_or(StartError::NoCertificates)?)),
    };
    let backlog = config.settings.backlog;
    let listener = match config.warm_file.is_some() && config.cluster.is_some() {
        true => Listener::closed(address, backlog, tls),
        false => Listener::tcp(address, backlog, tls),
    };
    listener.map_err(|why| refused(address, why))
}

fn refused(address: SocketAddr, why: io::Error) -> StartError {
    match why.kind() {
        io::ErrorKind::AddrInUse => StartError::Taken(address),
        _ => StartError::Address(address, why),
    }
}
