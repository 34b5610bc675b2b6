//! From the flags about operators to where they are listened to, and what they have to show.

use super::args::{AdminListen, ServeArgs};
use super::cluster::SECRET_VARIABLE;
use crate::admin::{ADMIN_PORT, AdminAt, Door, Token};
use crate::cli::CliError;
use crate::net::Secret;
use crate::node::{ServerConfig, TakenPort};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Where to listen for operators, and what they have to show.
#[derive(Debug)]
pub(super) struct AdminPlan {
    at: AdminAt,
    token: Token,
}

impl AdminPlan {
    /// None where nobody is to be listened to.
    pub(super) fn new(
        args: &ServeArgs,
        secret: Option<&Secret>,
        config: &ServerConfig,
    ) -> Result<Option<Self>, CliError> {
        let at = match args.cluster.admin_listen {
            Some(AdminListen::Off) => return Ok(None),
            Some(AdminListen::At(address)) => AdminAt { address, taken: TakenPort::Refuse },
            None => AdminAt {
                address: SocketAddr::from((Ipv4Addr::LOCALHOST, ADMIN_PORT)),
                taken: TakenPort::TryNext,
            },
        };
        let address = at.address;
        if secret.is_none() && !address.ip().is_loopback() {
            return Err(CliError::Usage(format!(
                "--admin-listen {address}: other machines can reach this; give all nodes a secret \
                 with --secret-file or {SECRET_VARIABLE}"
            )));
        }
        let name = config.cluster.as_ref().map_or("", |cluster| &cluster.name);
        let token = secret.map_or_else(|| Token::of_name(name), Token::of_secret);
        Ok(Some(Self { at, token }))
    }

    /// Listens there, and has other nodes told where. Nobody is answered yet.
    pub(super) fn open(self, config: &mut ServerConfig) -> Result<(Door, Token), CliError> {
        let promised: Vec<u16> = config.listen.iter().map(|at| at.address.port()).collect();
        let door = Door::open(self.at, &promised).map_err(|why| refused(self.at.address, &why))?;
        if let Some(cluster) = &mut config.cluster {
            cluster.admin = told(door.address(), cluster.listen.ip());
        }
        Ok((door, self.token))
    }
}

/// Where other nodes are told that operators reach this one, whom they reach at `peer`: nowhere
/// if it means their own machine to them.
fn told(admin: SocketAddr, peer: IpAddr) -> Option<SocketAddr> {
    match admin.ip() {
        ip if ip.is_unspecified() => Some(SocketAddr::new(peer, admin.port())),
        ip if ip.is_loopback() && !peer.is_loopback() => None,
        _ => Some(admin),
    }
}

fn refused(address: SocketAddr, why: &io::Error) -> CliError {
    CliError::Failed(match why.kind() {
        io::ErrorKind::AddrInUse => format!(
            "--admin-listen {address}: port {} is taken: choose another one, or 0 for any that is \
             free",
            address.port()
        ),
        _ => format!("cannot listen for operators at {address}: {why}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_are_told_what_leads_to_this_node() {
        let told = |admin: &str, peer: &str| {
            told(admin.parse().unwrap(), peer.parse().unwrap()).map(|told| told.to_string())
        };
        let known = |text: &str| Some(text.to_owned());
        assert_eq!(told("127.0.0.1:5", "127.0.0.1"), known("127.0.0.1:5"));
        assert_eq!(told("127.0.0.1:5", "10.0.0.1"), None);
        assert_eq!(told("0.0.0.0:5", "10.0.0.1"), known("10.0.0.1:5"));
        assert_eq!(told("[::]:5", "fd00::1"), known("[fd00::1]:5"));
        assert_eq!(told("10.9.9.9:5", "10.0.0.1"), known("10.9.9.9:5"));
    }
}
