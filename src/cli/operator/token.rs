//! `admin-token`: what whoever asks a node without this program, by `curl` for one, has to show.

use crate::admin::Token;
use crate::cli::{CliError, Exit, output, serve};
use clap::Args;
use std::path::PathBuf;

/// Of which cluster. No node is asked: it may be made where none is reached, and before one runs.
#[derive(Clone, Debug, Args)]
pub(crate) struct TokenArgs {
    /// File with the cluster's secret; or set `RINGCACHED_SECRET`
    #[arg(long, value_name = "PATH")]
    secret_file: Option<PathBuf>,

    /// Name of a cluster that has no secret; whoever knows it can make this token
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,
}

/// Prints it, and nothing else.
pub(crate) fn admin_token(args: &TokenArgs) -> Result<Exit, CliError> {
    // As with a node that is told both: the secret alone makes the token.
    let token = match (serve::secret(args.secret_file.as_deref())?, &args.cluster) {
        (Some(secret), _) => Token::of_secret(&secret),
        (None, Some(name)) => Token::of_name(name),
        // A token that no node takes would only be noticed there.
        (None, None) => {
            let why = "name the cluster's secret, by --secret-file or RINGCACHED_SECRET, or a \
                       cluster that has none by --cluster";
            return Err(CliError::Usage(why.to_owned()));
        }
    };
    output::print(|out| writeln!(out, "{}", token.text()))?;
    Ok(Exit::Ok)
}
