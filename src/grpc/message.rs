//! One protobuf message as it is written, field by field (protobuf.dev, "Encoding").
//!
//! It knows no message; `grpc/encode.rs` does. The reading half is `grpc/wire.rs`.

/// The bytes of a message so far.
#[derive(Debug)]
pub struct Message(Vec<u8>);

const VARINT: u32 = 0;
const EIGHT_BYTES: u32 = 1;
const LENGTH_DELIMITED: u32 = 2;

impl Message {
    /// An empty message with room for `bytes`.
    #[must_use]
    pub fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    /// Its bytes.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// Fields that were encoded before.
    #[inline]
    pub fn encoded(&mut self, fields: &[u8]) {
        self.0.extend_from_slice(fields);
    }

    /// A number, a boolean or an enum; also where it is the default.
    pub fn number(&mut self, field: u32, value: u64) {
        self.key(field, VARINT);
        self.varint(value);
    }

    /// A `double`; also where it is the default.
    pub fn double(&mut self, field: u32, value: f64) {
        self.key(field, EIGHT_BYTES);
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    /// Text; also where it is empty.
    pub fn text(&mut self, field: u32, text: &str) {
        match (u8::try_from(field << 3 | LENGTH_DELIMITED), u8::try_from(text.len())) {
            (Ok(key @ 0..0x80), Ok(length @ 0..0x80)) => self.0.extend_from_slice(&[key, length]),
            _ => {
                self.key(field, LENGTH_DELIMITED);
                self.length(text.len());
            }
        }
        self.0.extend_from_slice(text.as_bytes());
    }

    /// A message that `write` fills.
    pub fn message(&mut self, field: u32, write: impl FnOnce(&mut Self)) {
        self.key(field, LENGTH_DELIMITED);
        // Most are under 128 bytes, whose length is one byte; only longer ones are moved.
        let at = self.0.len();
        self.0.push(0);
        write(self);
        let length = self.0.len() - at - 1;
        match (u8::try_from(length), self.0.get_mut(at)) {
            (Ok(short @ 0..0x80), Some(byte)) => *byte = short,
            _ => drop(self.0.splice(at..=at, long(length as u64))),
        }
    }

    #[inline]
    fn key(&mut self, field: u32, kind: u32) {
        self.varint(u64::from(field << 3 | kind));
    }

    #[inline]
    fn length(&mut self, length: usize) {
        self.varint(length as u64);
    }

    #[inline]
    fn varint(&mut self, value: u64) {
        match value {
            0..0x80 => self.0.push(value.to_le_bytes()[0]),
            0x80.. => self.0.extend(long(value)),
        }
    }
}

/// A varint: seven bits a byte, the lowest first, and the top bit on all bytes but the last.
fn long(value: u64) -> impl Iterator<Item = u8> {
    let (mut bytes, mut rest, mut length) = ([0; MAX_VARINT], value, 0);
    for byte in &mut bytes {
        *byte = rest.to_le_bytes()[0] | 0x80;
        length += 1;
        rest >>= 7;
        if rest == 0 {
            *byte &= 0x7F;
            break;
        }
    }
    // Its exact length is known, so whoever takes it in needs no room besides.
    bytes.into_iter().take(length)
}

const MAX_VARINT: usize = 10;

#[cfg(test)]
mod tests {
    use envoy_types::pb::google::{
        protobuf::{Value, value::Kind},
        rpc::Status,
    };
    use proptest::prelude::*;
    use prost::Message as _;

    use super::*;

    #[track_caller]
    fn check(write: impl FnOnce(&mut Message), expected: &[u8]) {
        let mut message = Message::with_capacity(0);
        write(&mut message);
        assert_eq!(message.into_bytes(), expected);
    }

    #[test]
    fn fields_are_written_as_the_format_has_them() {
        check(|to| to.number(1, 150), &[0x08, 0x96, 0x01]);
        check(|to| to.number(1, 0), &[0x08, 0]);
        check(|to| to.number(16, 1), &[0x80, 0x01, 1]);
        check(|to| to.text(2, "testing"), b"\x12\x07testing");
        check(|to| to.double(2, 1.0), &[0x11, 0, 0, 0, 0, 0, 0, 0xF0, 0x3F]);
        check(|to| to.message(3, |to| to.number(1, 150)), &[0x1A, 3, 0x08, 0x96, 0x01]);
        check(|to| to.message(3, |_| {}), &[0x1A, 0]);
        check(|to| to.encoded(&[8, 1]), &[8, 1]);
        let ten = [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01];
        check(|to| to.number(1, u64::MAX), &[&[0x08][..], &ten].concat());
    }

    proptest! {
        #[test]
        fn messages_of_any_length_nest(
            code in any::<i32>(), text in "\\PC{0,300}", before in ".{0,3}", number in any::<f64>(),
        ) {
            let mut to = Message::with_capacity(0);
            to.text(2, &before);
            to.message(3, |to| {
                to.text(1, "type");
                to.message(2, |to| to.text(2, &text));
            });
            to.number(1, u64::from(code.cast_unsigned()));
            let status = Status::decode(to.into_bytes().as_slice()).unwrap();
            prop_assert_eq!((status.code, status.message), (code, before));
            let inner = Status::decode(status.details[0].value.as_slice()).unwrap();
            prop_assert_eq!(inner.message, text);

            let mut to = Message::with_capacity(0);
            to.double(2, number);
            let value = Value::decode(to.into_bytes().as_slice()).unwrap();
            let Some(Kind::NumberValue(read)) = value.kind else { panic!("no number") };
            prop_assert_eq!(read.to_bits(), number.to_bits());
        }
    }

    #[test]
    fn a_length_of_two_bytes_or_three_moves_what_follows_it() {
        for length in [127, 128, 129, 16_383, 16_384, 70_000] {
            let text = "a".repeat(length);
            let mut to = Message::with_capacity(0);
            to.message(3, |to| to.message(2, |to| to.encoded(text.as_bytes())));
            to.number(1, 7);
            let status = Status::decode(to.into_bytes().as_slice()).unwrap();
            assert_eq!((status.code, status.details[0].value.len()), (7, length));
        }
    }
}
