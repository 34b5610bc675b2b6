//! The first frame of each side of a connection: who speaks, in which versions,
//! of which cluster. Whoever does not belong together finds out here, and why.

use super::codec::{CODEC, append};
use crate::limits::{CLUSTER_NAME_BYTES_MAX, HELLO_BYTES_MAX, LANES_MAX, NODE_NAME_BYTES_MAX};
use crate::ring::{Bound, Layout, NodeId};
use bincode::{BorrowDecode, Encode};
use std::fmt;
use xxhash_rust::xxh3::xxh3_64;

/// The version of the words between nodes that this program speaks best.
pub const PROTOCOL_VERSION: u16 = 1;

/// The oldest it still speaks: the one before, so that a cluster can be upgraded
/// node by node.
pub const PROTOCOL_VERSION_MIN: u16 = 1;

/// The lane of a link by which one node brings another what it lacks. Both ends may
/// dial one: whoever has something to bring.
pub const BULK_LANE: u16 = u16::MAX;

/// The first bytes of a hello. These, and the two versions behind them, are for
/// ever; all the rest may be another's in another version.
const MAGIC: [u8; 8] = *b"ringcach";

/// The protocol versions that a node speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Versions {
    /// The oldest.
    pub min: u16,
    /// The newest.
    pub max: u16,
}

impl Versions {
    /// Those of this program.
    pub const OURS: Self = Self { min: PROTOCOL_VERSION_MIN, max: PROTOCOL_VERSION };

    /// The newest that both speak.
    #[must_use]
    pub fn common(self, other: Self) -> Option<u16> {
        let newest = self.max.min(other.max);
        (newest >= self.min.max(other.min)).then_some(newest)
    }
}

impl fmt::Display for Versions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.min, self.max)
    }
}

/// What a node says of itself before anything else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// What it speaks.
    pub versions: Versions,
    /// The cluster it belongs to.
    pub cluster: Box<str>,
    /// The slots of its ring, as a power of two.
    pub slot_bits: u8,
    /// The fingerprint of all that makes rings equal: [`layout_fingerprint`].
    pub layout: u64,
    /// Who it is.
    pub node: NodeId,
    /// What people call it.
    pub name: Box<str>,
    /// Greater with every start.
    pub generation: u64,
    /// Which of the links between the two nodes this is to be, as who dials says: zero
    /// for the one by which they speak of the cluster, and others between their lanes.
    pub lane: u16,
    /// The ports of the node's lanes, in their order; told by the first link.
    pub lanes: Box<[u16]>,
    /// The port where it takes what is moved in bulk; told by the first link, zero if
    /// there is none.
    pub bulk: u16,
}

/// One life of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life {
    /// Who it is.
    pub node: NodeId,
    /// Greater with every start.
    pub generation: u64,
}

/// Why two nodes do not go together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// They have no version of the protocol in common.
    Version {
        /// What we speak.
        ours: Versions,
        /// What the other speaks.
        theirs: Versions,
    },
    /// They belong to different clusters.
    Cluster {
        /// The name of ours.
        ours: Box<str>,
        /// The name of theirs.
        theirs: Box<str>,
    },
    /// Their rings have different numbers of slots.
    Slots {
        /// As a power of two.
        ours: u8,
        /// As a power of two.
        theirs: u8,
        /// Whose.
        life: Life,
    },
    /// Their rings are made differently, so that they would disagree on owners.
    Layout {
        /// Whose.
        life: Life,
    },
    /// The other has our own node id.
    OurId {
        /// What the other is called.
        name: Box<str>,
    },
}

