//! Gossip on a UDP socket of its own: one task owns the [`Agent`].

use super::agent::Agent;
use super::config::GossipConfig;
use super::limits::{COMMANDS_MAX, DATAGRAM_BYTES_MAX, RECEIVE_BATCH};
use super::seal::{Refused, Seal};
use super::seeds::{Seed, SeedsFound, look_up};
use crate::cluster::{Card, Event};
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Leaving takes no longer than this.
const LEAVE_MAX: Duration = Duration::from_secs(1);

/// Each kind of refusal is reported once in this time.
const REFUSAL_REST: Duration = Duration::from_secs(10);

/// Bytes of the kernel's buffer for datagrams that is asked for: a pause of
/// seconds in a large cluster. The kernel may give less.
const RECEIVE_BUFFER_BYTES: usize = 4 << 20;

/// What gossip tells its node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// News of the members.
    News(Event),
    /// A datagram was dropped, and for how many in all for this reason.
    Refused {
        /// Where it came from.
        from: SocketAddr,
        /// Why.
        why: Refused,
        /// How many for this reason so far.
        count: u64,
    },
}

/// What the node wants of gossip.
#[derive(Debug)]
enum Command {
    Announce(SocketAddr),
    Leave,
}

/// What gossip is started with.
#[derive(Debug)]
pub struct GossipStart {
    /// How fast.
    pub config: GossipConfig,
    /// With whom.
    pub seal: Seal,
    /// As whom. Its peer address is where others send to.
    pub me: Card,
    /// Where others may be.
    pub seeds: Vec<Seed>,
    /// For the random choices.
    pub random: u64,
}

/// Gossip under way. Dropping it ends it without a word.
#[derive(Debug)]
pub struct Gossip {
    commands: mpsc::Sender<Command>,
    card: watch::Sender<Card>,
    seeds: watch::Receiver<SeedsFound>,
    local: SocketAddr,
    task: JoinHandle<()>,
}

impl Gossip {
    /// Starts to gossip on a socket, in a task of the present runtime. `report`
    /// is called in that task and must not take long.
    ///
    /// # Errors
    /// When the socket cannot be used.
    pub fn start(
        start: GossipStart,
        socket: std::net::UdpSocket,
        report: impl FnMut(Report) + Send + 'static,
    ) -> io::Result<Self> {
        let _ = socket2::SockRef::from(&socket).set_recv_buffer_size(RECEIVE_BUFFER_BYTES);
        socket.set_nonblocking(true)?;
        let socket = UdpSocket::from_std(socket)?;
        let local = socket.local_addr()?;
        let (commands, commanded) = mpsc::channel(COMMANDS_MAX);
        let (card, cards) = watch::channel(start.me.clone());
        let (found, seeds) = watch::channel(SeedsFound::default());
        tokio::spawn(look_up(start.seeds, found));
        let shell = Shell {
            agent: Agent::new(start.config, start.me, start.random, Duration::ZERO),
            started: Instant::now(),
            socket,
            seal: start.seal,
            refused: BTreeMap::new(),
            report,
        };
        let task = tokio::spawn(shell.run(Inputs { commanded, cards, seeds: seeds.clone() }));
        Ok(Self { commands, card, seeds, local, task })
    }

    /// Where the socket is.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Where the seeds are, as far as that is known by now.
    #[must_use]
    pub fn seeds(&self) -> SeedsFound {
        self.seeds.borrow().clone()
    }

    /// Says something new of this node. The last word counts.
    pub fn set_card(&self, card: Card) {
        self.card.send_replace(card);
    }

    /// Says hello to whoever is there. Lost when there is too much to do, as it
    /// may be on the network.
    pub fn announce(&self, to: SocketAddr) {
        let _ = self.commands.try_send(Command::Announce(to));
    }

    /// Tells the others that this node leaves, and ends.
    pub async fn leave(mut self) {
        let leaving = async {
            let _ = self.commands.send(Command::Leave).await;
            let _ = (&mut self.task).await;
        };
        let _ = timeout(LEAVE_MAX, leaving).await;
    }
}

impl Drop for Gossip {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What comes from elsewhere than the network.
struct Inputs {
    commanded: mpsc::Receiver<Command>,
    cards: watch::Receiver<Card>,
    seeds: watch::Receiver<SeedsFound>,
}

/// The agent with a socket and a clock.
struct Shell<R> {
    agent: Agent,
    started: Instant,
    socket: UdpSocket,
    seal: Seal,
    refused: BTreeMap<Refused, (u64, Instant)>,
    report: R,
}

impl<R: FnMut(Report)> Shell<R> {
    async fn run(mut self, mut inputs: Inputs) {
        // Before the runtime has once found it writable, nothing can be tried.
        let _ = self.socket.writable().await;
        while !self.agent.has_left() {
            self.carry_away();
            let due = self.agent.next_timeout().map(|due| self.started + due);
            let due = due.unwrap_or_else(|| Instant::now() + Duration::from_secs(1));
            tokio::select! {
                biased;
                _ = self.socket.readable() => {}
                command = inputs.commanded.recv() => match command {
                    Some(command) => self.obey(&command),
                    None => return,
                },
                Ok(()) = inputs.cards.changed() => {
                    let card = inputs.cards.borrow_and_update().clone();
                    self.agent.set_card(card, self.started.elapsed());
                }
                Ok(()) = inputs.seeds.changed() => {
                    let seeds = inputs.seeds.borrow_and_update().clone();
                    self.agent.set_seeds(&seeds.addresses, self.started.elapsed());
                }
                () = tokio::time::sleep_until(due.into()) => {}
            }
            // What has come is read before anything is found to be late.
            self.receive();
            let now = self.started.elapsed();
            if self.agent.next_timeout().is_some_and(|due| due <= now) {
                self.agent.handle_timeout(now);
            }
        }
        self.carry_away();
    }

