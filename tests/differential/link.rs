//! Connections to one server: a request goes out with a mark behind it, and what
//! comes before the mark's answer is the answer.

use crate::step::Speech;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

/// Longer than most answers take, unless none comes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(1);
/// Longer than any answer takes, however busy the machine is.
pub(crate) const LONG_PATIENCE: Duration = Duration::from_secs(20);

const TEXT_MARK: &[u8] = b"mn\r\n";
const TEXT_MARK_ANSWER: &[u8] = b"MN\r\n";
/// A no-op with an opaque of its own.
const BINARY_MARK: [u8; 24] =
    [0x80, 0x0a, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x6d, 0x61, 0x72, 0x6b, 0, 0, 0, 0, 0, 0, 0, 0];
const BINARY_MARK_ANSWER: [u8; 24] =
    [0x81, 0x0a, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x6d, 0x61, 0x72, 0x6b, 0, 0, 0, 0, 0, 0, 0, 0];

/// What came back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) bytes: Vec<u8>,
    pub(crate) end: End,
}

/// How the answer ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum End {
    /// The connection goes on.
    #[default]
    Open,
    /// The server closed it, or the client had.
    Closed,
    /// Nothing more came for a long time.
    Silent,
}

/// One connection of each kind, made when there is something to say.
pub(crate) struct Link {
    address: SocketAddr,
    patience: Duration,
    text: Option<TcpStream>,
    binary: Option<TcpStream>,
}

impl Link {
    pub(crate) fn new(address: SocketAddr, patience: Duration) -> Self {
        Self { address, patience, text: None, binary: None }
    }

    /// Sends a request and takes its answer.
    pub(crate) fn ask(&mut self, speech: Speech, request: &[u8], ends: bool) -> Answer {
        let (place, mark, mark_answer): (_, _, &[u8]) = match speech {
            Speech::Text => (&mut self.text, TEXT_MARK, TEXT_MARK_ANSWER),
            Speech::Binary => (&mut self.binary, &BINARY_MARK[..], &BINARY_MARK_ANSWER),
        };
        let (address, patience) = (self.address, self.patience);
        let stream = place.get_or_insert_with(|| connect(address, patience));
        // A server may have closed before it has read everything.
        let _ = match ends {
            true => stream.write_all(request).and_then(|()| stream.shutdown(Shutdown::Write)),
            false => stream.write_all(&[request, mark].concat()),
        };
        let answer = read(stream, (!ends).then_some(mark_answer));
        if answer.end != End::Open {
            *place = None;
        }
        answer
    }
}

fn connect(address: SocketAddr, patience: Duration) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the server serves");
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(patience)).unwrap();
    stream
}

fn read(stream: &mut TcpStream, mark: Option<&[u8]>) -> Answer {
    let mut answer = Answer::default();
    let mut piece = vec![0; 64 << 10];
    loop {
        match stream.read(&mut piece) {
            Ok(0) => answer.end = End::Closed,
            Ok(len) => answer.bytes.extend_from_slice(&piece[..len]),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                answer.end = End::Silent;
            }
            Err(_) => answer.end = End::Closed,
        }
        if answer.end != End::Open {
            return answer;
        }
        if let Some(before) = mark.and_then(|mark| answer.bytes.strip_suffix(mark)) {
            answer.bytes.truncate(before.len());
            return answer;
        }
    }
}
