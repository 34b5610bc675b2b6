//! What binary requests answer.

use super::{Header, Status};

/// The first byte of an answer.
const REPLY_MAGIC: u8 = 0x81;

/// Whatever an answer has beside its value.
#[derive(Clone, Copy, Debug, Default)]
pub struct Parts<'a> {
    /// The item's token.
    pub cas: u64,
    /// Numbers that go with the verb.
    pub extras: &'a [u8],
    /// Which item.
    pub key: &'a [u8],
}

/// The answer to a request, up to a value of so many bytes, which is to follow.
pub fn start(out: &mut Vec<u8>, to: &Header, status: Status, parts: &Parts<'_>, value_len: usize) {
    let body_len = parts.extras.len() + parts.key.len() + value_len;
    out.extend_from_slice(&[REPLY_MAGIC, to.opcode]);
    out.extend_from_slice(&(parts.key.len() as u16).to_be_bytes());
    out.extend_from_slice(&[parts.extras.len() as u8, 0]);
    out.extend_from_slice(&status.code().to_be_bytes());
    out.extend_from_slice(&(body_len as u32).to_be_bytes());
    out.extend_from_slice(&to.opaque.to_be_bytes());
    out.extend_from_slice(&parts.cas.to_be_bytes());
    out.extend_from_slice(parts.extras);
    out.extend_from_slice(parts.key);
}

/// An answer that is a value and nothing else.
pub fn value(out: &mut Vec<u8>, to: &Header, cas: u64, value: &[u8]) {
    start(out, to, Status::Done, &Parts { cas, ..Parts::default() }, value.len());
    out.extend_from_slice(value);
}

/// The answer to what was done, or was not, with the text that says so.
pub fn status(out: &mut Vec<u8>, to: &Header, status: Status) {
    let text = status.text();
    start(out, to, status, &Parts::default(), text.len());
    out.extend_from_slice(text);
}

/// The answer that says how it went, instead of another one.
#[must_use]
pub fn instead_of(reply: &[u8], status: Status) -> Vec<u8> {
    let mut packet = Vec::new();
    if let Some(&[_, opcode, _, _, _, _, _, _, _, _, _, _, a, b, c, d]) = reply.first_chunk() {
        let to = Header {
            opcode,
            key_len: 0,
            extras_len: 0,
            body_len: 0,
            opaque: u32::from_be_bytes([a, b, c, d]),
            cas: 0,
        };
        self::status(&mut packet, &to, status);
    }
    packet
}

/// One statistic; the last one is empty.
pub fn statistic(out: &mut Vec<u8>, to: &Header, name: &[u8], value: &[u8]) {
    start(out, to, Status::Done, &Parts { key: name, ..Parts::default() }, value.len());
    out.extend_from_slice(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    const TO: Header = Header {
        opcode: 0x0c,
        key_len: 1,
        extras_len: 0,
        body_len: 1,
        opaque: 0xdead_beef,
        cas: 0,
    };

    #[test]
    fn answers_are_laid_out_as_recorded() {
        let mut out = Vec::new();
        let parts = Parts { cas: b'x'.into(), extras: &[0, 0, 0, 7], key: b"a" };
        start(&mut out, &TO, Status::Done, &parts, 1);
        out.push(b'1');
        let recorded = b"\x81\x0c\x00\x01\x04\x00\x00\x00\x00\x00\x00\x06\xde\xad\xbe\xef\
            \x00\x00\x00\x00\x00\x00\x00x\x00\x00\x00\x07a1";
        assert_eq!(out, recorded);
        out.clear();
        status(&mut out, &TO, Status::NotFound);
        let recorded = b"\x81\x0c\x00\x00\x00\x00\x00\x01\x00\x00\x00\t\xde\xad\xbe\xef\
            \x00\x00\x00\x00\x00\x00\x00\x00Not found";
        assert_eq!(out, recorded);
    }
}
