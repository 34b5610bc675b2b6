//! What a node says of its cluster: `stats cluster`, asked for and read.

use super::access::Access;
use crate::cli::{CliError, reach};
use crate::limits::NODES_MAX;
use crate::wire::CARD_BYTES_MAX;
use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};

/// Bytes that one of its lines may have: the names of many nodes.
const LINE_BYTES_MAX: u64 = 1 << 20;

/// What a server of TLS begins with where it does not understand.
const TLS_ALERT: u8 = 21;

/// Bytes that such an answer may have: a few lines for each card.
const ANSWER_BYTES_MAX: u64 = (4 * CARD_BYTES_MAX * NODES_MAX) as u64;

/// The cluster, as one node sees it.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// What is said of the whole.
    whole: BTreeMap<String, String>,
    /// What is said of each node, by its id.
    nodes: BTreeMap<String, BTreeMap<String, String>>,
}

impl Seen {
    /// Asks the node at this address.
    pub(super) fn ask(server: &str, access: &Access) -> Result<Self, CliError> {
        let failed = |why: io::Error| reach::failed(server, &why);
        let introduction = access.introduction()?;
        let mut stream = BufReader::new(access.connect(server)?);
        if let Some(introduction) = introduction {
            stream.get_mut().write_all(introduction.as_bytes()).map_err(failed)?;
            let line = line(&mut stream, server)?;
            if line != "STORED" {
                return Err(answered(server, &line));
            }
        }
        stream.get_mut().write_all(b"stats cluster\r\n").map_err(failed)?;
        let mut seen = Self::default();
        let mut stream = stream.take(ANSWER_BYTES_MAX);
        loop {
            let line = line(&mut stream, server)?;
            match line.strip_prefix("STAT ") {
                Some(said) => seen.take(said),
                None if line == "END" => return Ok(seen),
                None => return Err(answered(server, &line)),
            }
        }
    }

    fn take(&mut self, said: &str) {
        let (name, value) = said.split_once(' ').unwrap_or((said, ""));
        let of = match name.split_once(':') {
            Some((node, name)) => (self.nodes.entry(node.to_owned()).or_default(), name),
            None => (&mut self.whole, name),
        };
        of.0.insert(of.1.to_owned(), value.to_owned());
    }

    /// Whether the node belongs to a cluster at all.
    pub(super) fn is_in_cluster(&self) -> bool {
        self.word("cluster") == "yes"
    }

    /// Something that is said of the whole.
    pub(super) fn word(&self, name: &str) -> &str {
        self.whole.get(name).map_or("", String::as_str)
    }

    pub(super) fn number(&self, name: &str) -> Option<u64> {
        self.word(name).parse().ok()
    }

    /// What the node that was asked says of itself that is not as it should be.
    pub(super) fn own_troubles(&self) -> impl Iterator<Item = String> {
        let name = self.word("name");
        let takes_none = (self.word("takes_writes") == "no").then(|| {
            let least = self.word("min_nodes_for_writes");
            format!("{name} takes no writes: it sees fewer than {least} nodes that serve")
        });
        let is_paused = (self.word("moves_paused") == "yes")
            .then(|| format!("moves are paused at {name}: `rebalance resume` has them go on"));
        takes_none.into_iter().chain(is_paused)
    }

    /// What to do where there are fewer nodes than each key is to have copies: all is as it
    /// should be of so few, so it is no trouble.
    pub(super) fn lack_of_nodes(&self) -> Option<String> {
        let owners = self.nodes().filter(|node| node.number("slots").is_some_and(|it| it > 0));
        let (owners, copies) = (owners.count() as u64, self.number("copies")?);
        let me = self.nodes().find(|node| node.is_me)?.word("peer")?;
        (1..copies).contains(&owners).then(|| {
            format!(
                "each key has {owners} of {copies} copies, as there are no more nodes: start \
                 another one with --join {me}"
            )
        })
    }

