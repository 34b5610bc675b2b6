//! The words of gossip, one to a datagram, before they are sealed.

use crate::ring::NodeId;
use bincode::{BorrowDecode, Decode, Encode, config};
use std::net::SocketAddr;

/// Bytes of an identity with a word around it, at most: what decoding may take
/// before it is known that the rest is there.
const WORD_BYTES_MAX: usize = 256;

/// Bytes of a whole parcel, at most.
pub const PARCEL_BYTES_MAX: usize = 1344;

/// Who speaks or is spoken of: a node, from one start, or return from the dead,
/// to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub struct Identity {
    node: u64,
    /// Greater with every start and every return.
    pub generation: u64,
    /// Where it hears gossip.
    pub address: SocketAddr,
}

impl Identity {
    /// A node of a generation at an address.
    #[must_use]
    pub fn new(node: NodeId, generation: u64, address: SocketAddr) -> Self {
        Self { node: node.0, generation, address }
    }

    /// Which node it is, of whatever generation.
    #[must_use]
    pub fn node(&self) -> NodeId {
        NodeId(self.node)
    }
}

/// What the failure detector puts before its updates.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct SwimHeader {
    /// Who sends it.
    pub from: Identity,
    /// How often the sender has refuted a suspicion.
    pub incarnation: u16,
    /// Who is to have it: others drop it.
    pub to: Identity,
    /// What it says.
    pub word: SwimWord,
}

/// The failure detector's messages. The numbers are of the probe they belong to.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum SwimWord {
    /// Are you there?
    Ping(u8),
    /// I am.
    Ack(u8),
    /// Ask the target whether it is there.
    PingRequest(Identity, u8),
    /// Are you there? The origin wants to know.
    IndirectPing(Identity, u8),
    /// I am; tell the origin.
    IndirectAck(Identity, u8),
    /// The origin of this is there.
    ForwardedAck(Identity, u8),
    /// I am new; whom do you know?
    Announce,
    /// These.
    Feed,
    /// News of members.
    Gossip,
    /// Cards.
    Broadcast,
    /// You are held for dead.
    TurnUndead,
}

/// What is known of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct SwimMember {
    /// Of whom.
    pub identity: Identity,
    /// How often it has refuted a suspicion.
    pub incarnation: u16,
    /// What is thought of it.
    pub state: SwimState,
}

/// What is thought of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum SwimState {
    /// It answers.
    Alive,
    /// It did not answer.
    Suspect,
    /// It did not defend itself.
    Down,
}

/// Which card of a node one has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Digest {
    node: u64,
    /// The card's generation.
    pub generation: u64,
    /// Its sequence within the generation.
    pub sequence: u64,
}

impl Digest {
    /// Of a node's card.
    #[must_use]
    pub fn new(node: NodeId, generation: u64, sequence: u64) -> Self {
        Self { node: node.0, generation, sequence }
    }

    /// Whose card.
    #[must_use]
    pub fn node(&self) -> NodeId {
        NodeId(self.node)
    }
}

/// What one datagram carries.
#[derive(Clone, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub enum Parcel<'a> {
    /// From failure detector to failure detector.
    Swim(&'a [u8]),
    /// To whoever is at this address: here I am, whom do you know?
    Hello {
        /// Who says it.
        from: Identity,
        /// How often it has refuted a suspicion.
        incarnation: u16,
    },
    /// To one that did not answer: say something, or be held for dead.
    Doubt {
        /// Who doubts.
        from: Identity,
        /// Who is doubted.
        of: Identity,
        /// In which incarnation.
        incarnation: u16,
    },
    /// The cards I have, in two numbers.
    Sum {
        /// Who has them.
        from: Identity,
        /// How many.
        cards: u32,
        /// Their digests, mixed.
        mix: u64,
    },
    /// The cards I have from one node to another, all of them.
    Have {
        /// Who has them.
        from: Identity,
        /// The range's first node.
        first: u64,
        /// The range's last node.
        last: u64,
        /// Ascending by node.
        digests: Vec<Digest>,
    },
    /// Send me the cards of these.
    Want {
        /// Who wants them.
        from: Identity,
        /// Whose.
        nodes: Vec<u64>,
    },
    /// Cards that you have not, or older.
    Take {
        /// Who had them.
        from: Identity,
        /// Each as its bytes.
        cards: Vec<&'a [u8]>,
    },
}

/// The bytes are not the words they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Garbled;

impl std::fmt::Display for Garbled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("not a word of gossip")
    }
}

impl std::error::Error for Garbled {}

/// The bytes of a word of the failure detector.
#[must_use]
pub fn swim_bytes(word: &impl Encode) -> Vec<u8> {
    bincode::encode_to_vec(word, config::standard()).unwrap_or_default()
}

/// A header of the failure detector, and how many bytes it took.
///
/// # Errors
/// When the bytes do not begin with one.
pub fn swim_header(bytes: &[u8]) -> Result<(SwimHeader, usize), Garbled> {
    swim_word(bytes)
}

