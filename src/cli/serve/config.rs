//! From the command line to a node's configuration, or to what is wrong with it.

use super::addresses;
use super::admin::AdminPlan;
use super::args::{ProtocolName, ReadFromName, ServeArgs};
use super::extended::Extended;
use super::secrets::UsersFile;
use crate::cli::CliError;
use crate::cluster::ReadFrom;
use crate::limits::{NAME_BYTES_MAX, WEIGHT_MAX, WORKERS_MAX};
use crate::net::{ClientCertificates, Patience, TlsFiles};
use crate::node::{
    Binding, GRACE, ServerConfig, Settings, Speech, TakenPort, Users, WarmFile, random_id,
};
use crate::ring::{Node, NodeId, ZoneId};
use std::path::Path;

/// memcached's port.
const PORT: u16 = 11_211;

/// memcached's bounds for `-I`.
const ITEM_BYTES: std::ops::RangeInclusive<u64> = 1 << 10..=1 << 30;

/// A node to start, and what to say about the way it was asked for.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) config: ServerConfig,
    /// Where operators are listened to, if anywhere.
    pub(super) admin: Option<AdminPlan>,
    /// Where its users are from.
    pub(super) users: Option<UsersFile>,
    /// For everybody.
    pub(super) warnings: Vec<String>,
    /// For who asked to hear more.
    pub(super) remarks: Vec<String>,
}

impl Plan {
    pub(super) fn new(args: &ServeArgs) -> Result<Self, CliError> {
        check(args)?;
        let extended = Extended::parse(&args.extended)?;
        let tls = tls_files(args, &extended)?;
        let speech = if tls.is_some() { Speech::Tls } else { Speech::Plain };
        let users = args.auth_file.as_deref().map(UsersFile::open).transpose()?;
        // As with memcached, a Unix socket is instead of addresses.
        let listen = match args.unix_socket.is_some() && args.listen.is_empty() {
            true => Vec::new(),
            false => addresses::all(&args.listen, args.port.unwrap_or(PORT), speech)?,
        };
        let asked = args.port.is_some() || addresses::names_a_port(&args.listen);
        let node = node(args)?;
        // Once: it may come from a pipe.
        let secret = super::cluster::secret(args.cluster.secret_file.as_deref())?;
        let cluster = super::cluster::config(args, node, secret.as_ref())?;
        let mut settings = settings(args, &extended, users.as_ref().map(UsersFile::users));
        settings.min_nodes_for_writes =
            super::cluster::min_nodes_for_writes(&args.cluster, cluster.is_some())?;
        let config = ServerConfig {
            node,
            settings,
            listen,
            taken: if asked { TakenPort::Refuse } else { TakenPort::TryNext },
            unix_socket: args.unix_socket.clone(),
            tls,
            surplus: extended.surplus,
            patience: Patience {
                idle_s: 0, // In the settings, where clients see it.
                request_s: args.request_timeout,
                send_s: args.send_timeout,
            },
            buffers_bytes: extended.buffers_mb.filter(|&mb| mb > 0).map(|mb| mb << 20),
            grace: GRACE,
            cluster,
            warm_file: warm_file(args, node),
        };
        if config.cluster.is_some() && args.warm_file.is_some() && args.node_id.is_none() {
            let why = "--warm-file: a node of a cluster reads its own file only; name the node \
                       with --node-id";
            return Err(CliError::Usage(why.to_owned()));
        }
        let admin = AdminPlan::new(args, secret.as_ref(), &config)?;
        let remarks = remarks(args, &extended);
        let mut warnings = warnings(args, &config);
        warnings.extend(users.as_ref().and_then(UsersFile::warning));
        Ok(Self { config, admin, users, warnings, remarks })
    }
}

/// Refuses what cannot be, alone or together.
fn check(args: &ServeArgs) -> Result<(), CliError> {
    let inert = &args.inert;
    let wrongs = [
        (inert.udp_port != 0, "-U: UDP is not spoken; leave it out, or say -U 0"),
        (
            inert.daemon,
            "-d: it stays in the foreground; start it by a systemd unit, or with `&` in a shell",
        ),
        (
            inert.memory_file.is_some(),
            "-e: items live in memory only; --warm-file keeps them over a restart",
        ),
        (!(1..=WORKERS_MAX).contains(&args.threads), "-t: from 1 to 1024 threads"),
        (args.connections == 0, "-c: at least one connection"),
        (args.listen_backlog == 0, "-b: at least 1"),
        (inert.max_reqs_per_event == 0, "-R: at least 1"),
        (args.memory < 1 << 20, "-m: at least 1 MB"),
        (
            !ITEM_BYTES.contains(&args.max_item_size),
            "-I: the largest item may have from 1k to 1024m",
        ),
        (
            args.max_item_size > args.memory / 2,
            "-I: the largest item may have at most half of the memory; give it more with -m",
        ),
        (!(1..=WEIGHT_MAX).contains(&args.weight), "--weight: from 1 to 1000"),
        (
            args.enable_sasl && args.auth_file.is_none(),
            "-S: who may come in? Name a file of users with -Y",
        ),
    ];
    match wrongs.into_iter().find(|(is_wrong, _)| *is_wrong) {
        Some((_, why)) => Err(CliError::Usage(why.to_owned())),
        None => Ok(()),
    }
}

