//! What a node tells of its connections and its memory: to those who watch, and on
//! stderr.

use super::{Shared, Topic};
use crate::net::{Event, Member, Peer, Transport};
use std::fmt;
use std::sync::atomic::Ordering;

/// `-v`: what somebody should look at.
const WARNINGS: u8 = 1;

/// `-vv`: who comes and goes.
const CONNECTIONS: u8 = 2;

impl Shared {
    /// Tells what became of a connection.
    pub(super) fn tell_connection(&self, event: &Event<'_>) {
        if self.watch.wants(Topic::ConnectionEvents) {
            self.tell_watchers(event);
        }
        match *event {
            Event::Opened(member) => {
                self.log(CONNECTIONS, format_args!("{} connected from {}", member.id, member.peer));
            }
            Event::Closed(member, reason) => {
                let level = if reason.is_kick() { WARNINGS } else { CONNECTIONS };
                let (id, peer) = (member.id, &member.peer);
                self.log(level, format_args!("{id} from {peer} closed: {reason}"));
            }
            Event::Refused(peer) => {
                let most = self.settings.connections_max;
                self.log(WARNINGS, format_args!("refused {peer}: {most} connections are open"));
            }
            Event::Shortage(why) => self.log(WARNINGS, format_args!("accepting rests: {why}")),
        }
    }

    /// memcached tells its watchers of no others.
    fn tell_watchers(&self, event: &Event<'_>) {
        let tell = |text: fmt::Arguments<'_>| {
            self.watch.tell(Topic::ConnectionEvents, self.now(), text);
        };
        match *event {
            Event::Opened(member) => tell(format_args!("type=conn_new {}", Who(member))),
            Event::Closed(member, reason) => {
                let (who, client) = (Remote(member), member.id);
                tell(format_args!("type=conn_close {who} reason={reason} cfd={client}"));
            }
            Event::Refused(_) | Event::Shortage(_) => {}
        }
    }

    /// Tells, once, that memory is full.
    pub(super) fn tell_first_eviction(&self) {
        if self.speaks(WARNINGS)
            && !self.evicts.load(Ordering::Relaxed)
            && self.store.figures().evicted > 0
        {
            self.evicts.store(true, Ordering::Relaxed);
            self.log(WARNINGS, format_args!("memory is full: items are evicted from now on"));
        }
    }

    fn speaks(&self, level: u8) -> bool {
        self.log.is_some() && self.verbosity.load(Ordering::Relaxed) >= level
    }

    fn log(&self, level: u8, text: fmt::Arguments<'_>) {
        if let (true, Some(log)) = (self.speaks(level), &self.log) {
            log.say(text.to_string());
        }
    }
}

/// The other end of a connection, in memcached's words.
struct Remote<'a>(&'a Member);

impl fmt::Display for Remote<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.peer {
            Peer::V4(at) => write!(f, "rip={} rport={}", at.ip(), at.port())?,
            Peer::V6(at) => write!(f, "rip={} rport={}", at.ip(), at.port())?,
            Peer::Unix => f.write_str("rip=unix rport=0")?,
        }
        let local = self.0.transport == Transport::Unix;
        write!(f, " transport={}", if local { "local" } else { "tcp" })
    }
}

/// The same, and which connection it is.
struct Who<'a>(&'a Member);

impl fmt::Display for Who<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cfd={}", Remote(self.0), self.0.id)
    }
}
