//! `demo`: a whole cluster on this machine, to be tried out.

use super::{CliError, Exit, output};
use clap::Args;
use serde_json::Value;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{self, Child, Command, Stdio};
use std::time::{Duration, Instant};
use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::sleep;

/// How large a cluster.
#[derive(Clone, Debug, Args)]
pub(crate) struct DemoArgs {
    /// How many nodes to start
    #[arg(long, value_name = "COUNT", default_value_t = 3,
          value_parser = clap::value_parser!(u16).range(1..=50))]
    nodes: u16,

    /// Nodes that keep each key
    #[arg(long, value_name = "COUNT", default_value_t = 2)]
    copies: u8,

    /// Megabytes for the items of each node
    #[arg(short, long, value_name = "MB", default_value_t = 64)]
    memory: u32,
}

/// How long a node may take to serve.
const START_PATIENCE: Duration = Duration::from_secs(60);

/// How long a node may take to end, before it is ended.
const STOP_PATIENCE: Duration = Duration::from_secs(10);

/// How often to look at the nodes.
const LOOK: Duration = Duration::from_millis(50);

/// Starts the nodes, and ends them when it is told to, or one of them has ended.
pub(crate) fn run(args: &DemoArgs) -> Result<Exit, CliError> {
    let failed = |why: io::Error| CliError::Failed(why.to_string());
    let runtime = Builder::new_current_thread().enable_all().build().map_err(failed)?;
    runtime.block_on(async {
        let mut stop = Stop::hear().map_err(failed)?;
        let folder = Folder::new().map_err(failed)?;
        let mut demo = Demo { nodes: Vec::new(), folder: &folder.0 };
        for number in 1..=args.nodes {
            tokio::select! {
                started = demo.start(args, number) => started?,
                () = stop.asked() => return Ok(demo.end().await),
            }
        }
        demo.show()?;
        tokio::select! {
            gone = demo.any_gone() => {
                demo.end().await;
                Err(CliError::Failed(gone))
            }
            () = stop.asked() => Ok(demo.end().await),
        }
    })
}

/// What tells it to stop.
struct Stop {
    interrupt: Signal,
    terminate: Signal,
}

impl Stop {
    fn hear() -> io::Result<Self> {
        let interrupt = signal(SignalKind::interrupt())?;
        Ok(Self { interrupt, terminate: signal(SignalKind::terminate())? })
    }

    async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// A folder of its own, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> io::Result<Self> {
        let name = format!("ringcached-demo-{}", process::id());
        let folder = std::env::temp_dir().join(name);
        // One that somebody else has made is not to be trusted.
        fs::create_dir(&folder)?;
        Ok(Self(folder))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Somebody may have cleaned up already.
        let _ = fs::remove_dir_all(&self.0);
    }
}

struct Demo<'a> {
    nodes: Vec<Node>,
    folder: &'a Path,
}

struct Node {
    name: String,
    child: Child,
    client: String,
    peer: String,
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may have ended long ago.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Demo<'_> {
    /// Starts one more, and waits until it serves.
    async fn start(&mut self, args: &DemoArgs, number: u16) -> Result<(), CliError> {
        let failed = |why: io::Error| CliError::Failed(format!("cannot start a node: {why}"));
        let name = format!("node-{number}");
        let (ready, said) = (self.folder.join(&name), self.folder.join(format!("{name}.log")));
        let log = fs::File::create(&said).map_err(failed)?;
        let mut command = Command::new(std::env::current_exe().map_err(failed)?);
        command.args(["-p", "0", "-t", "2", "--peer-listen", "127.0.0.1:0", "--profile", "local"]);
        command.args(["-m", &args.memory.to_string(), "--copies", &args.copies.to_string()]);
        // Other clusters of this machine are not meant.
        command.args(["--cluster", &format!("demo-{}", process::id()), "--node-id", &name]);
        if let Some(first) = self.nodes.first() {
            command.args(["--join", &first.peer]);
        }
        command.arg("--ready-file").arg(&ready).stdin(Stdio::null()).stderr(log);
        apart(&mut command);
        let child = command.spawn().map_err(failed)?;
        let mut node = Node { name, child, client: String::new(), peer: String::new() };
        let started = Instant::now();
        let told = loop {
            if let Ok(text) = fs::read_to_string(&ready) {
                break text;
            }
            if node.child.try_wait().map_err(failed)?.is_some() {
                let said = fs::read_to_string(&said).unwrap_or_default();
                return Err(CliError::Failed(format!("{} ended: {}", node.name, said.trim())));
            }
            if started.elapsed() > START_PATIENCE {
                return Err(CliError::TimedOut(format!("{} does not serve", node.name)));
            }
            sleep(LOOK).await;
        };
        let told: Value = serde_json::from_str(&told).unwrap_or_default();
        let address = |name: &str| told[name].as_str().unwrap_or_default().to_owned();
        (node.client, node.peer) = (address("client"), address("peer"));
        self.nodes.push(node);
        Ok(())
    }

    /// Where they are, and what to try.
    fn show(&self) -> Result<(), CliError> {
        output::print(|out| {
            for node in &self.nodes {
                let Node { name, client, peer, child } = node;
                writeln!(out, "{name}  clients {client}  peers {peer}  pid {}", child.id())?;
            }
            Ok(())
        })?;
        let ask = |node: &Node, words: &str| {
            format!("printf '{words}quit\\r\\n' | nc {}", node.client.replace(':', " "))
        };
        let (Some(first), Some(last)) = (self.nodes.first(), self.nodes.last()) else {
            return Ok(());
        };
        let (set, get) = (ask(first, "set k 0 0 5\\r\\nhello\\r\\n"), ask(last, "get k\\r\\n"));
        let status = format!("ringcached status --server {}", first.client);
        output::note(format_args!(
            "try     {set}\n        {get}\n        {status}\nCtrl-C  ends all of them"
        ));
        Ok(())
    }

    /// Waits until one of them has ended, which nobody told it to.
    async fn any_gone(&mut self) -> String {
        loop {
            for node in &mut self.nodes {
                if let Ok(Some(status)) = node.child.try_wait() {
                    return format!("{} has ended ({status}), so the others end too", node.name);
                }
            }
            sleep(LOOK).await;
        }
    }

    /// Ends all of them.
    async fn end(&mut self) -> Exit {
        for node in &self.nodes {
            let pid = rustix::process::Pid::from_child(&node.child);
            // It may have ended already.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let asked = Instant::now();
        while asked.elapsed() < STOP_PATIENCE {
            let mut nodes = self.nodes.iter_mut();
            if nodes.all(|node| matches!(node.child.try_wait(), Ok(Some(_)) | Err(_))) {
                break;
            }
            sleep(LOOK).await;
        }
        // Whoever still runs is ended with this.
        self.nodes.clear();
        Exit::Ok
    }
}

/// A terminal's Ctrl-C goes to the whole group of processes, and the nodes are to
/// hear of it from here.
fn apart(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    command.process_group(0);
}
