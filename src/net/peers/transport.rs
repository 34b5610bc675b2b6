//! QUIC as nodes of one network speak it: what differs from quinn's defaults,
//! which are made for the internet.

use super::PeersConfig;
use super::certificate::Identity;
use super::datagrams::LaneRuntime;
use crate::wire::BULK_LANE;
use quinn::congestion::CubicConfig;
use quinn::{
    AckFrequencyConfig, ClientConfig, ConnectionId, ConnectionIdGenerator, Endpoint,
    EndpointConfig, IdleTimeout, MtuDiscoveryConfig, ServerConfig, TransportConfig, VarInt,
};
use ring::hmac::{HMAC_SHA256, Key};
use ring::rand::{SecureRandom, SystemRandom};
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

/// Streams that a peer may have open: the one for requests.
const STREAMS: u32 = 1;

/// Bytes that are sent before the first of them is acknowledged: a network of
/// ten gigabits and a tenth of a millisecond holds 125 KB.
const INITIAL_WINDOW_BYTES: u64 = 256 << 10;

/// Bytes under way on one connection: what ten gigabits and a round trip of
/// three milliseconds need. More would only be memory for a peer that is slow.
const WINDOW_BYTES: u32 = 4 << 20;

/// Bytes that a packet of what is moved in bulk may have, at most, where the network takes so many:
/// each packet costs both ends more than a kilobyte in it does. Ten go out at once, and Linux takes
/// 65,507 bytes.
const BULK_PACKET_BYTES: u16 = 6500;

/// Packets of what is moved in bulk that the other end may take before it acknowledges them: each
/// acknowledgement costs both ends about as much as a packet. Of large ones that is a fifth of what
/// may be under way at first, so that nobody waits for it, and of small ones a twentieth.
const BULK_PACKETS_PER_ACK: u32 = 8;

/// The round trip that is taken for granted until one is measured: a lost first
/// packet is sent again after three of them.
const INITIAL_RTT: Duration = Duration::from_millis(30);

/// Handshakes that wait to be looked at, and the bytes that are kept for each
/// of them: no peer sends data before its handshake is done.
const INCOMING_MAX: usize = 1024;
const INCOMING_BYTES: u64 = 16 << 10;
const INCOMING_BYTES_TOTAL: u64 = 4 << 20;

/// What sends and receives for all connections by this socket, on the runtime that
/// this is called on.
pub(super) fn endpoint(config: &PeersConfig, socket: UdpSocket) -> io::Result<Endpoint> {
    // Derived and not drawn: a node that was restarted at the same address can
    // so tell its peers that it knows nothing of their connections.
    let reset_key = Key::new(HMAC_SHA256, &config.identity.reset_key);
    let mut quic = EndpointConfig::new(Arc::new(reset_key));
    quic.cid_generator(|| Box::new(RandomIds));
    if config.hello.lane == BULK_LANE {
        quic.max_udp_payload_size(BULK_PACKET_BYTES).map_err(io::Error::other)?;
    }
    let server = server_config(&config.identity, config);
    Endpoint::new(quic, Some(server), socket, Arc::new(LaneRuntime))
}

/// How connections are dialled from now on.
pub(super) fn client_config(identity: &Identity, config: &PeersConfig) -> ClientConfig {
    let mut client = ClientConfig::new(Arc::clone(&identity.client) as _);
    let mut transport = transport(config);
    // One side is enough: what it sends is acknowledged, and both have heard.
    transport.keep_alive_interval(Some(config.keep_alive));
    client.transport_config(Arc::new(transport));
    client
}

/// How connections are accepted from now on.
pub(super) fn server_config(identity: &Identity, config: &PeersConfig) -> ServerConfig {
    let mut server = ServerConfig::with_crypto(Arc::clone(&identity.server) as _);
    server
        .transport_config(Arc::new(transport(config)))
        .migration(false)
        .max_incoming(INCOMING_MAX)
        .incoming_buffer_size(INCOMING_BYTES)
        .incoming_buffer_size_total(INCOMING_BYTES_TOTAL);
    server
}

