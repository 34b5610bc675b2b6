//! The words of calls between nodes. Values are borrowed from the frame they
//! came in.

use bincode::{BorrowDecode, Encode};

/// One message of a call. Who calls chooses the number, who answers repeats it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub enum Message<'a> {
    /// Execute these.
    Ask(Ask<'a>),
    /// They were executed.
    Told(Told<'a>),
    /// Keep these items, unless you have newer ones.
    Keep(Keep<'a>),
    /// They are kept.
    Kept(Kept),
    /// Do not take my place for so long.
    Promise(Promise),
    /// From now on this is my card.
    Say(Say<'a>),
    /// You have all that I had for you, and since you are there I send you what
    /// is new.
    Filled(Filled<'a>),
    /// This is flushed.
    Flush(Flush),
    /// You have the last writes of one who died, as far as I have them, or will have.
    Relayed(Relayed),
    /// Another owner has something older than you.
    Behind(Behind),
    /// Send me what you have of the last writes of one who died.
    Relay(Relay),
    /// Go by these rings.
    Follow(Follow<'a>),
    /// I go by those rings, and have not done yet what the step asks for; it comes before the
    /// answer to who asked. By itself after that: now I have.
    Followed(Followed),
    /// Tell me your digests of these slots.
    Compare(Compare<'a>),
    /// These are my digests.
    Compared(Compared<'a>),
    /// Tell me what you have in these slots.
    List(List<'a>),
    /// This is what I have there.
    Listed(Listed<'a>),
    /// Send that node what you have of this.
    Bring(Bring<'a>),
}

/// Requests of clients, in the order in which they are to be executed.
#[derive(Clone, Debug, PartialEq, Eq, Encode)]
pub struct Ask<'a> {
    /// Of the call.
    pub call: u32,
    /// As what the receiver is to execute them.
    pub executor: Executor,
    /// What the clients said.
    pub requests: Vec<Request<'a>>,
}

/// As what a node executes a request that another sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub enum Executor {
    /// As the primary of its key: who is not refuses it.
    Primary,
    /// As an owner of its key, for a read whose primary does not answer.
    Owner,
    /// As an owner of its key, for a read that need not be the primary's: whoever
    /// does not own it refuses it, and so does whoever finds something to win, for
    /// that is the primary's.
    Copy,
}

/// What a client said, of one key and whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub struct Request<'a> {
    /// In which words.
    pub protocol: Protocol,
    /// As it came.
    pub bytes: &'a [u8],
}

/// In which words a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub enum Protocol {
    /// Lines: the classic and the meta commands.
    Text,
    /// The binary protocol.
    Binary,
}

/// The answers to the requests of an [`Ask`], in its order.
#[derive(Clone, Debug, PartialEq, Eq, Encode)]
pub struct Told<'a> {
    /// Of the call.
    pub call: u32,
    /// One for each request.
    pub replies: Vec<Reply<'a>>,
}

/// The answer to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub enum Reply<'a> {
    /// It was executed; this is to be said to the client, as it is.
    Done(&'a [u8]),
    /// It was executed as by an owner; this is to be said to the client if no other
    /// owner has a greater version.
    Owned {
        /// Of what is there, or of what is gone.
        version: u64,
        /// Some of so many owners, this one among them, may have acknowledged together what
        /// this one has not got: those that serve, as far as it knows, and those that died and
        /// whose last writes it may yet be sent.
        owners: u8,
        /// The answer, as it is.
        bytes: &'a [u8],
    },
    /// It was not executed: the receiver is not, or not yet, who may.
    NotMine,
    /// It was not executed, nor any that comes after it: the receiver has enough to tell.
    Busy,
    /// It was executed here, and not acknowledged by as many as were asked for.
    Unacknowledged,
}

/// Items that the receiver is an owner of.
#[derive(Clone, Debug, PartialEq, Eq, Encode)]
pub struct Keep<'a> {
    /// Of the call.
    pub call: u32,
    /// What was written up to this version is gone. Items above it may move the receiver's clock
    /// above it too, so that it would keep what is flushed.
    pub floor: u64,
    /// The items.
    pub items: Vec<Item<'a>>,
}

/// An item as it is on the node that sends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode)]
pub struct Item<'a> {
    /// Its key.
    pub key: &'a [u8],
    /// The stamp of its last write, or of its delete.
    pub version: u64,
    /// The second it goes; zero is never.
    pub expiry_s: u32,
    /// All the rest; none for a tombstone.
    pub body: Option<Body<'a>>,
}

/// What an item has that a tombstone has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub struct Body<'a> {
    /// The token that clients compare.
    pub cas: u64,
    /// The client's own bits.
    pub flags: u32,
    /// Its value was declared out of date.
    pub stale: bool,
    /// One client has been told to fetch a fresh value.
    pub won: bool,
    /// Its value.
    pub value: &'a [u8],
}

/// The answer to a [`Keep`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub struct Kept {
    /// Of the call.
    pub call: u32,
    /// Whether the items are kept, or newer ones. Refused is who is held for
    /// dead: it is not to go on as a primary.
    pub accepted: bool,
}

/// The sender wants to execute by itself for what the receiver owns too. It is
/// answered by a [`Kept`]: refused is who is held for dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub struct Promise {
    /// Of the call.
    pub call: u32,
    /// For so many milliseconds the receiver does not take the sender's place.
    pub term_ms: u32,
    /// Of what the sender stamped from this millisecond on copies may be under way. What is older
    /// all owners have, or the sender has told the receiver by [`Behind`] who does not.
    pub open_since_ms: u64,
}

