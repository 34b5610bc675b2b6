//! Where clients come in: addresses and paths, bound and listening.

use super::census::Peer;
use super::socket::Plain;
use super::tls::Tls;
use socket2::{Domain, SockAddr, SockRef, Type};
use std::fs;
use std::io;
use std::net::{self, SocketAddr};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One way in.
#[derive(Debug)]
pub struct Listener {
    pub(super) sockets: Sockets,
    pub(super) name: Arc<String>,
    pub(super) tls: Option<Arc<Tls>>,
    address: Option<SocketAddr>,
    backlog: i32,
}

/// A socket that listens, or will.
#[derive(Debug)]
pub(super) enum Sockets {
    Tcp(net::TcpListener),
    Unix(UnixListener, SocketFile),
}

impl Listener {
    /// Listens on an address. With certificates, only TLS is spoken there.
    ///
    /// # Errors
    /// Where the system refuses.
    pub fn tcp(address: SocketAddr, backlog: u32, tls: Option<Arc<Tls>>) -> io::Result<Self> {
        let listener = Self::closed(address, backlog, tls)?;
        listener.open()?;
        Ok(listener)
    }

    /// The same, where whoever comes before [`Listener::open`] is refused. The address is
    /// this one's; but another process that does the same finds out only when it opens.
    ///
    /// # Errors
    /// Where the system refuses.
    pub fn closed(address: SocketAddr, backlog: u32, tls: Option<Arc<Tls>>) -> io::Result<Self> {
        let socket = socket2::Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        if address.is_ipv6() {
            // The other family has a listener of its own.
            socket.set_only_v6(true)?;
        }
        // What an earlier process left in TIME_WAIT is no reason to wait.
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&SockAddr::from(address))?;
        let listener = net::TcpListener::from(socket);
        let address = listener.local_addr()?;
        let name = Peer::from(address).to_string().into();
        let backlog = i32::try_from(backlog).unwrap_or(i32::MAX);
        Ok(Self { sockets: Sockets::Tcp(listener), name, tls, address: Some(address), backlog })
    }

    /// From now on whoever comes waits to be let in. Where that was so before, it stays so.
    ///
    /// # Errors
    /// Where the system refuses.
    pub fn open(&self) -> io::Result<()> {
        match &self.sockets {
            Sockets::Tcp(listener) => SockRef::from(listener).listen(self.backlog),
            Sockets::Unix(listener, _) => SockRef::from(listener).listen(self.backlog),
        }
    }

    /// Listens on a path, which only those may use whom the mode lets. A socket
    /// that a dead process left there is replaced.
    ///
    /// # Errors
    /// Where the system refuses; where a living process listens; where something
    /// else than a socket is.
    pub fn unix(path: &Path, mode: u32, backlog: u32) -> io::Result<Self> {
        remove_dead(path)?;
        let socket = socket2::Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.bind(&SockAddr::unix(path)?)?;
        let file = SocketFile(path.to_owned());
        // Nobody can connect before it listens, so nobody slips in between.
        fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
        let backlog = i32::try_from(backlog).unwrap_or(i32::MAX);
        let name = format!("unix:{}", path.display()).into();
        let sockets = Sockets::Unix(UnixListener::from(socket), file);
        let listener = Self { sockets, name, tls: None, address: None, backlog };
        listener.open()?;
        Ok(listener)
    }

    /// The address, with the port that the system chose; none for a path.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// As `stats conns` names it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Sockets {
    /// Watched by the runtime that this is called in.
    pub(super) fn watched(self) -> io::Result<Watched> {
        Ok(match self {
            Self::Tcp(listener) => Watched::Tcp(tokio::net::TcpListener::from_std(listener)?),
            Self::Unix(listener, file) => {
                Watched::Unix(tokio::net::UnixListener::from_std(listener)?, file)
            }
        })
    }
}

/// A socket that a runtime watches.
#[derive(Debug)]
pub(super) enum Watched {
    Tcp(tokio::net::TcpListener),
    /// With its path, which goes when this does.
    Unix(tokio::net::UnixListener, #[allow(dead_code, reason = "kept to be dropped")] SocketFile),
}

impl Watched {
    /// The next connection, which any runtime may take over, and where it comes
    /// from.
    pub(super) async fn accept(&self) -> io::Result<(Plain, Peer)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                // An answer is written once and whole: it need not wait for more.
                stream.set_nodelay(true)?;
                Ok((Plain::Tcp(stream.into_std()?), peer.into()))
            }
            Self::Unix(listener, _) => {
                let (stream, _) = listener.accept().await?;
                Ok((Plain::Unix(stream.into_std()?), Peer::Unix))
            }
        }
    }
}

/// The path of a socket; goes when nobody listens there any more.
#[derive(Debug)]
pub(super) struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Somebody may have taken it away; then there is nothing to do.
        let _ = fs::remove_file(&self.0);
    }
}

/// Takes away a socket that nobody listens on.
fn remove_dead(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(found) if !found.file_type().is_socket() => Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            "something else than a socket is there",
        )),
        Ok(_) => match std::os::unix::net::UnixStream::connect(path) {
            Ok(_) => Err(io::ErrorKind::AddrInUse.into()),
            Err(_) => fs::remove_file(path),
        },
    }
}