fn node(args: &ServeArgs) -> Result<Node, CliError> {
    for name in [&args.node_id, &args.zone].into_iter().flatten() {
        if name.is_empty() || name.len() > NAME_BYTES_MAX {
            return Err(CliError::Usage(format!("a name has from 1 to {NAME_BYTES_MAX} bytes")));
        }
    }
    let id = args.node_id.as_deref().map_or_else(random_id, identity);
    let zone = args.zone.as_deref().map(ZoneId::from_name).unwrap_or_default();
    Ok(Node { id, zone, weight: args.weight })
}

/// A node that is not told who it is takes the file of any that was not.
fn warm_file(args: &ServeArgs, node: Node) -> Option<WarmFile> {
    let path = args.warm_file.clone()?;
    Some(WarmFile { path, node: args.node_id.as_ref().map(|_| node.id) })
}

/// An identity as it is printed, or what belongs to a name.
fn identity(text: &str) -> NodeId {
    let is_hexadecimal = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    match u64::from_str_radix(text, 16) {
        Ok(id) if is_hexadecimal => NodeId(id),
        _ => NodeId::from_name(text),
    }
}

fn settings(args: &ServeArgs, extended: &Extended, users: Option<Users>) -> Settings {
    let shown = |path: &Path| path.display().to_string();
    Settings {
        port: args.port.unwrap_or(PORT),
        listen: args.listen.clone(),
        unix_socket: args.unix_socket.as_deref().map(shown),
        unix_mask: args.unix_mask,
        memory_bytes: args.memory,
        connections_max: args.connections,
        threads: args.threads,
        item_bytes_max: args.max_item_size as usize,
        verbosity: args.verbose,
        backlog: args.listen_backlog,
        requests_per_event: args.inert.max_reqs_per_event,
        evict: !args.disable_evictions,
        shutdown_enabled: args.enable_shutdown,
        read_from: match args.cluster.read_from {
            ReadFromName::Primary => ReadFrom::Primary,
            ReadFromName::Nearest => ReadFrom::Nearest,
            ReadFromName::Quorum => ReadFrom::Quorum,
        },
        move_limit: args.cluster.move_limit,
        flush_enabled: !args.disable_flush_all,
        dump_enabled: !args.disable_dumping,
        watch_enabled: !args.disable_watch,
        cas_enabled: !args.disable_cas,
        detail_enabled: args.prefix_delimiter.is_some(),
        prefix_delimiter: args.prefix_delimiter.unwrap_or(b':'),
        binding: match args.protocol {
            ProtocolName::Auto => Binding::Auto,
            ProtocolName::Ascii => Binding::Text,
            ProtocolName::Binary => Binding::Binary,
        },
        users,
        client_rate_limit: args.client_rate_limit,
        rate_limit: args.rate_limit,
        idle_timeout_s: args.idle_timeout.or(extended.idle_timeout_s).unwrap_or(0),
        ..Settings::default()
    }
}

fn tls_files(args: &ServeArgs, extended: &Extended) -> Result<Option<TlsFiles>, CliError> {
    if !args.tls && args.tls_cert.is_none() {
        return Ok(None);
    }
    let chain = args.tls_cert.clone().or_else(|| extended.chain.clone());
    let chain = chain.ok_or_else(|| {
        let why = "-Z: name the certificate with --tls-cert, and its key with --tls-key";
        CliError::Usage(why.to_owned())
    })?;
    // Who names a CA by the flag wants clients that it knows; memcached's option
    // leaves that to another.
    let asked = match args.tls_ca {
        Some(_) => ClientCertificates::Required,
        None => ClientCertificates::Ignored,
    };
    Ok(Some(TlsFiles {
        chain,
        key: args.tls_key.clone().or_else(|| extended.key.clone()),
        client_ca: args.tls_ca.clone().or_else(|| extended.client_ca.clone()),
        clients: extended.clients.unwrap_or(asked),
        oldest: extended.oldest,
    }))
}

fn warnings(args: &ServeArgs, config: &ServerConfig) -> Vec<String> {
    let open = config.listen.iter().find(|at| {
        !at.address.ip().is_loopback() && at.speech == Speech::Plain && args.auth_file.is_none()
    });
    let open = open.map(|at| {
        let ip = at.address.ip();
        format!(
            "warning: whoever reaches {ip} may read and write; -Y asks for a password, -Z for TLS"
        )
    });
    let unlocked = "note: -k: memory is not locked; forbid swapping in the service's settings";
    let small_pages = "note: -L: large pages are left to the system's transparent ones";
    let unused = "note: certificates are named, but not used without -Z";
    let has_chain = args.extended.iter().any(|option| option.starts_with("ssl_chain_cert"));
    let flags = [
        (args.inert.lock_memory, unlocked),
        (args.inert.enable_largepages, small_pages),
        (config.tls.is_none() && has_chain, unused),
    ];
    let flags = flags.into_iter().filter(|(is_set, _)| *is_set).map(|(_, text)| text.to_owned());
    open.into_iter().chain(flags).collect()
}

fn remarks(args: &ServeArgs, extended: &Extended) -> Vec<String> {
    let inert = &args.inert;
    let flags = [
        (inert.slab_growth_factor.is_some(), "-f"),
        (inert.slab_min_size.is_some(), "-n"),
        (inert.max_reqs_per_event != 20, "-R"),
        (inert.napi_ids.is_some(), "-N"),
    ];
    let flags = flags.into_iter().filter(|(is_set, _)| *is_set).map(|(_, name)| name.to_owned());
    let options = extended.ignored.iter().map(|name| format!("-o {name}"));
    let all: Vec<String> = flags.chain(options).collect();
    match all[..] {
        [] => Vec::new(),
        _ => vec![format!("note: of no effect here: {}", all.join(", "))],
    }
}
