//! No subcommand: run a node.

mod addresses;
mod admin;
mod allocator;
mod args;
mod cluster;
mod config;
mod extended;
mod process;
mod secrets;
mod signals;

pub(crate) use args::ServeArgs;
pub(crate) use cluster::secret;

use crate::admin::Admin;
use crate::cli::{CliError, Exit, output};
use crate::node::{Running, Serving, StartError, VERSION};
use config::Plan;
use process::{Draft, Notice};
use secrets::Secrets;
use serde_json::json;
use signals::Signals;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

/// A node that joins for longer says for whom it waits.
const JOIN_PATIENCE: Duration = Duration::from_secs(30);

/// Runs a node until it is stopped.
pub(crate) fn run(args: &ServeArgs) -> Result<Exit, CliError> {
    allocator::map_large_blocks();
    let Plan { mut config, admin, users, warnings, remarks } = Plan::new(args)?;
    let unlimited = process::allow_connections(args.connections);
    if let Some(user) = &args.user {
        process::become_user(user)?;
    }
    let core_files = if args.enable_coredumps { process::allow_core_files() } else { Ok(()) };
    let system = [unlimited, core_files].into_iter().filter_map(Result::err);
    let remarks = if args.verbose > 0 { remarks } else { Vec::new() };
    warnings.into_iter().chain(system).chain(remarks).for_each(output::note);

    if let Some(path) = &args.ready_file {
        process::clear_ready(path);
    }
    let failed = |why: std::io::Error| CliError::Failed(why.to_string());
    let signals = Signals::hear().map_err(failed)?;
    let peers = config.cluster.as_ref().and_then(|cluster| cluster.certificates.clone());
    let door = admin.map(|admin| admin.open(&mut config)).transpose()?;
    // Whatever may fail comes before the node has read its memory.
    let pid_file = args.pidfile.as_deref().map(Draft::open).transpose()?;
    let ready_file = args.ready_file.as_deref().map(Draft::open).transpose()?;
    let running = Running::start(config).map_err(|why| refused(&why))?;
    let secrets = Secrets { tls: running.tls(), users, peers };
    let draining = running.draining().filter(|_| !args.cluster.drain_timeout.is_zero());
    let draining = draining.map(|draining| (draining, args.cluster.drain_timeout));
    let admin = door.map(|(door, token)| {
        let panel = running.panel(draining.as_ref().map(|(draining, _)| draining.clone()));
        Admin::start(door, panel, token)
    });
    // Kept until the node has ended: whoever waits for that is told.
    let admin = admin.transpose().map_err(failed)?;
    signals.obey(running.stopper(), draining, secrets, running.log()).map_err(failed)?;
    let _pid = pid_file.map(write_pid).transpose()?;
    let _ready = match serves(&running) {
        true => tell(args, ready_file, &running, admin.as_ref())?,
        false => None,
    };
    running.wait().map_err(failed)?;
    Ok(Exit::Ok)
}

/// Tells people and whoever waits for it that the node serves.
fn tell<'a>(
    args: &ServeArgs,
    ready_file: Option<Draft<'a>>,
    running: &Running,
    admin: Option<&Admin>,
) -> Result<Option<Notice<'a>>, CliError> {
    output::note(banner(running, admin, args.unix_socket.as_deref()));
    ready_file.map(|file| write_ready(file, running, admin)).transpose()
}

/// Waits until the node serves; false where it is stopped before. A node that has
/// to wait for long says for whom.
fn serves(running: &Running) -> bool {
    loop {
        match running.wait_until_serving(JOIN_PATIENCE) {
            Serving::Yes => return true,
            Serving::Never => return false,
            Serving::NotYet(nodes) if nodes.is_empty() => {
                running.log().say("still joining: no other node answers".to_owned());
            }
            Serving::NotYet(nodes) => {
                let said = format!("still joining: waits for {}", nodes.join(", "));
                running.log().say(output::readable(&said));
            }
        }
    }
}