    /// The nodes, by their ids.
    pub(super) fn nodes(&self) -> impl Iterator<Item = Node<'_>> {
        self.nodes.iter().map(|(id, said)| Node { id, said, is_me: id == self.word("node_id") })
    }
}

/// One node, as another sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node<'a> {
    pub(super) id: &'a str,
    said: &'a BTreeMap<String, String>,
    /// It is who was asked.
    pub(super) is_me: bool,
}

impl<'a> Node<'a> {
    pub(super) fn word(self, name: &str) -> Option<&'a str> {
        self.said.get(name).map(String::as_str).filter(|word| !word.is_empty())
    }

    pub(super) fn number(self, name: &str) -> Option<u64> {
        self.word(name)?.parse().ok()
    }

    /// Its name, or its id where it is not known.
    pub(super) fn name(self) -> &'a str {
        self.word("name").unwrap_or(self.id)
    }

    /// Why it is not as it should be.
    pub(super) fn trouble(self) -> Option<String> {
        let name = self.name();
        match (self.word("standing"), self.word("phase")) {
            (Some("alive"), Some("serving")) => {}
            // It was drained, and has ended. Who died before it had handed over all still owns.
            (Some("down"), Some("leaving")) if self.number("slots") == Some(0) => return None,
            (Some("alive"), phase) => return Some(format!("{name} is {}", phase.unwrap_or("new"))),
            (standing, _) => return Some(format!("{name} is {}", standing.unwrap_or("unknown"))),
        }
        if !self.is_me && self.word("linked") != Some("yes") {
            return Some(format!("there is no link to {name}"));
        }
        match self.number("dirty_slots") {
            Some(slots @ 1..) => Some(format!("{slots} slots of {name} may be behind")),
            _ => None,
        }
    }
}

/// The next line of an answer.
fn line(stream: &mut impl BufRead, server: &str) -> Result<String, CliError> {
    let failed = |why: io::Error| reach::failed(server, &why);
    if stream.fill_buf().map_err(failed)?.first() == Some(&TLS_ALERT) {
        return Err(CliError::Failed(format!("{server} speaks TLS: say --tls")));
    }
    let mut line = String::new();
    stream.by_ref().take(LINE_BYTES_MAX).read_line(&mut line).map_err(failed)?;
    match line.strip_suffix('\n') {
        Some(line) => Ok(line.trim_end_matches('\r').to_owned()),
        None => Err(CliError::Failed(format!("{server} ended the connection"))),
    }
}

/// Something else than was asked for.
fn answered(server: &str, line: &str) -> CliError {
    let hint = match line {
        "CLIENT_ERROR unauthenticated" => ": it has users, so name one with --user",
        _ => "",
    };
    CliError::Failed(format!("{server} answers: {line}{hint}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_belongs_to_a_node_or_to_the_whole() {
        let mut seen = Seen::default();
        let lines =
            ["cluster yes", "node_id 0a", "0a:name my node", "0a:zone ", "0b:standing down", "x"];
        for line in lines {
            seen.take(line);
        }
        let nodes: Vec<Node<'_>> = seen.nodes().collect();
        assert!(seen.is_in_cluster() && seen.word("x").is_empty());
        assert_eq!((nodes[0].name(), nodes[0].word("zone")), ("my node", None));
        assert_eq!((nodes[1].name(), nodes[1].is_me, nodes[0].is_me), ("0b", false, true));
        assert_eq!(nodes[1].trouble().unwrap(), "0b is down");
    }

    #[test]
    fn who_has_left_is_no_trouble_and_who_died_leaving_is() {
        let trouble = |slots| {
            let mut seen = Seen::default();
            for line in ["0b:standing down", "0b:phase leaving", slots] {
                seen.take(line);
            }
            seen.nodes().next().unwrap().trouble()
        };
        assert_eq!(trouble("0b:slots 0"), None);
        assert_eq!(trouble("0b:slots 7").unwrap(), "0b is down");
    }
}