impl Refusal {
    /// Whose ring is another than ours, if that is what parts us.
    #[must_use]
    pub fn stranger(&self) -> Option<Life> {
        match self {
            Self::Slots { life, .. } | Self::Layout { life } => Some(*life),
            Self::Version { .. } | Self::Cluster { .. } | Self::OurId { .. } => None,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version { ours, theirs } => write!(
                f,
                "the protocol version differs: this node speaks {ours}, the other {theirs}"
            ),
            Self::Cluster { ours, theirs } => write!(
                f,
                "the cluster name differs: this node is of {ours:?}, the other of {theirs:?}"
            ),
            Self::Slots { ours, theirs, .. } => {
                write!(f, "the slot count differs: 2^{ours} on this node, 2^{theirs} on the other")
            }
            Self::Layout { .. } => {
                f.write_str("the ring layout differs (hash seed, virtual nodes, bound or copies)")
            }
            Self::OurId { name } => write!(f, "it has this node's own id; it is called {name:?}"),
        }
    }
}

impl std::error::Error for Refusal {}

/// Why bytes are no hello.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoHello {
    /// They come from something that is no node.
    Foreign,
    /// It is a node's, of a version that has nothing in common with ours.
    Version {
        /// What the other speaks.
        theirs: Versions,
    },
    /// It is broken, or a name in it is too long.
    Malformed,
}

/// Everything behind the versions.
#[derive(Encode, BorrowDecode)]
struct Rest<'a> {
    cluster: &'a str,
    slot_bits: u8,
    layout: u64,
    node: u64,
    name: &'a str,
    generation: u64,
    lane: u16,
    /// Two bytes each, so that nothing is taken for a length that is only claimed.
    lanes: &'a [u8],
    bulk: u16,
}

impl Hello {
    /// Appends the bytes of a hello, which are the body of a frame.
    pub fn encode(&self, into: &mut Vec<u8>) {
        into.extend_from_slice(&MAGIC);
        into.extend_from_slice(&self.versions.min.to_le_bytes());
        into.extend_from_slice(&self.versions.max.to_le_bytes());
        let lanes: Vec<u8> = self.lanes.iter().flat_map(|port| port.to_le_bytes()).collect();
        let rest = Rest {
            cluster: &self.cluster,
            slot_bits: self.slot_bits,
            layout: self.layout,
            node: self.node.0,
            name: &self.name,
            generation: self.generation,
            lane: self.lane,
            lanes: &lanes,
            bulk: self.bulk,
        };
        append(into, &rest);
    }

