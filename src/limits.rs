//! Every maximum in one place, each with its reason.
//!
//! Nothing here is tunable: a limit is what keeps an input from taking memory
//! or time that nobody meant to give it.

/// Copies of a key, at most. Four owners of sixteen bits are one word of 64, so
/// a lookup is one load whatever the number of copies.
pub const COPIES_MAX: u8 = 4;

/// Nodes in one ring, at most: an owner is a 16-bit index and the last value
/// means "no owner".
pub const NODES_MAX: usize = u16::MAX as usize;

/// Weight of one node, at most. A node a thousand times as large as its
/// neighbour is a typing error, and each unit of weight costs virtual nodes.
pub const WEIGHT_MAX: u32 = 1000;

/// Virtual nodes per unit of weight, at most: beyond 4096 nothing improves, and
/// a laboratory may want to see that.
pub const VNODES_MAX: u32 = 1 << 14;

/// Points on one ring, at most: building sorts them, and 2^26 of them are
/// 512 MiB. That is 32,768 nodes of weight 1 at 2048 virtual nodes each; more
/// nodes take fewer.
pub const POINTS_MAX: u64 = 1 << 26;

/// Fewest slots of a ring, as a power of two.
pub const SLOT_BITS_MIN: u8 = 8;

/// Most slots of a ring, as a power of two: 2^20 cells are 4 or 8 MiB, and a
/// lookup in more is a trip to memory.
pub const SLOT_BITS_MAX: u8 = 20;

/// The bound above the fair share, at most, in thousandths: ten times the fair
/// share. Whoever wants more wants no bound.
pub const BOUND_PERMILLE_MAX: u32 = 9000;

/// Bytes of a key, at most: memcached's limit, the terminating zero not counted.
pub const KEY_BYTES_MAX: usize = 250;

/// Keys that the laboratory looks up, at most: more take gigabytes.
pub const KEYS_MAX: u64 = 100_000_000;

/// Bytes that the laboratory reads from a file of keys, at most: [`KEYS_MAX`]
/// keys as long as those it draws, of sixteen bytes and a line's end, fit. All
/// are held in memory, with their places counted in 32 bits.
pub const KEYS_FILE_BYTES_MAX: u64 = 2 << 30;

/// Bytes of a message on stderr, at most, and of each of its lines: it is to be
/// read, and a file that is echoed may be one line of megabytes.
pub const MESSAGE_BYTES_MAX: usize = 4 << 10;

/// Bytes of a node's or zone's name, at most: as many as a DNS name has.
pub const NAME_BYTES_MAX: usize = 255;

/// Bytes of a cluster file, at most: [`NODES_MAX`] nodes fit with 256 bytes for
/// each.
pub const FILE_BYTES_MAX: u64 = 16 << 20;
