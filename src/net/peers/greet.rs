//! The beginning of a connection, until both ends know who the other is.

use super::certificate::Proof;
use super::link::ENDED;
use super::refused::Refused;
use crate::limits::{HELLO_BYTES_MAX, PEER_FAREWELL_MS};
use crate::wire::{Frames, Hello, append_frame};
use quinn::{Connection, ReadError, RecvStream, SendStream, WriteError};
use std::time::Duration;
use tokio::time::timeout;

/// A connection whose ends have met.
pub(super) struct Greeted {
    pub(super) connection: Connection,
    pub(super) send: SendStream,
    pub(super) recv: RecvStream,
    /// What came behind the hello.
    pub(super) frames: Frames,
    pub(super) theirs: Hello,
    /// As whoever dialled says.
    pub(super) lane: u16,
    pub(super) version: u16,
}

/// As who dialled: speaks first.
pub(super) async fn dialled(
    connection: Connection,
    ours: &Hello,
    proof: Proof,
) -> Result<Greeted, Refused> {
    let greeted = async {
        let opened = connection.open_bi().await;
        let (mut send, mut recv) = opened.map_err(|loss| Refused::from_loss(&loss, proof))?;
        say(&mut send, ours).await.map_err(|error| unsaid(error, proof))?;
        let (theirs, frames) = hear(&mut recv, proof).await?;
        let version = ours.meet(&theirs).map_err(Refused::Hello)?;
        let lane = ours.lane;
        Ok(Greeted { connection: connection.clone(), send, recv, frames, theirs, lane, version })
    };
    greeted.await.inspect_err(|why| end(&connection, why))
}

/// As who was dialled: answers. Who is refused hears our hello first, so that it
/// finds out by itself what parts us and says so in its own log.
pub(super) async fn accepted(
    connection: Connection,
    ours: &Hello,
    proof: Proof,
) -> Result<Greeted, Refused> {
    let greeted = async {
        let accepted = connection.accept_bi().await;
        let (mut send, mut recv) = accepted.map_err(|loss| Refused::from_loss(&loss, proof))?;
        let heard = hear(&mut recv, proof).await;
        if matches!(heard, Ok(_) | Err(Refused::Hello(_))) {
            say(&mut send, ours).await.map_err(|error| unsaid(error, proof))?;
        }
        let met = heard.and_then(|(theirs, frames)| {
            let version = ours.meet(&theirs).map_err(Refused::Hello)?;
            Ok((theirs, frames, version))
        });
        if let Err(Refused::Hello(_)) = met {
            let _ = timeout(Duration::from_millis(PEER_FAREWELL_MS), connection.closed()).await;
        }
        let (theirs, frames, version) = met?;
        let lane = theirs.lane;
        Ok(Greeted { connection: connection.clone(), send, recv, frames, theirs, lane, version })
    };
    greeted.await.inspect_err(|why| end(&connection, why))
}

/// Ends a connection that does not come about, and tells the other end why.
pub(super) fn end(connection: &Connection, why: &Refused) {
    connection.close(ENDED, why.to_string().as_bytes());
}

async fn say(send: &mut SendStream, hello: &Hello) -> Result<(), WriteError> {
    let mut bytes = Vec::new();
    append_frame(&mut bytes, |into| hello.encode(into));
    send.write_all(&bytes).await
}

async fn hear(recv: &mut RecvStream, proof: Proof) -> Result<(Hello, Frames), Refused> {
    let mut frames = Frames::new(HELLO_BYTES_MAX);
    loop {
        if let Some(frame) = frames.next_frame()? {
            let hello = Hello::decode(frame)?;
            return Ok((hello, frames));
        }
        match recv.read(frames.room()).await {
            Ok(Some(bytes)) => frames.came(bytes),
            Ok(None) => return Err(Refused::Foreign),
            Err(error) => return Err(unheard(error, proof)),
        }
    }
}

fn unsaid(error: WriteError, proof: Proof) -> Refused {
    match error {
        WriteError::ConnectionLost(loss) => Refused::from_loss(&loss, proof),
        error => Refused::Unreachable(error.to_string().into()),
    }
}

fn unheard(error: ReadError, proof: Proof) -> Refused {
    match error {
        ReadError::ConnectionLost(loss) => Refused::from_loss(&loss, proof),
        error => Refused::Unreachable(error.to_string().into()),
    }
}