/// A member as the failure detector knows it, and how many bytes it took.
///
/// # Errors
/// When the bytes do not begin with one.
pub fn swim_member(bytes: &[u8]) -> Result<(SwimMember, usize), Garbled> {
    swim_word(bytes)
}

fn swim_word<W: Decode<()>>(bytes: &[u8]) -> Result<(W, usize), Garbled> {
    let limits = config::standard().with_limit::<WORD_BYTES_MAX>();
    bincode::decode_from_slice(bytes, limits).map_err(|_| Garbled)
}

/// The bytes of a parcel.
#[must_use]
pub fn parcel_bytes(parcel: &Parcel<'_>) -> Vec<u8> {
    bincode::encode_to_vec(parcel, config::standard()).unwrap_or_default()
}

/// The parcel that these bytes are.
///
/// # Errors
/// When they are too many, or are not exactly one parcel.
pub fn parcel(bytes: &[u8]) -> Result<Parcel<'_>, Garbled> {
    // In memory a digest is larger than in bytes, so the limit on what decoding
    // takes is wider than the one on what came in.
    const TAKEN_BYTES_MAX: usize = 16 * PARCEL_BYTES_MAX;
    if bytes.len() > PARCEL_BYTES_MAX {
        return Err(Garbled);
    }
    let limits = config::standard().with_limit::<TAKEN_BYTES_MAX>();
    let (parcel, read) = bincode::borrow_decode_from_slice(bytes, limits).map_err(|_| Garbled)?;
    if read == bytes.len() { Ok(parcel) } else { Err(Garbled) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> Identity {
        Identity::new(NodeId(0x0102_0304_0506_0708), 7, "10.0.0.1:80".parse().unwrap())
    }

    const IDENTITY: [u8; 16] = [253, 8, 7, 6, 5, 4, 3, 2, 1, 7, 0, 10, 0, 0, 1, 80];

    #[test]
    fn words_stay_as_they_are() {
        let header = SwimHeader {
            from: identity(),
            incarnation: 2,
            to: identity(),
            word: SwimWord::PingRequest(identity(), 9),
        };
        let golden = [&IDENTITY[..], &[2], &IDENTITY, &[2], &IDENTITY, &[9]].concat();
        assert_eq!(swim_bytes(&header), golden);
        assert_eq!(swim_header(&golden), Ok((header, golden.len())));
        let member = SwimMember { identity: identity(), incarnation: 1, state: SwimState::Suspect };
        assert_eq!(swim_bytes(&member), [&IDENTITY[..], &[1, 1]].concat());
    }

    #[test]
    fn parcels_stay_as_they_are() {
        let of = identity();
        let cases: [(Parcel<'_>, Vec<u8>); 7] = [
            (Parcel::Swim(b"ab"), vec![0, 2, b'a', b'b']),
            (Parcel::Hello { from: of, incarnation: 3 }, [&[1], &IDENTITY[..], &[3]].concat()),
            (
                Parcel::Doubt { from: of, of, incarnation: 3 },
                [&[2], &IDENTITY[..], &IDENTITY, &[3]].concat(),
            ),
            (Parcel::Sum { from: of, cards: 4, mix: 5 }, [&[3], &IDENTITY[..], &[4, 5]].concat()),
            (
                Parcel::Have {
                    from: of,
                    first: 1,
                    last: 9,
                    digests: vec![Digest::new(NodeId(5), 6, 7)],
                },
                [&[4], &IDENTITY[..], &[1, 9, 1, 5, 6, 7]].concat(),
            ),
            (
                Parcel::Want { from: of, nodes: vec![8, 9] },
                [&[5], &IDENTITY[..], &[2, 8, 9]].concat(),
            ),
            (
                Parcel::Take { from: of, cards: vec![b"c", b"de"] },
                [&[6], &IDENTITY[..], &[2, 1, b'c', 2, b'd', b'e']].concat(),
            ),
        ];
        for (said, golden) in cases {
            assert_eq!(parcel_bytes(&said), golden);
            assert_eq!(parcel(&golden), Ok(said));
        }
    }

    #[test]
    fn a_parcel_is_exactly_its_bytes() {
        let bytes = parcel_bytes(&Parcel::Want { from: identity(), nodes: vec![1, 2, 3] });
        for length in 0..bytes.len() {
            assert_eq!(parcel(&bytes[..length]), Err(Garbled));
        }
        assert_eq!(parcel(&[&bytes[..], &[0]].concat()), Err(Garbled));
        assert_eq!(parcel(&vec![0; PARCEL_BYTES_MAX + 1]), Err(Garbled));
    }

    #[test]
    fn a_claimed_length_takes_no_memory() {
        let claim = [&[5], &IDENTITY[..], &[253], &u64::MAX.to_le_bytes()].concat();
        assert_eq!(parcel(&claim), Err(Garbled));
    }
}
