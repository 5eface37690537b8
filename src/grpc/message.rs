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
    #[inline]
    pub fn text(&mut self, field: u32, text: &str) {
        self.begin([(field, text.len())]);
        self.0.extend_from_slice(text.as_bytes());
    }

    /// A message that `write` fills.
    pub fn message(&mut self, field: u32, write: impl FnOnce(&mut Self)) {
        // Most are under 128 bytes, whose length is one byte; only longer ones are moved.
        self.begin([(field, 0)]);
        let start = self.0.len();
        write(self);
        match (u8::try_from(self.0.len() - start), self.0.get_mut(start - 1)) {
            (Ok(short @ 0..0x80), Some(byte)) => *byte = short,
            _ => self.lengthen(start),
        }
    }

    /// Begins text or messages, each within the one before, of these fields and of as many bytes:
    /// see [`size`]. What follows fills them, and is not moved for their lengths.
    #[inline(always)]
    pub fn begin<const N: usize>(&mut self, fields: [(u32, usize); N]) {
        let fields =
            fields.map(|(field, length)| ((field << 3 | LENGTH_DELIMITED) as usize, length));
        // All but long texts have a byte for each of the two.
        if fields.iter().fold(0, |bits, (key, length)| bits | key | length) < 0x80 {
            let byte = |number: usize| number.to_le_bytes()[0];
            let bytes = fields.map(|(key, length)| [byte(key), byte(length)]);
            self.0.extend_from_slice(bytes.as_flattened());
        } else {
            self.long(&fields);
        }
    }

    fn long(&mut self, fields: &[(usize, usize)]) {
        for (key, length) in fields {
            self.varint(*key as u64);
            self.varint(*length as u64);
        }
    }

    /// Writes the length of the message from `start` on in place of the byte before it.
    fn lengthen(&mut self, start: usize) {
        let end = self.0.len();
        let (length, size) = varint((end - start) as u64);
        self.0.resize(end + size - 1, 0);
        self.0.copy_within(start..end, start + size - 1);
        self.0.iter_mut().skip(start - 1).zip(length).take(size).for_each(|(to, from)| *to = from);
    }

    fn key(&mut self, field: u32, kind: u32) {
        self.varint(u64::from(field << 3 | kind));
    }

    fn varint(&mut self, value: u64) {
        let (bytes, size) = varint(value);
        self.0.extend(bytes.iter().take(size));
    }
}

/// The bytes that a field of so many takes, text or a message, whose number is below 16.
#[must_use]
#[inline]
pub fn size(length: usize) -> usize {
    if length < 0x80 {
        return 2 + length;
    }
    // Seven bits a byte.
    let bits = usize::BITS - length.leading_zeros();
    1 + bits.div_ceil(7) as usize + length
}

/// A varint and its size: seven bits a byte, the lowest first, and the top bit on all bytes but
/// the last.
fn varint(value: u64) -> ([u8; MAX_VARINT], usize) {
    let (mut bytes, mut rest, mut size) = ([0; MAX_VARINT], value, 0);
    for byte in &mut bytes {
        *byte = rest.to_le_bytes()[0] | 0x80;
        size += 1;
        rest >>= 7;
        if rest == 0 {
            *byte &= 0x7F;
            break;
        }
    }
    (bytes, size)
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
    fn a_length_of_two_bytes_or_three_moves_what_follows_it_unless_it_is_known_before() {
        for length in [0, 1, 125, 126, 127, 128, 129, 16_383, 16_384, 70_000] {
            let text = "a".repeat(length);
            let mut to = Message::with_capacity(0);
            to.message(3, |to| to.message(2, |to| to.encoded(text.as_bytes())));
            to.number(1, 7);
            let mut sized = Message::with_capacity(0);
            sized.begin([(3, size(length)), (2, length)]);
            sized.encoded(text.as_bytes());
            sized.number(1, 7);
            let (to, sized) = (to.into_bytes(), sized.into_bytes());
            assert_eq!(sized, to);
            let status = Status::decode(to.as_slice()).unwrap();
            assert_eq!((status.code, status.details[0].value.len()), (7, length));
        }
    }
}
