//! `drain` and `rebalance`: what operators ask of nodes, at their admin ports; and `admin-token`,
//! for whoever asks by other means.

mod drain;
mod http;
mod rebalance;
mod token;
mod watch;

pub(crate) use drain::{DrainArgs, drain};
pub(crate) use rebalance::{RebalanceArgs, rebalance};
pub(crate) use token::{TokenArgs, admin_token};

use super::{CliError, serve};
use crate::admin::{ADMIN_PORT, Token};
use clap::Args;
use http::{Answer, Method};
use serde_json::Value;
use std::env;
use std::net::Ipv6Addr;
use std::num::NonZeroU16;
use std::path::PathBuf;

/// Where the address may stand instead of a flag.
const ADMIN_VARIABLE: &str = "RINGCACHED_ADMIN";

/// Whom to ask, and as whom.
#[derive(Clone, Debug, Args)]
pub(crate) struct AdminArgs {
    /// A node's admin address; or set `RINGCACHED_ADMIN` [default: 127.0.0.1:12211]
    #[arg(long, value_name = "ADDR:PORT")]
    admin: Option<String>,

    /// File with the cluster's secret, where it has one; or set `RINGCACHED_SECRET`
    #[arg(long, value_name = "PATH")]
    secret_file: Option<PathBuf>,
}

/// What was named here, if it can be an address at all: a name or an address, and a port.
fn address(named_by: &str, text: &str) -> Result<String, CliError> {
    let is_one = text.rsplit_once(':').is_some_and(|(host, port)| {
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let is_host = match bare {
            Some(bare) => bare.parse::<Ipv6Addr>().is_ok(),
            None => !host.is_empty() && !host.contains(|c: char| "/:[]@".contains(c) || c <= ' '),
        };
        is_host && port.parse::<NonZeroU16>().is_ok()
    });
    if is_one {
        return Ok(text.to_owned());
    }
    Err(CliError::Usage(format!(
        "{named_by} `{text}`: an address has a port and no http://, as 127.0.0.1:{ADMIN_PORT}, \
         cache-1:{ADMIN_PORT} or [::1]:{ADMIN_PORT}"
    )))
}

/// Somebody who asks nodes.
#[derive(Clone, Debug)]
struct Operator {
    /// The address that was named.
    address: String,
    /// What the cluster's secret makes, if it is known.
    token: Option<Token>,
}

impl Operator {
    fn new(args: &AdminArgs) -> Result<Self, CliError> {
        let address = match (&args.admin, env::var(ADMIN_VARIABLE).ok()) {
            (Some(named), _) => address("--admin", named)?,
            (None, Some(named)) => address(ADMIN_VARIABLE, &named)?,
            (None, None) => format!("127.0.0.1:{ADMIN_PORT}"),
        };
        let secret = serve::secret(args.secret_file.as_deref())?;
        Ok(Self { address, token: secret.as_ref().map(Token::of_secret) })
    }

    /// The same, with what a cluster without a secret is to be shown: its name, which it tells.
    fn known(self) -> Result<Self, CliError> {
        if self.token.is_some() {
            return Ok(self);
        }
        let told = self.read(&self.address, "/v1/cluster")?;
        let token = Some(Token::of_name(told["cluster"].as_str().unwrap_or_default()));
        Ok(Self { token, ..self })
    }

    fn read(&self, address: &str, path: &str) -> Result<Value, CliError> {
        self.ask(address, Method::Get, path)
    }

    fn change(&self, address: &str, path: &str) -> Result<Value, CliError> {
        self.ask(address, Method::Post, path)
    }

    fn ask(&self, address: &str, method: Method, path: &str) -> Result<Value, CliError> {
        let token = self.token.as_ref().map(Token::text);
        let Answer { status, body } = http::ask(address, method, path, token)?;
        match status {
            200..=299 => Ok(body),
            401 => Err(CliError::Failed(match token {
                Some(_) => format!("{address} refuses: its cluster has another secret, or none"),
                None => format!(
                    "{address} refuses: it wants the cluster's secret, by --secret-file or \
                     RINGCACHED_SECRET"
                ),
            })),
            _ => {
                let why = body["error"].as_str().unwrap_or("it does not say why");
                Err(CliError::Failed(format!("{address} refuses ({status}): {why}")))
            }
        }
    }
}
