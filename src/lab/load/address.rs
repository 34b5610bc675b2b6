//! Where a server listens: a TCP address or a Unix socket.

use super::LoadError;
use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// `host:port`, resolved.
    Tcp(SocketAddr),
    /// `unix:path`.
    Unix(PathBuf),
}

/// A text that is no address. Says why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressError(String);

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for AddressError {}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if let Some(path) = text.strip_prefix("unix:") {
            return Ok(Self::Unix(PathBuf::from(path)));
        }
        let refused = |why: String| AddressError(format!("`{text}` is no address: {why}"));
        let mut found = text.to_socket_addrs().map_err(|error| refused(error.to_string()))?;
        found.next().map(Self::Tcp).ok_or_else(|| refused("the name has none".to_owned()))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// An open connection that blocks.
#[derive(Debug)]
pub(super) enum Plug {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Address {
    /// Whether the server is a process of this machine.
    pub(super) fn is_here(&self) -> bool {
        match self {
            Self::Tcp(address) => address.ip().is_loopback(),
            Self::Unix(_) => true,
        }
    }

    pub(super) fn connect(&self, timeout: Duration) -> Result<Plug, LoadError> {
        let plug = match self {
            Self::Tcp(address) => TcpStream::connect_timeout(address, timeout).and_then(|stream| {
                stream.set_nodelay(true)?;
                Ok(Plug::Tcp(stream))
            }),
            Self::Unix(path) => UnixStream::connect(path).map(Plug::Unix),
        };
        plug.map_err(|error| LoadError::Connect { server: self.clone(), error })
    }
}

impl Plug {
    /// Lets no read or write of the blocking kind take longer.
    pub(super) fn limit(&self, timeout: Duration) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream
                .set_read_timeout(Some(timeout))
                .and_then(|()| stream.set_write_timeout(Some(timeout))),
            Self::Unix(stream) => stream
                .set_read_timeout(Some(timeout))
                .and_then(|()| stream.set_write_timeout(Some(timeout))),
        }
    }
}

impl io::Read for Plug {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Unix(stream) => stream.read(buffer),
        }
    }
}

impl io::Write for Plug {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Unix(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_read_as_written() {
        for text in ["127.0.0.1:11211", "[::1]:80", "unix:/run/cache.sock"] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        assert!("127.0.0.1".parse::<Address>().unwrap_err().to_string().contains("no address"));
    }

    #[test]
    fn loopback_is_here() {
        for (text, here) in [("127.0.0.1:1", true), ("10.0.0.1:1", false), ("unix:x", true)] {
            assert_eq!(text.parse::<Address>().unwrap().is_here(), here, "{text}");
        }
    }
}