/// The sender's card. It is answered by a [`Kept`] once the receiver acts by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub struct Say<'a> {
    /// Of the call.
    pub call: u32,
    /// The card.
    pub card: &'a [u8],
}

/// The sender has sent all that it had for the receiver when that one said a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub struct Filled<'a> {
    /// What was written up to this version is gone.
    pub floor: u64,
    /// Of the receiver's card.
    pub generation: u64,
    /// Of the receiver's card.
    pub sequence: u64,
    /// The fingerprint of the ring by which the receiver owns that; zero where the sender knows of
    /// none.
    pub ring: u64,
    /// Of the sender's own card: by an older one the receiver might take it for one that does not
    /// execute yet.
    pub own_sequence: u64,
    /// The ids of all other nodes that the sender holds for live, eight bytes each: the
    /// receiver may not have heard of them, and they may have something for it.
    pub live: &'a [u8],
}

/// The sender has sent what it has of the last writes of a node that died, or is still
/// to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub struct Relayed {
    /// What was written up to this version is gone.
    pub floor: u64,
    /// Who died.
    pub node: u64,
    /// In which of its lives, at the latest.
    pub generation: u64,
    /// Whether all of it is sent.
    pub is_all: bool,
}

/// The receiver is to send around what it has of the last writes of a node that died, once it
/// knows of that. It is answered by a [`Relayed`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub struct Relay {
    /// Who died.
    pub node: u64,
    /// In which of its lives, at the latest.
    pub generation: u64,
}

/// The rings that the sender goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub struct Follow<'a> {
    /// Of the call of a planner: it is answered by a [`Kept`] once the receiver goes by these, and
    /// has done what the step asks for; refused is who is behind, and is told what the receiver
    /// goes by. None where a planner is told that.
    pub call: Option<u32>,
    /// The rings.
    pub rings: &'a [u8],
}

/// Which rings the sender goes by. It is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub struct Followed {
    /// Of the planner who told them.
    pub turn: u64,
    /// The planner.
    pub by: u64,
    /// Which step.
    pub number: u64,
}

/// The sender wants to know whether the receiver has the same as it has. It is answered by a
/// [`Compared`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub struct Compare<'a> {
    /// Of the call.
    pub call: u32,
    /// The slots, four bytes each, the lowest first.
    pub slots: &'a [u8],
}

/// The answer to a [`Compare`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub struct Compared<'a> {
    /// Of the call.
    pub call: u32,
    /// The sender's memory was full lately: it may lack what it was sent.
    pub evicts: bool,
    /// A digest for each slot, in order, eight bytes each, the lowest first; zero where the
    /// sender keeps nothing. None at all where it has nothing in any slot.
    pub digests: &'a [u8],
}

/// Copies of these slots differ. It is answered by a [`Listed`] after a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub struct List<'a> {
    /// Which list of the sender's.
    pub number: u64,
    /// The slots, four bytes each, the lowest first.
    pub slots: &'a [u8],
}

/// What becomes of a [`List`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub enum ListState {
    /// The sender has more there than it lists.
    TooMuch,
    /// That is all that the sender was sent and knows to be deleted.
    All,
    /// The sender lacked room lately: it may have let go of anything.
    Evicts,
    /// It makes lists for others, and is to be asked again.
    Busy,
    /// It is not through yet, and says more later.
    UnderWay,
}

/// The answer to a [`List`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub struct Listed<'a> {
    /// Which.
    pub number: u64,
    /// What became of it.
    pub state: ListState,
    /// For each item, and each delete that is known, sixteen bytes, the lowest first: the hash of
    /// its key, and twice its version, and one more for a delete.
    pub items: &'a [u8],
}

/// A node lacks what the receiver has under these hashes, or has it older. It is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub struct Bring<'a> {
    /// Who is to be brought it.
    pub node: u64,
    /// The hashes of the keys, eight bytes each, the lowest first.
    pub hashes: &'a [u8],
}

/// What was written up to a version is gone. It is answered by a [`Kept`] once the
/// receiver acts by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub struct Flush {
    /// Of the call.
    pub call: u32,
    /// The version.
    pub floor: u64,
}

/// Of something in a slot another owner has an older version than the receiver: a read
/// found that, or a copy did not get there. It is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub struct Behind {
    /// The slot.
    pub slot: u32,
    /// The owner whose copy is behind.
    pub node: u64,
}
