//! The program, run as a node, and clients of it.

use serde_json::Value;
use std::fs::{self, File};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Longer than anything here takes, unless it hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Below are ports that services of machines have.
const PORTS_FROM: u64 = 15_000;

/// Where connections may have nearly all ports, so many of them as well.
const PORTS_MIN: u64 = 10_000;

/// Between two looks: whoever looks all the time takes a core from the nodes, and a port for
/// each time that it asks them.
const LOOK_REST: Duration = Duration::from_millis(1);

/// Waits until something holds.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < PATIENCE, "waited in vain: {what}");
        thread::sleep(LOOK_REST);
    }
}

pub(crate) fn program(line: &str) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_ringcached"));
    program.args(line.split_whitespace()).stdin(Stdio::null());
    program
}

/// A node that runs; killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) child: Child,
    pub(crate) ready: Value,
    pub(crate) ready_file: PathBuf,
    stderr_file: PathBuf,
}

impl Node {
    /// Starts one with these flags at a free port, and waits until it serves.
    /// The name is no other test's.
    pub(crate) fn start(name: &str, flags: &str) -> Self {
        Self::start_as(name, &format!("-p 0 {flags}"))
    }

    pub(crate) fn start_as(name: &str, flags: &str) -> Self {
        let ready_file = path(&format!("{name}.ready"));
        let stderr_file = path(&format!("{name}.stderr"));
        let stderr = File::create(&stderr_file).unwrap();
        let mut command = program(flags);
        command.stderr(stderr);
        Self::spawn(command, ready_file, stderr_file)
    }

    /// The same with a command whose stderr nobody reads.
    pub(crate) fn start_unread(name: &str, flags: &str) -> Self {
        let stderr_file = path(&format!("{name}.stderr"));
        fs::write(&stderr_file, "").unwrap();
        let mut command = program(flags);
        command.stderr(Stdio::piped());
        Self::spawn(command, path(&format!("{name}.ready")), stderr_file)
    }

    /// The same with a command whose flags these are.
    pub(crate) fn spawn(command: Command, ready_file: PathBuf, stderr_file: PathBuf) -> Self {
        let mut node = Self::begin(command, ready_file, stderr_file);
        node.become_ready();
        node
    }

    /// Waits until it serves.
    pub(crate) fn become_ready(&mut self) {
        let started = Instant::now();
        while self.ready.is_null() {
            if let Ok(text) = fs::read_to_string(&self.ready_file) {
                self.ready = serde_json::from_str(&text).expect("whole as soon as it is there");
            }
            assert!(started.elapsed() < PATIENCE, "it does not serve: {}", self.stderr());
            assert!(self.child.try_wait().unwrap().is_none(), "{}", self.stderr());
            thread::sleep(LOOK_REST);
        }
    }

    /// One that may never serve: nobody waits for it.
    #[allow(dead_code, reason = "only where there are several nodes")]
    pub(crate) fn begin_as(name: &str, flags: &str) -> Self {
        let stderr_file = path(&format!("{name}.stderr"));
        let mut command = program(flags);
        command.stderr(File::create(&stderr_file).unwrap());
        Self::begin(command, path(&format!("{name}.ready")), stderr_file)
    }

    /// The same with all that it is told, a ready file too.
    #[allow(dead_code, reason = "only where there are several nodes")]
    pub(crate) fn begin_as_told(name: &str, mut command: Command) -> Self {
        let stderr_file = path(&format!("{name}.stderr"));
        let child = command.stderr(File::create(&stderr_file).unwrap()).spawn().unwrap();
        Self { child, ready: Value::Null, ready_file: path(&format!("{name}.ready")), stderr_file }
    }

    fn begin(mut command: Command, ready_file: PathBuf, stderr_file: PathBuf) -> Self {
        let _ = fs::remove_file(&ready_file);
        let child = command.arg("--ready-file").arg(&ready_file).spawn().unwrap();
        Self { child, ready: Value::Null, ready_file, stderr_file }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.ready["client"].as_str().unwrap().parse().unwrap()
    }

    pub(crate) fn connect(&self) -> Client {
        let stream = TcpStream::connect(self.address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Client(BufReader::new(stream))
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    /// Waits for its end; what it has said.
    pub(crate) fn end(mut self) -> (ExitStatus, String) {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return (status, self.stderr());
            }
            assert!(started.elapsed() < PATIENCE, "it does not end");
            thread::sleep(LOOK_REST);
        }
    }

    /// All it said so far.
    pub(crate) fn stderr(&self) -> String {
        fs::read_to_string(&self.stderr_file).unwrap()
    }

    /// Waits until it has said this, and all it said so far.
    #[track_caller]
    pub(crate) fn hear(&self, text: &str) -> String {
        wait_until(text, || self.stderr().contains(text));
        self.stderr()
    }

    pub(crate) fn stop(self) -> String {
        self.stop_by("TERM")
    }

    /// The same by another signal.
    pub(crate) fn stop_by(self, signal: &str) -> String {
        self.signal(signal);
        let (status, said) = self.end();
        assert_eq!(status.code(), Some(0), "{said}");
        said
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may have ended long ago.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A client of it.
pub(crate) struct Client(pub(crate) BufReader<TcpStream>);

impl Client {
    #[track_caller]
    pub(crate) fn ask(&mut self, request: &str, reply: &str) {
        self.0.get_mut().write_all(request.as_bytes()).unwrap();
        let mut bytes = vec![0; reply.len()];
        self.0.read_exact(&mut bytes).unwrap();
        assert_eq!(String::from_utf8_lossy(&bytes), reply);
    }

    /// All lines up to `END`.
    pub(crate) fn lines(&mut self, request: &str) -> Vec<String> {
        self.0.get_mut().write_all(request.as_bytes()).unwrap();
        let lines = self.0.by_ref().lines().map(Result::unwrap);
        lines.take_while(|line| line != "END").collect()
    }

    pub(crate) fn rest(mut self) -> String {
        let mut text = String::new();
        self.0.read_to_string(&mut text).unwrap();
        text
    }
}

/// A free port, which no connection has as its own end: of those, the port of a node that is
/// away would be taken when it is back, and whoever called it there could meet itself.
#[allow(dead_code, reason = "only where a node comes back")]
pub(crate) fn lasting_port() -> u16 {
    // Those of one process are different ones, and those of another one are far away.
    static FIRST: LazyLock<u64> = LazyLock::new(|| RandomState::new().build_hasher().finish());
    static TRIED: AtomicU64 = AtomicU64::new(0);
    let own_ends = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap();
    let end: u64 = own_ends.split_whitespace().next().unwrap().parse().unwrap();
    let count = end.saturating_sub(PORTS_FROM).max(PORTS_MIN);
    let port = || FIRST.wrapping_add(TRIED.fetch_add(1, Ordering::Relaxed)) % count + PORTS_FROM;
    let mut ports = std::iter::repeat_with(|| port() as u16);
    ports.find(|&port| TcpListener::bind(("127.0.0.1", port)).is_ok()).unwrap()
}

pub(crate) fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("serve-{name}"))
}
