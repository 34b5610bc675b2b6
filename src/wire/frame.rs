//! Frames: a length of four bytes, least first, and so many bytes behind it.
//!
//! What is in them is not known here.

use std::fmt;

/// Bytes before each frame: its length.
pub const FRAME_PREFIX_BYTES: usize = 4;

/// Bytes that one read is given room for, at first and at most, while no frame
/// is longer. An idle link is not to hold much, a busy one is to read much at
/// once.
const ROOM_BYTES_MIN: usize = 4 << 10;
const ROOM_BYTES_MAX: usize = 64 << 10;

/// Appends one frame with the body that `write` appends.
pub fn append_frame(into: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = into.len();
    into.extend_from_slice(&[0; FRAME_PREFIX_BYTES]);
    write(into);
    let bytes = (into.len() - start - FRAME_PREFIX_BYTES) as u32;
    into[start..start + FRAME_PREFIX_BYTES].copy_from_slice(&bytes.to_le_bytes());
}

/// A frame claims more bytes than frames may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameTooLong {
    /// What it claims.
    pub bytes: usize,
    /// What it may have.
    pub bytes_max: usize,
}

impl fmt::Display for FrameTooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a frame of {} bytes, where {} are the most", self.bytes, self.bytes_max)
    }
}

impl std::error::Error for FrameTooLong {}

/// Parts a stream of bytes into frames, however the bytes come.
///
/// Memory is taken for bytes that came and never for bytes that are claimed: a
/// length over the maximum is refused when it is read, and what waits for the
/// rest of a long frame grows by doubling.
#[derive(Debug)]
pub struct Frames {
    /// Initialised memory; what came and is not yet taken is in `start..end`.
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    bytes_max: usize,
}

impl Frames {
    /// Of at most so many bytes each.
    #[must_use]
    pub fn new(bytes_max: usize) -> Self {
        Self { bytes: Vec::new(), start: 0, end: 0, bytes_max }
    }

    /// Allows other lengths from the next frame on.
    pub fn set_bytes_max(&mut self, bytes_max: usize) {
        self.bytes_max = bytes_max;
    }

    /// Where the next bytes are to be written; [`Frames::came`] tells how many
    /// were. Frames that came before should have been taken.
    pub fn room(&mut self) -> &mut [u8] {
        let filled = self.end == self.bytes.len();
        self.move_to_front();
        let waiting = self.end;
        if waiting == 0 && self.bytes.len() > ROOM_BYTES_MAX {
            self.bytes = Vec::new();
        }
        // What was read to the brim is given more room, and an unfinished frame
        // gets as much again as there is of it, up to its end.
        let wanted = if filled { 2 * self.bytes.len() } else { self.bytes.len() };
        let needed = match self.unfinished() {
            bytes if bytes > waiting => bytes.min(2 * waiting),
            _ => 2 * waiting,
        };
        let wanted = wanted.clamp(ROOM_BYTES_MIN, ROOM_BYTES_MAX).max(needed);
        if wanted > self.bytes.len() {
            self.bytes.resize(wanted, 0);
        }
        &mut self.bytes[waiting..]
    }

    /// So many bytes were written into the room.
    pub fn came(&mut self, bytes: usize) {
        self.end = (self.end + bytes).min(self.bytes.len());
    }

    /// Takes bytes that came elsewhere.
    pub fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = self.room();
            let now = room.len().min(bytes.len());
            room[..now].copy_from_slice(&bytes[..now]);
            bytes = &bytes[now..];
            self.came(now);
        }
    }

    /// The next frame that is whole, without its length.
    ///
    /// # Errors
    /// Refuses a frame that is too long, and stays at it.
    pub fn next_frame(&mut self) -> Result<Option<&[u8]>, FrameTooLong> {
        let came = &self.bytes[self.start..self.end];
        let Some((prefix, rest)) = came.split_first_chunk::<FRAME_PREFIX_BYTES>() else {
            return Ok(None);
        };
        let bytes = u32::from_le_bytes(*prefix) as usize;
        if bytes > self.bytes_max {
            return Err(FrameTooLong { bytes, bytes_max: self.bytes_max });
        }
        if rest.len() < bytes {
            return Ok(None);
        }
        self.start += FRAME_PREFIX_BYTES + bytes;
        Ok(Some(&self.bytes[self.start - bytes..self.start]))
    }

    /// Bytes of memory that are held.
    #[must_use]
    pub fn bytes_held(&self) -> usize {
        self.bytes.capacity()
    }

    /// Bytes of the frame that has begun to come, with its length.
    fn unfinished(&self) -> usize {
        let came = &self.bytes[self.start..self.end];
        let prefix = came.first_chunk::<FRAME_PREFIX_BYTES>();
        prefix.map_or(0, |prefix| FRAME_PREFIX_BYTES + u32::from_le_bytes(*prefix) as usize)
    }

    fn move_to_front(&mut self) {
        if self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_its_length_and_its_bytes() {
        let mut stream = b"before".to_vec();
        append_frame(&mut stream, |into| into.extend_from_slice(b"key"));
        assert_eq!(stream, b"before\x03\x00\x00\x00key");
    }

    #[test]
    fn a_claimed_length_takes_no_memory() {
        let mut frames = Frames::new(1 << 30);
        frames.push(&(1_u32 << 30).to_le_bytes());
        frames.push(&[1; 1000]);
        assert_eq!(frames.next_frame(), Ok(None));
        assert!(frames.bytes_held() <= 8 << 10, "{} bytes", frames.bytes_held());
    }

    #[test]
    fn a_length_over_the_maximum_is_refused_at_once() {
        let mut frames = Frames::new(10);
        frames.push(&[11, 0, 0, 0]);
        let refusal = FrameTooLong { bytes: 11, bytes_max: 10 };
        assert_eq!(frames.next_frame(), Err(refusal));
        assert_eq!(frames.next_frame(), Err(refusal));
        frames.set_bytes_max(11);
        assert_eq!(frames.next_frame(), Ok(None));
    }

    #[test]
    fn memory_of_a_long_frame_is_given_back() {
        let mut frames = Frames::new(1 << 20);
        let mut stream = Vec::new();
        append_frame(&mut stream, |into| into.resize(into.len() + (1 << 20), 7));
        frames.push(&stream);
        assert!(frames.bytes_held() <= 2 * stream.len());
        assert_eq!(frames.next_frame().unwrap().unwrap().len(), stream.len() - 4);
        assert!(frames.room().len() <= ROOM_BYTES_MAX);
        assert!(frames.bytes_held() <= ROOM_BYTES_MAX);
    }
}
