//! A network of its own for each node: namespaces on one bridge, between which packets
//! are lost and ways are cut. Needs root, `ip` and `iptables`.

use crate::node::{Node, path, wait_until};
use crate::nodes::all_serve;
use crate::will::Will;
use std::fmt::Write;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// Networks for measuring, where nobody else is: 8192 of 16 addresses, of which the
/// bridge has the first.
const FIRST: u32 = u32::from_be_bytes([198, 18, 0, 0]);
const NETS: u32 = 8192;
const NET_BITS: u32 = 4;

/// Where each of them listens for the others: in a network of its own any port is free.
pub(crate) const PEER_PORT: u16 = 7946;

static MADE: AtomicU32 = AtomicU32::new(0);

/// The nodes, and the network that goes when they are gone.
pub(crate) struct Net {
    pub(crate) nodes: Vec<Node>,
    name: String,
    base: u32,
    secret: PathBuf,
    /// After the nodes.
    will: Will,
}

impl Net {
    /// So many nodes that have found each other; none where this is not permitted,
    /// and says why. The name is no other test's.
    pub(crate) fn start(name: &str, count: usize, flags: &str) -> Option<Self> {
        let mut net = match Self::lay(name, count) {
            Ok(net) => net,
            Err(why) => {
                println!("skipped: no network of its own for each node: {why}");
                return None;
            }
        };
        for number in 0..count {
            let node = net.start_node(name, number, flags);
            net.nodes.push(node);
        }
        all_serve(&net.nodes);
        Some(net)
    }

    fn lay(name: &str, count: usize) -> Result<Self, String> {
        let (pid, made) = (std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        let base = FIRST + (((pid * 8 + made) % NETS) << NET_BITS);
        let secret = path(&format!("net-{name}-secret"));
        fs::write(&secret, "the secret of nodes that are far from each other").unwrap();
        fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
        let net = Self {
            nodes: Vec::new(),
            name: format!("rc{pid}x{made}"),
            base,
            secret,
            will: Will::new(),
        };
        let bridge = &net.name;
        net.will.add(&format!("ip link del {bridge}"));
        run(&format!("ip link add {bridge} type bridge"))?;
        run(&format!("ip addr add {}/28 dev {bridge}", Ipv4Addr::from(base + 1)))?;
        run(&format!("ip link set {bridge} up"))?;
        for number in 0..count {
            let (space, address) = (net.space(number), net.address(number));
            net.will
                .add(&format!("ip netns pids {space} | xargs -r kill -9; ip netns del {space}"));
            run(&format!("ip netns add {space}"))?;
            run(&format!("ip link add {space} type veth peer name eth0 netns {space}"))?;
            run(&format!("ip link set {space} master {bridge} up"))?;
            run(&format!("ip -n {space} addr add {address}/28 dev eth0"))?;
            run(&format!("ip -n {space} link set eth0 up"))?;
            run(&format!("ip -n {space} link set lo up"))?;
            run(&format!("ip netns exec {space} iptables -w -L INPUT -n"))?;
        }
        Ok(net)
    }

    fn space(&self, number: usize) -> String {
        format!("{}n{number}", self.name)
    }

    fn address(&self, number: usize) -> Ipv4Addr {
        Ipv4Addr::from(self.base + 2 + number as u32)
    }

    pub(crate) fn start_node(&self, name: &str, number: usize, flags: &str) -> Node {
        let address = self.address(number);
        let mut line =
            format!("netns exec {} {}", self.space(number), env!("CARGO_BIN_EXE_ringcached"));
        write!(line, " -p 0 -t 2 -l {address} --peer-listen {address}:{PEER_PORT}").unwrap();
        write!(line, " --secret-file {} --node-id net-{name}-{number}", self.secret.display())
            .unwrap();
        if let Some(first) = self.nodes.first() {
            write!(line, " --join {}", first.ready["peer"].as_str().unwrap()).unwrap();
        }
        let mut command = Command::new("ip");
        command.args(line.split_whitespace()).args(flags.split_whitespace());
        let stderr_file = path(&format!("net-{name}-{number}.stderr"));
        command.stdin(Stdio::null()).stderr(fs::File::create(&stderr_file).unwrap());
        Node::spawn(command, path(&format!("net-{name}-{number}.ready")), stderr_file)
    }

    /// Loses so many of a hundred packets between all nodes.
    pub(crate) fn lose_percent(&self, percent: u32) {
        let some = format!("-m statistic --mode random --probability 0.{percent:02}");
        for (from, to) in self.ways() {
            self.drop_at(from, to, &some);
        }
    }

    /// Nothing of what this node says arrives there.
    pub(crate) fn cut(&self, from: usize, to: usize) {
        self.drop_at(from, to, "");
    }

    /// Nothing arrives at this port of a node.
    pub(crate) fn close_port(&self, node: usize, port: u16) {
        let space = self.space(node);
        run(&format!("ip netns exec {space} iptables -w -A INPUT -p udp --dport {port} -j DROP"))
            .unwrap();
    }

    /// Of all that others say only gossip arrives there.
    pub(crate) fn cut_calls(&self, to: usize) {
        let peer: SocketAddr = self.nodes[to].ready["peer"].as_str().unwrap().parse().unwrap();
        let (space, port) = (self.space(to), peer.port());
        let rule = format!("-A INPUT -p udp ! --dport {port} -j DROP");
        run(&format!("ip netns exec {space} iptables -w {rule}")).unwrap();
    }

    /// All arrives again.
    pub(crate) fn heal(&self) {
        for number in 0..self.nodes.len() {
            run(&format!("ip netns exec {} iptables -w -F INPUT", self.space(number))).unwrap();
        }
    }

    fn drop_at(&self, from: usize, to: usize, which: &str) {
        let (space, from) = (self.space(to), self.address(from));
        run(&format!("ip netns exec {space} iptables -w -A INPUT -s {from} {which} -j DROP"))
            .unwrap();
    }

    fn ways(&self) -> impl Iterator<Item = (usize, usize)> {
        let count = self.nodes.len();
        let all = (0..count).flat_map(move |from| (0..count).map(move |to| (from, to)));
        all.filter(|(from, to)| from != to)
    }

    /// Waits until this node is told of no others than these.
    pub(crate) fn wait_listed(&self, numbers: &[usize], count: usize) {
        for &number in numbers {
            wait_until("they agree", || crate::nodes::listed(&self.nodes[number]) == count);
        }
    }
}

fn run(line: &str) -> Result<(), String> {
    let mut words = line.split_whitespace();
    let mut command = Command::new(words.next().expect("a program"));
    let run = command.args(words).stdin(Stdio::null()).output();
    let run = run.map_err(|why| format!("{line}: {why}"))?;
    match run.status.success() {
        true => Ok(()),
        false => Err(format!("{line}: {}", String::from_utf8_lossy(&run.stderr).trim())),
    }
}
