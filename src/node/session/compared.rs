//! Reads that several owners answer: the newest of their answers counts, and whoever
//! has something older is to be brought up to date.

use super::executing::Owned;
use super::said::whole_or_one;
use super::waits::{Again, Source, unanswered};
use crate::item::Version;
use crate::node::WriteAck;
use crate::node::peers::AskedAt;
use crate::ring::NodeId;
use crate::wire::Reply;

/// A read that several owners answer.
#[derive(Debug)]
pub(super) struct Compared {
    /// Who has not answered yet.
    pub(super) open: Vec<AskedAt>,
    enough: Enough,
    /// The newest answer, and its version.
    newest: Option<(u64, Vec<u8>)>,
    /// Who has answered, and the version of what is there.
    versions: Vec<(NodeId, u64)>,
    slot: u32,
    /// They were asked before the primary: where one of them does not answer, it is
    /// for the primary to say.
    pub(super) is_majority: bool,
    /// The request, for whoever has to be asked again.
    pub(super) again: Again,
}

/// How many owners have to answer, so that one of them has what was acknowledged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Enough {
    /// As far as is known: each answer may say that more are needed.
    pub(super) answers: u8,
    pub(super) write_ack: WriteAck,
    /// So many of those that are asked have no link: there is no use in waiting for them.
    pub(super) out_of_reach: u8,
}

impl Enough {
    /// This is one of the answers. Whoever asks may know of a death before those do that answer,
    /// or before they have what the dead one wrote last.
    fn hear(&mut self, owned: Owned) {
        let others = usize::from(owned.owners.saturating_sub(1));
        self.answers = self.answers.max(self.write_ack.of_readers(others));
    }

    /// So many answers are missing where there are these.
    fn missing(self, answers: usize) -> usize {
        let needed = usize::from(self.answers.saturating_sub(self.out_of_reach)).max(1);
        needed.saturating_sub(answers)
    }
}

/// Of something in a slot one owner has an older version than another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Uneven {
    pub(super) slot: u32,
    /// Who has the newest version of those that were compared.
    pub(super) owner: NodeId,
    pub(super) newest: u64,
    /// Who has this older one.
    pub(super) behind: NodeId,
    pub(super) older: u64,
}

/// What came of reads that the primary did not answer alone.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) from_copies: u64,
    pub(super) by_quorum: u64,
    pub(super) uneven: Vec<Uneven>,
}

impl Compared {
    /// So many owners have to answer what `again` asks, a read of this slot.
    pub(super) fn new(slot: u32, enough: Enough, is_majority: bool, again: Again) -> Self {
        let (open, newest, versions) = (Vec::new(), None, Vec::new());
        Self { open, enough, newest, versions, slot, is_majority, again }
    }

    /// Whether one owner of several has answered.
    pub(super) fn has_an_answer(&self) -> bool {
        self.newest.is_some()
    }

    /// A call to this node has ended, and this is what it says to a request.
    pub(super) fn heard<'a>(
        mut self,
        call: u16,
        from: NodeId,
        reply: impl Fn(AskedAt) -> Option<Reply<'a>>,
    ) -> Self {
        for at in self.open.extract_if(.., |at| at.call == call).collect::<Vec<_>>() {
            if let Some(Reply::Owned { version, owners, bytes }) = reply(at) {
                self.add(from, Owned { version: Version(version), owners }, bytes.to_vec());
            }
        }
        self
    }

    /// One more answer.
    pub(super) fn add(&mut self, from: NodeId, owned: Owned, bytes: Vec<u8>) {
        self.enough.hear(owned);
        let version = owned.version.0;
        self.versions.push((from, version));
        if self.newest.as_ref().is_none_or(|(newest, _)| version > *newest) {
            self.newest = Some((version, bytes));
        }
    }

    /// What it is now. Where too few are there to answer, they are asked again, for the others
    /// may come or be held for dead. What is late then is given as the newest of them has it.
    pub(super) fn settled(self, may_do: bool, is_late: bool, tally: &mut Tally) -> Source {
        let (missing, open) = (self.enough.missing(self.versions.len()), self.open.len());
        if self.is_majority && open < missing {
            return Source::Again(Box::new(self.again));
        }
        if missing == 0 || open == 0 && may_do && is_late && self.newest.is_some() {
            return self.answered(tally);
        }
        if open > 0 || !may_do && self.newest.is_some() {
            return Source::Compared(Box::new(self));
        }
        let again = self.again;
        match is_late {
            true => Source::Text(unanswered(again.protocol, &again.bytes, again.kind)),
            // Not at once: whoever was asked may have no way to this node.
            false => {
                let few = self.newest.is_some();
                Source::Again(Box::new(Again { unsent: true, few, ..again }))
            }
        }
    }

    /// The newest answer there is.
    fn answered(self, tally: &mut Tally) -> Source {
        match self.is_majority {
            true => tally.by_quorum += 1,
            false => tally.from_copies += 1,
        }
        tally.uneven.extend(self.uneven());
        let newest = self.newest.map_or_else(Vec::new, |(_, bytes)| bytes);
        Source::Text(whole_or_one(newest, self.again.kind))
    }

    /// Who has something older than another.
    fn uneven(&self) -> impl Iterator<Item = Uneven> {
        let newest = self.versions.iter().copied().max_by_key(|&(_, version)| version);
        let pairs = self.versions.iter().filter_map(move |&there| Some((newest?, there)));
        pairs.filter(|((_, newest), (_, older))| older < newest).map(
            |((owner, newest), (behind, older))| Uneven {
                slot: self.slot,
                owner,
                newest,
                behind,
                older,
            },
        )
    }
}
