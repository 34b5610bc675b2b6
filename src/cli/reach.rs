//! A node is reached, and what became of that, in the same words for every command.

use super::CliError;
use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

/// How long a node may take to be reached, and to take what it is asked.
const PATIENCE: Duration = Duration::from_secs(5);

/// Reaches a node, which may say nothing for so long.
pub(super) fn connect(address: &str, silence: Duration) -> Result<TcpStream, CliError> {
    let refused =
        |why: io::Error| CliError::CannotConnect(format!("cannot connect to {address}: {why}"));
    let mut last = io::Error::other("there is no such address");
    for at in address.to_socket_addrs().map_err(refused)? {
        match TcpStream::connect_timeout(&at, PATIENCE) {
            Ok(stream) => {
                stream.set_read_timeout(Some(silence)).map_err(refused)?;
                stream.set_write_timeout(Some(PATIENCE)).map_err(refused)?;
                return Ok(stream);
            }
            Err(why) => last = why,
        }
    }
    Err(refused(last))
}

/// What became of a connection.
pub(super) fn failed(address: &str, why: &io::Error) -> CliError {
    match why.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
            CliError::TimedOut(format!("{address} does not answer"))
        }
        _ => CliError::Failed(format!("{address}: {why}")),
    }
}
