//! The two servers: memcached as the distribution has it, and a node.

use ringcached::net::Stop;
use ringcached::node::{Running, ServerConfig, Settings};
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Longer than a start takes, unless it hangs.
const PATIENCE: Duration = Duration::from_secs(20);

/// Tests beside each other write where theirs listen to files of their own.
static STARTED: AtomicUsize = AtomicUsize::new(0);

/// A memcached of its own; ended when dropped.
pub(crate) struct Memcached {
    child: Child,
    pub(crate) address: SocketAddr,
    /// As it says itself.
    pub(crate) version: String,
}

impl Memcached {
    /// Starts it; none where it is not installed.
    pub(crate) fn start() -> Option<Self> {
        let said = Command::new("memcached").arg("-V").output().ok()?;
        let version = String::from_utf8_lossy(&said.stdout).trim().to_owned();
        // It takes a free port by itself, and writes there which.
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let name = format!("memcached-{}-{number}.ports", std::process::id());
        let ports = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_file(&ports);
        let mut command = Command::new("memcached");
        command.args(["-l", "127.0.0.1", "-U", "0", "-t", "1", "-p", "-1"]);
        command.env("MEMCACHED_PORT_FILENAME", &ports);
        // Nor does another thread hold items for a moment, in which they are changed
        // in another way.
        command.args(["-o", "no_lru_maintainer,no_lru_crawler"]);
        // Room for all: large values are not to push out what comes after them.
        command.args(["-m", "1024"]);
        if rustix::process::geteuid().is_root() {
            // Another user might not write where the tests do.
            command.args(["-u", "root"]);
        }
        let child = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mut memcached = Self { child, address, version };
        let port = memcached.port(&ports);
        memcached.address.set_port(port);
        let _ = fs::remove_file(&ports);
        Some(memcached)
    }

    /// Waits until it has written where it listens; the file comes whole.
    fn port(&mut self, ports: &Path) -> u16 {
        let started = Instant::now();
        loop {
            if let Ok(text) = fs::read_to_string(ports) {
                let port = text.lines().find_map(|line| line.strip_prefix("TCP INET: "));
                return port.expect("a port of TCP").trim().parse().unwrap();
            }
            assert!(started.elapsed() < PATIENCE, "memcached does not serve");
            assert!(self.child.try_wait().unwrap().is_none(), "memcached ended");
            thread::yield_now();
        }
    }
}

impl Drop for Memcached {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A node of its own; stopped when dropped.
pub(crate) struct Node(Option<Running>);

impl Node {
    pub(crate) fn start() -> Self {
        // So little memory is one part, in which no two items share a token, as in
        // memcached.
        let settings = Settings { threads: 1, memory_bytes: 8 << 20, ..Settings::default() };
        Self(Some(Running::start(ServerConfig { settings, ..ServerConfig::default() }).unwrap()))
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.0.as_ref().unwrap().addresses()[0]
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(running) = self.0.take() {
            running.stopper().stop(Stop::Now);
            running.wait().unwrap();
        }
    }
}