fn transport(config: &PeersConfig) -> TransportConfig {
    let idle_ms = u32::try_from(config.idle_timeout.as_millis()).unwrap_or(u32::MAX);
    let mut cubic = CubicConfig::default();
    cubic.initial_window(INITIAL_WINDOW_BYTES);
    let mut transport = TransportConfig::default();
    transport
        .max_idle_timeout(Some(IdleTimeout::from(VarInt::from_u32(idle_ms))))
        .max_concurrent_bidi_streams(VarInt::from_u32(STREAMS))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .datagram_receive_buffer_size(None)
        .stream_receive_window(VarInt::from_u32(WINDOW_BYTES))
        .receive_window(VarInt::from_u32(WINDOW_BYTES))
        .send_window(u64::from(WINDOW_BYTES))
        .initial_rtt(INITIAL_RTT)
        .mtu_discovery_config(Some(MtuDiscoveryConfig::default()))
        .enable_segmentation_offload(config.segmentation_offload)
        .congestion_controller_factory(Arc::new(cubic));
    if config.hello.lane == BULK_LANE {
        let mut acks = AckFrequencyConfig::default();
        acks.ack_eliciting_threshold(VarInt::from_u32(BULK_PACKETS_PER_ACK));
        let mut packets = MtuDiscoveryConfig::default();
        packets.upper_bound(BULK_PACKET_BYTES);
        transport.ack_frequency_config(Some(acks)).mtu_discovery_config(Some(packets));
    }
    transport
}

/// A socket, and what is to be said about it. The kernel's own buffers hold a burst of
/// a hundred packets and lose the next.
pub(super) fn socket(
    listen: SocketAddr,
    buffer_bytes: usize,
) -> io::Result<(UdpSocket, Option<String>)> {
    let socket = Socket::new(Domain::for_address(listen), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    // What the kernel does not give is told below, whatever the reason.
    let _ = socket.set_recv_buffer_size(buffer_bytes);
    let _ = socket.set_send_buffer_size(buffer_bytes);
    socket.bind(&listen.into())?;
    // Linux tells twice what it gives, for it counts its own bookkeeping in.
    let given = socket.recv_buffer_size()?.min(socket.send_buffer_size()?) / 2;
    let remark = (given < buffer_bytes).then(|| {
        format!(
            "the socket for peers has buffers of {given} bytes where {buffer_bytes} were asked \
             for; raise net.core.rmem_max and net.core.wmem_max"
        )
    });
    Ok((socket.into(), remark))
}

/// Marks connections at random. quinn's own marks are made so that a node knows
/// them again, by a key that it draws at start: those of its earlier life it
/// takes for a stranger's, and leaves their packets without an answer.
struct RandomIds;

const ID_BYTES: usize = 8;

impl ConnectionIdGenerator for RandomIds {
    fn generate_cid(&mut self) -> ConnectionId {
        let mut id = [0; ID_BYTES];
        SystemRandom::new().fill(&mut id).expect("the machine has random numbers");
        ConnectionId::new(&id)
    }

    fn cid_len(&self) -> usize {
        ID_BYTES
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Secret;
    use crate::ring::{Layout, NodeId};
    use crate::wire::{Hello, Versions, layout_fingerprint};
    use std::net::Ipv4Addr;
    use tokio::runtime::Builder;

    fn config(lane: u16) -> PeersConfig {
        let cluster = "ringcached";
        let hello = Hello {
            versions: Versions::OURS,
            cluster: cluster.into(),
            slot_bits: 16,
            layout: layout_fingerprint(&Layout::default()),
            node: NodeId(1),
            name: "a".into(),
            generation: 1,
            lane,
            lanes: Box::default(),
            bulk: 0,
        };
        let secret = Secret::of_machine();
        let identity = Identity::from_secret(&secret, cluster, hello.node).unwrap();
        PeersConfig::new(identity, hello, (Ipv4Addr::LOCALHOST, 0).into())
    }

    /// Bytes of a packet between two such nodes, once they are as large as they become.
    async fn packet_bytes(lane: u16, goal: u16) -> u16 {
        let config = config(lane);
        let open = || {
            let (socket, _) = socket(config.listen, config.socket_buffer_bytes).unwrap();
            endpoint(&config, socket).unwrap()
        };
        let (one, other) = (open(), open());
        let client = client_config(&config.identity, &config);
        let dialled = one.connect_with(client, other.local_addr().unwrap(), "node").unwrap();
        let accepted = async { other.accept().await.unwrap().await.unwrap() };
        let (dialled, accepted) = tokio::join!(dialled, accepted);
        let dialled = dialled.unwrap();
        let bytes = || [&dialled, &accepted].map(|link| link.stats().path.current_mtu);
        let grown = async {
            while bytes() != [goal; 2] {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let _ = tokio::time::timeout(Duration::from_secs(20), grown).await;
        bytes()[0].min(bytes()[1])
    }

    #[test]
    fn packets_of_what_is_moved_in_bulk_are_as_large_as_the_network_takes() {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let bulk = runtime.block_on(packet_bytes(BULK_LANE, BULK_PACKET_BYTES));
        assert_eq!(bulk, BULK_PACKET_BYTES);
        // As quinn has it: none that a network would drop are tried where clients wait.
        assert_eq!(runtime.block_on(packet_bytes(1, 1452)), 1452);
    }
}