    /// Reads the body of a first frame. What a newer version adds at the end is
    /// passed over.
    ///
    /// # Errors
    /// Says whether it is no hello at all, or one that cannot be read.
    pub fn decode(bytes: &[u8]) -> Result<Self, NoHello> {
        let rest = bytes.strip_prefix(&MAGIC).ok_or(NoHello::Foreign)?;
        let (min, rest) = rest.split_first_chunk().ok_or(NoHello::Malformed)?;
        let (max, rest) = rest.split_first_chunk().ok_or(NoHello::Malformed)?;
        let versions = Versions { min: u16::from_le_bytes(*min), max: u16::from_le_bytes(*max) };
        if Versions::OURS.common(versions).is_none() {
            return Err(NoHello::Version { theirs: versions });
        }
        let (rest, _): (Rest<'_>, usize) =
            bincode::borrow_decode_from_slice(rest, CODEC).map_err(|_| NoHello::Malformed)?;
        let (lanes, odd) = rest.lanes.as_chunks();
        if !odd.is_empty() {
            return Err(NoHello::Malformed);
        }
        let hello = Self {
            versions,
            cluster: rest.cluster.into(),
            slot_bits: rest.slot_bits,
            layout: rest.layout,
            node: NodeId(rest.node),
            name: rest.name.into(),
            generation: rest.generation,
            lane: rest.lane,
            lanes: lanes.iter().map(|port| u16::from_le_bytes(*port)).collect(),
            bulk: rest.bulk,
        };
        if hello.is_short() { Ok(hello) } else { Err(NoHello::Malformed) }
    }

    /// Whether its names and its list are as short as they have to be.
    #[must_use]
    pub fn is_short(&self) -> bool {
        self.cluster.len() <= CLUSTER_NAME_BYTES_MAX
            && self.name.len() <= NODE_NAME_BYTES_MAX
            && self.lanes.len() <= LANES_MAX
            && (usize::from(self.lane) <= LANES_MAX || self.lane == BULK_LANE)
    }

    /// The version to speak with another node, of which this is the hello.
    ///
    /// # Errors
    /// Says what parts them, the first thing if there are several.
    pub fn meet(&self, other: &Self) -> Result<u16, Refusal> {
        let version = self
            .versions
            .common(other.versions)
            .ok_or(Refusal::Version { ours: self.versions, theirs: other.versions })?;
        if self.cluster != other.cluster {
            let (ours, theirs) = (self.cluster.clone(), other.cluster.clone());
            return Err(Refusal::Cluster { ours, theirs });
        }
        let life = Life { node: other.node, generation: other.generation };
        if self.slot_bits != other.slot_bits {
            return Err(Refusal::Slots { ours: self.slot_bits, theirs: other.slot_bits, life });
        }
        if self.layout != other.layout {
            return Err(Refusal::Layout { life });
        }
        if self.node == other.node {
            return Err(Refusal::OurId { name: other.name.clone() });
        }
        Ok(version)
    }
}

/// One number for a layout: nodes with equal ones make equal rings of equal
/// views.
#[must_use]
pub fn layout_fingerprint(layout: &Layout) -> u64 {
    let bound = match layout.bound {
        Bound::Permille(permille) => u64::from(permille),
        Bound::Unlimited => u64::MAX,
    };
    let words = [
        layout.seed,
        u64::from(layout.slot_bits),
        u64::from(layout.vnodes),
        bound,
        u64::from(layout.copies),
    ];
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    xxh3_64(&bytes)
}

// The longest hello there may be fits where one is waited for.
const NAMES_BYTES_MAX: usize = CLUSTER_NAME_BYTES_MAX + NODE_NAME_BYTES_MAX;
const _: () = assert!(HELLO_BYTES_MAX >= 2 * (NAMES_BYTES_MAX + 2 * LANES_MAX) + 64);

#[cfg(test)]
mod tests {
    use super::*;

    fn hello() -> Hello {
        Hello {
            versions: Versions::OURS,
            cluster: "shop".into(),
            slot_bits: 16,
            layout: 0x0102_0304_0506_0708,
            node: NodeId(0x1112_1314_1516_1718),
            name: "cache-0".into(),
            generation: 1_800_000_000_000,
            lane: 0,
            lanes: [11213, 11214].into(),
            bulk: 11215,
        }
    }

    fn other() -> Hello {
        Hello { node: NodeId(2), name: "cache-1".into(), generation: 7, ..hello() }
    }

    fn bytes(hello: &Hello) -> Vec<u8> {
        let mut bytes = Vec::new();
        hello.encode(&mut bytes);
        bytes
    }

    /// Nodes of different builds have to understand each other.
    #[test]
    fn its_bytes_never_change() {
        let expected: &[&[u8]] = &[
            b"ringcach\x01\x00\x01\x00",
            b"\x04shop\x10",
            b"\xfd\x08\x07\x06\x05\x04\x03\x02\x01",
            b"\xfd\x18\x17\x16\x15\x14\x13\x12\x11",
            b"\x07cache-0",
            b"\xfd\x00\x50\x5c\x18\xa3\x01\x00\x00",
            b"\x00\x04\xcd\x2b\xce\x2b",
            b"\xfb\xcf\x2b",
        ];
        assert_eq!(
            bytes(&hello()).escape_ascii().to_string(),
            expected.concat().escape_ascii().to_string()
        );
    }

    #[test]
    fn it_is_read_as_it_was_written() {
        assert_eq!(Hello::decode(&bytes(&hello())), Ok(hello()));
        let mut longer = bytes(&hello());
        longer.extend_from_slice(b"what a newer version says");
        assert_eq!(Hello::decode(&longer), Ok(hello()));
    }

