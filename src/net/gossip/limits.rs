//! Every maximum of gossip, each with its reason.

/// Bytes of a sealed datagram, at most: under the MTU of any link in use, tunnels
/// included.
pub(super) const DATAGRAM_BYTES_MAX: usize = 1400;

/// Datagrams that wait to be sent, at most. More are dropped, as the network
/// would; everything said is said again.
pub(super) const TRANSMITS_MAX: usize = 8192;

/// Events that wait to be taken, at most: beyond it packets are dropped until
/// they are. A packet brings some tens.
pub(super) const EVENTS_MAX: usize = 4096;

/// Seeds, at most: one that answers is enough.
pub(super) const SEEDS_MAX: usize = 64;

/// Datagrams of digests in one answer, at most: some 1800 cards. Where there are
/// more, each exchange compares another part.
pub(super) const HAVE_PARCELS_MAX: usize = 32;

/// Datagrams of cards in one answer, at most: some 130 cards. What is missing
/// then comes with the next exchanges.
pub(super) const TAKE_PARCELS_MAX: usize = 16;

/// Packets remembered against replay, at most, in each of two halves. A node of
/// a thousand gets fewer in the time they are remembered.
pub(super) const REPLAYS_MAX: usize = 1 << 16;

/// Commands of the node that wait for the gossip task, at most.
pub(super) const COMMANDS_MAX: usize = 64;

/// Datagrams taken from the socket before timers are looked at, at most: as many
/// as the kernel's buffer may hold after a pause.
pub(super) const RECEIVE_BATCH: usize = 2048;
