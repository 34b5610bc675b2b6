//! Where operators come in: an address that is bound before anybody is told of it.

use crate::limits::PORTS_TRIED;
use crate::node::TakenPort;
use std::io;
use std::net::{SocketAddr, TcpListener};

/// Where a command finds the node of this machine that is told nothing: a thousand above
/// memcached's port, beyond all that this may move on to and easy to remember beside it.
/// Nothing that is often met beside a cache is known to use it.
pub const ADMIN_PORT: u16 = 12_211;

/// Where to listen for operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdminAt {
    /// The address; port 0 is any free one.
    pub address: SocketAddr,
    /// What to do where the port is taken. As with the clients' port, a default moves on: a
    /// second node on one machine starts like the first, and says where it is found. Nobody
    /// has asked for it, so there is always one that is free.
    pub taken: TakenPort,
}

/// An address at which this process listens, and nobody answers yet.
#[derive(Debug)]
pub struct Door {
    pub(super) listener: TcpListener,
    pub(super) address: SocketAddr,
    pub(super) moved_from: Option<u16>,
}

impl Door {
    /// Listens, but at none of these ports: clients have been promised them.
    ///
    /// # Errors
    /// Where the system refuses.
    pub fn open(at: AdminAt, promised: &[u16]) -> io::Result<Self> {
        let (wanted, tries) = match at.taken {
            TakenPort::Refuse => return Self::listen(at.address, None),
            TakenPort::TryNext => (at.address.port(), PORTS_TRIED),
        };
        let ports = (wanted..=wanted.saturating_add(tries)).filter(|port| !promised.contains(port));
        for port in ports.chain([0]) {
            let moved_from = (port != wanted).then_some(wanted);
            match Self::listen(SocketAddr::new(at.address.ip(), port), moved_from) {
                Err(why) if why.kind() == io::ErrorKind::AddrInUse => {}
                opened => return opened,
            }
        }
        Err(io::ErrorKind::AddrInUse.into())
    }

    fn listen(address: SocketAddr, moved_from: Option<u16>) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address, moved_from })
    }

    /// The address, with the port that was found.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn a_default_moves_on_and_another_does_not() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = taken.local_addr().unwrap();
        let at = |taken| AdminAt { address, taken };
        let refused = Door::open(at(TakenPort::Refuse), &[]).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::AddrInUse);
        let door = Door::open(at(TakenPort::TryNext), &[]).unwrap();
        assert_eq!(door.moved_from, Some(address.port()));
        assert_ne!(door.address(), address);
    }

    #[test]
    fn what_clients_were_promised_stays_free() {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
        let at = AdminAt { address: free, taken: TakenPort::TryNext };
        let door = Door::open(at, &[free.port()]).unwrap();
        assert_ne!(door.address().port(), free.port());
    }
}