    #[test]
    fn what_is_no_hello_is_told_apart() {
        assert_eq!(Hello::decode(b"GET / HTTP/1.1\r\n\r\n"), Err(NoHello::Foreign));
        let mut cut = bytes(&hello());
        cut.pop();
        assert_eq!(Hello::decode(&cut), Err(NoHello::Malformed));
        let theirs = Versions { min: 900, max: 901 };
        let newer = bytes(&Hello { versions: theirs, ..hello() });
        assert_eq!(Hello::decode(&newer), Err(NoHello::Version { theirs }));
        let long = Hello { name: "x".repeat(NODE_NAME_BYTES_MAX + 1).into(), ..hello() };
        assert_eq!(Hello::decode(&bytes(&long)), Err(NoHello::Malformed));
        let many = Hello { lanes: vec![1; LANES_MAX + 1].into(), ..hello() };
        assert_eq!(Hello::decode(&bytes(&many)), Err(NoHello::Malformed));
        let far = Hello { lane: LANES_MAX as u16 + 1, ..hello() };
        assert_eq!(Hello::decode(&bytes(&far)), Err(NoHello::Malformed));
        let mut odd = bytes(&hello());
        let lanes_at = odd.len() - 8;
        odd[lanes_at] = 3;
        assert_eq!(Hello::decode(&odd), Err(NoHello::Malformed));
    }

    #[test]
    fn neighbouring_versions_go_together() {
        let of = |min, max| Hello { versions: Versions { min, max }, ..hello() };
        let with = |min, max| Hello { versions: Versions { min, max }, ..other() };
        assert_eq!(of(2, 3).meet(&with(3, 4)), Ok(3));
        assert_eq!(of(3, 4).meet(&with(2, 3)), Ok(3));
        assert_eq!(of(1, 1).meet(&with(1, 2)), Ok(1));
        let refusal = of(1, 2).meet(&with(3, 4)).unwrap_err().to_string();
        assert_eq!(
            refusal,
            "the protocol version differs: this node speaks 1 to 2, the other 3 to 4"
        );
    }

    #[test]
    fn a_refusal_says_what_differs() {
        let refused = |other: Hello| hello().meet(&other).unwrap_err().to_string();
        assert_eq!(
            refused(Hello { cluster: "shop-test".into(), ..other() }),
            r#"the cluster name differs: this node is of "shop", the other of "shop-test""#
        );
        assert_eq!(
            refused(Hello { slot_bits: 18, ..other() }),
            "the slot count differs: 2^16 on this node, 2^18 on the other"
        );
        assert!(refused(Hello { layout: 1, ..other() }).starts_with("the ring layout differs"));
        let stranger = |other: Hello| hello().meet(&other).unwrap_err().stranger();
        let life = Some(Life { node: NodeId(2), generation: 7 });
        assert_eq!(stranger(Hello { layout: 1, ..other() }), life);
        assert_eq!(stranger(Hello { slot_bits: 18, ..other() }), life);
        assert_eq!(stranger(Hello { cluster: "shop-test".into(), ..other() }), None);
        assert_eq!(
            refused(Hello { node: hello().node, ..other() }),
            r#"it has this node's own id; it is called "cache-1""#
        );
        assert_eq!(hello().meet(&other()), Ok(PROTOCOL_VERSION));
    }

    #[test]
    fn each_part_of_a_layout_is_in_its_fingerprint() {
        let usual = Layout::default();
        let others = [
            Layout { seed: 1, ..usual },
            Layout { slot_bits: 17, ..usual },
            Layout { vnodes: 1024, ..usual },
            Layout { bound: Bound::Unlimited, ..usual },
            Layout { copies: 3, ..usual },
        ];
        let mut seen: Vec<u64> = others.iter().map(layout_fingerprint).collect();
        seen.push(layout_fingerprint(&usual));
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), others.len() + 1);
    }
}
