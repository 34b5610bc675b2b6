//! What `CLUSTER NODES` says: which primary of a Redis Cluster has which slot.

use super::Address;

/// The slots of a Redis Cluster, and where their primaries are.
#[derive(Debug)]
pub(super) struct Slots {
    servers: Vec<Address>,
    /// By slot, whose it is.
    owners: Vec<Option<usize>>,
}

/// Slots of every Redis Cluster.
const SLOTS: usize = 16_384;

impl Slots {
    /// Refuses what has no primary with slots. Says why.
    pub(super) fn read(answer: &str) -> Result<Self, String> {
        let mut slots = Self { servers: Vec::new(), owners: vec![None; SLOTS] };
        for line in answer.lines() {
            // Id, address, flags, primary, two times, an epoch, the link, slots.
            let words: Vec<&str> = line.split(' ').collect();
            let [_, address, flags, _, _, _, _, _, ranges @ ..] = &words[..] else { continue };
            if flags.split(',').any(|flag| flag == "master") && !ranges.is_empty() {
                slots.add(address, ranges)?;
            }
        }
        match slots.servers.is_empty() {
            true => Err(answer.lines().next().unwrap_or("it says nothing").to_owned()),
            false => Ok(slots),
        }
    }

    fn add(&mut self, address: &str, ranges: &[&str]) -> Result<(), String> {
        // The port for other nodes, and perhaps a host name, follow.
        let address = address.split('@').next().unwrap_or_default();
        let server = self.servers.len();
        self.servers.push(address.parse().map_err(|why| format!("{why}"))?);
        // One in brackets moves, and is still where it was.
        for range in ranges.iter().filter(|range| !range.starts_with('[')) {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let ends = first.parse::<usize>().ok().zip(last.parse::<usize>().ok());
            let owned = ends.and_then(|(first, last)| self.owners.get_mut(first..=last));
            let owned = owned.ok_or_else(|| format!("`{range}` are no slots"))?;
            owned.fill(Some(server));
        }
        Ok(())
    }

    pub(super) fn servers(&self) -> impl Iterator<Item = &Address> {
        self.servers.iter()
    }

    /// Whose a key is. Without regard to braces, which no key here has.
    pub(super) fn primary(&self, key: &[u8]) -> Option<usize> {
        self.owners[usize::from(crc16(key)) % SLOTS]
    }
}

/// CRC-16/XMODEM, as Redis Cluster's specification has it.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, &byte| {
        (0..8).fold(crc ^ (u16::from(byte) << 8), |crc: u16, _| match crc & 0x8000 {
            0 => crc << 1,
            _ => (crc << 1) ^ 0x1021,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_the_specification() {
        assert_eq!(crc16(b"123456789"), 0x31C3);
        // As `CLUSTER KEYSLOT foo` says.
        assert_eq!(usize::from(crc16(b"foo")) % SLOTS, 12_182);
    }

    #[test]
    fn primaries_are_told() {
        let answer = "$300\r\n\
            aa 127.0.0.1:7001@17001 myself,master - 0 0 1 connected 0-99 200\n\
            bb 127.0.0.1:7002@17002,host slave aa 0 1 1 connected\n\
            cc 127.0.0.1:7003@17003 master - 0 1 3 connected 100-199 201-16383 [5->-x]\n\r\n";
        let slots = Slots::read(answer).unwrap();
        assert_eq!(slots.servers().count(), 2);
        let owner = |slot: usize| slots.owners[slot];
        assert_eq!([0, 99, 100, 200, 16_383].map(owner), [0, 0, 1, 0, 1].map(Some));
        assert_eq!(slots.primary(b"foo"), Some(1));
    }

    #[test]
    fn what_is_no_cluster_is_refused() {
        let why = Slots::read("-ERR no cluster\r\n").unwrap_err();
        assert_eq!(why, "-ERR no cluster");
        let wrong = "aa 127.0.0.1:1@2 master - 0 0 1 connected 5-16384\n";
        assert!(Slots::read(wrong).unwrap_err().contains("no slots"));
        assert!(Slots::read(&wrong.replace("127.0.0.1:1", "x")).is_err());
    }
}