/// What is wrong with the command line is told apart from what is with the
/// machine.
fn refused(why: &StartError) -> CliError {
    match why {
        StartError::NoCertificates | StartError::Tls(_) => CliError::Usage(why.to_string()),
        StartError::Taken(address) => CliError::Failed(format!(
            "{why} (-p 0 picks a free port; `ss -ltnp 'sport = :{}'` shows who has it)",
            address.port()
        )),
        StartError::OthersTaken(address) => CliError::Failed(format!(
            "{why}: choose another one with --peer-listen, or 0 for any that is free. Another node \
             has those behind its own too, two more than it has threads (`ss -lunp 'sport = :{}'` \
             shows who has it)",
            address.port()
        )),
        _ => CliError::Failed(why.to_string()),
    }
}

fn write_pid(file: Draft<'_>) -> Result<Notice<'_>, CliError> {
    file.tell(&format!("{}\n", std::process::id()))
}

fn write_ready<'a>(
    file: Draft<'a>,
    running: &Running,
    admin: Option<&Admin>,
) -> Result<Notice<'a>, CliError> {
    let ready = json!({
        "node_id": running.id().to_string(),
        "client": running.addresses().first().map(SocketAddr::to_string),
        "peer": running.peer_address().map(|address| address.to_string()),
        "admin": admin.map(|admin| admin.address().to_string()),
        "pid": std::process::id(),
    });
    file.tell(&format!("{ready}\n"))
}

/// What there is, where, and what to try.
fn banner(running: &Running, admin: Option<&Admin>, unix_socket: Option<&Path>) -> String {
    let addresses = running.addresses();
    let shown = addresses.iter().map(SocketAddr::to_string);
    let path = unix_socket.map(|path| format!("unix:{}", path.display()));
    let clients: Vec<String> = shown.chain(path).collect();
    let moved = moved(running.moved_from());
    let mut lines = vec![
        format!("ringcached {}, speaks as memcached {VERSION}", env!("CARGO_PKG_VERSION")),
        format!("node     {}", running.id()),
        format!("clients  {}{moved}", clients.join(", ")),
        ring_line(running),
    ];
    if let Some(address) = running.peer_address() {
        let linked = running.links();
        lines.push(format!("peers    {linked} linked; others join with --join {address}"));
    }
    if let Some(admin) = admin {
        lines.push(format!(
            "admin    http://{}{}",
            admin.address(),
            self::moved(admin.moved_from())
        ));
    }
    let talk = "printf 'set k 0 0 1\\r\\nv\\r\\nget k\\r\\nquit\\r\\n'";
    match (addresses.first(), unix_socket) {
        // What speaks TLS is not for `nc`.
        _ if running.tls().is_some() => {}
        (Some(at), _) => {
            let (ip, port) = (reachable(at), at.port());
            lines.push(format!("try      {talk} | nc {ip} {port}"));
        }
        (None, Some(path)) => lines.push(format!("try      {talk} | nc -U {}", path.display())),
        (None, None) => {}
    }
    lines.join("\n")
}

fn moved(from: Option<u16>) -> String {
    from.map_or(String::new(), |port| format!("  (port {port} is taken)"))
}

fn ring_line(running: &Running) -> String {
    let slots = output::thousands(running.slots().into());
    match running.members() {
        (1, 1) => format!("ring     1 member, {slots} slots: serving"),
        (members, serving) => {
            format!("ring     {members} members, {slots} slots: {serving} serving")
        }
    }
}

/// Where this machine reaches it.
fn reachable(address: &SocketAddr) -> String {
    match address {
        SocketAddr::V4(at) if at.ip().is_unspecified() => "127.0.0.1".to_owned(),
        SocketAddr::V6(at) if at.ip().is_unspecified() => "::1".to_owned(),
        _ => address.ip().to_string(),
    }
}