    fn obey(&mut self, command: &Command) {
        let now = self.started.elapsed();
        match command {
            Command::Announce(to) => self.agent.announce(*to, now),
            Command::Leave => self.agent.leave(now),
        }
    }

    fn receive(&mut self) {
        // One byte more than there may be, so that what is longer is seen to be.
        let mut buffer = [0; DATAGRAM_BYTES_MAX + 1];
        for _ in 0..RECEIVE_BATCH {
            match self.socket.try_recv_from(&mut buffer) {
                Ok((length, from)) => self.open(&mut buffer[..length], from),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // A datagram sent before met a closed port: said once for each,
                // and of no consequence.
                Err(_) => {}
            }
        }
    }

    fn open(&mut self, sealed: &mut [u8], from: SocketAddr) {
        match self.seal.open(sealed, unix_ms()) {
            Ok(plain) => {
                self.agent.handle_packet(from, plain, self.started.elapsed());
                self.carry_away();
            }
            Err(why) => self.refuse(from, why),
        }
    }

    fn refuse(&mut self, from: SocketAddr, why: Refused) {
        let now = Instant::now();
        let (count, told) = self.refused.entry(why).or_insert((0, now));
        *count += 1;
        if *count == 1 || now.duration_since(*told) >= REFUSAL_REST {
            *told = now;
            (self.report)(Report::Refused { from, why, count: *count });
        }
    }

    /// Sends what is to be sent and tells what is new. What the kernel does not
    /// take is lost, as it may be on the network.
    fn carry_away(&mut self) {
        while let Some((to, plain)) = self.agent.poll_transmit() {
            if let Some(sealed) = self.seal.seal(&plain, unix_ms()) {
                let _ = self.socket.try_send_to(&sealed, to);
            }
        }
        while let Some(event) = self.agent.poll_event() {
            (self.report)(Report::News(event));
        }
    }
}

fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::samples::card;
    use super::*;
    use crate::cluster::Members;
    use crate::ring::NodeId;

    /// Long enough for the slowest machine.
    const PATIENCE: Duration = Duration::from_secs(20);

    struct Node {
        gossip: Gossip,
        members: watch::Receiver<Members>,
        refused: watch::Receiver<Option<Refused>>,
        card: Card,
    }

    fn node(number: u64, key: u8, seeds: &[SocketAddr]) -> Node {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let peer = socket.local_addr().unwrap();
        let card = Card { peer, ..card(number) };
        let start = GossipStart {
            config: GossipConfig::local(),
            seal: Seal::new(&[key; 32], "test"),
            me: card.clone(),
            seeds: seeds.iter().copied().map(Seed::At).collect(),
            random: number,
        };
        let (tell, members) = watch::channel(Members::new());
        let (complain, refused) = watch::channel(None);
        let gossip = Gossip::start(start, socket, move |report| match report {
            Report::News(event) => tell.send_modify(|members| {
                members.apply(&event, Duration::ZERO);
            }),
            Report::Refused { why, .. } => drop(complain.send_replace(Some(why))),
        });
        Node { gossip: gossip.unwrap(), members, refused, card }
    }

    async fn becomes(node: &mut Node, so: impl Fn(&Members) -> bool) {
        let waiting = node.members.wait_for(|members| so(members));
        timeout(PATIENCE, waiting).await.expect("in time").expect("it runs");
    }

    fn live(members: &Members) -> usize {
        members.iter().filter(|(_, member)| member.is_live() && member.card.is_some()).count()
    }

    #[tokio::test]
    async fn nodes_find_each_other_and_part() {
        let mut first = node(1, 7, &[]);
        let seeds = [first.gossip.local_addr()];
        let (mut second, mut third) = (node(2, 7, &seeds), node(3, 7, &seeds));
        for node in [&mut first, &mut second, &mut third] {
            becomes(node, |members| live(members) == 2).await;
        }
        second.gossip.set_card(Card { weight: 5, ..second.card.clone() });
        for node in [&mut first, &mut third] {
            becomes(node, |members| {
                let card = members.find(NodeId(2)).and_then(|member| member.card.as_ref());
                card.is_some_and(|card| card.weight == 5)
            })
            .await;
        }
        second.gossip.leave().await;
        for node in [&mut first, &mut third] {
            becomes(node, |members| live(members) == 1).await;
        }
        drop(third);
        becomes(&mut first, |members| live(members) == 0).await;
    }

    #[tokio::test]
    async fn one_with_another_secret_is_refused() {
        let mut first = node(1, 7, &[]);
        let stranger = node(2, 8, &[first.gossip.local_addr()]);
        let refused = first.refused.wait_for(Option::is_some);
        let refused = *timeout(PATIENCE, refused).await.unwrap().unwrap();
        assert_eq!(refused, Some(Refused::OtherSecret));
        assert!(first.members.borrow().is_empty() && stranger.members.borrow().is_empty());
    }

    #[tokio::test]
    async fn an_announcement_is_enough() {
        let mut first = node(1, 7, &[]);
        let mut second = node(2, 7, &[]);
        first.gossip.announce(second.gossip.local_addr());
        becomes(&mut first, |members| live(members) == 1).await;
        becomes(&mut second, |members| live(members) == 1).await;
    }
}
