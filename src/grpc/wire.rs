//! The protobuf wire format (protobuf.dev, "Encoding"), read without copying.
//!
//! It knows no message; `grpc/decode.rs` does.

/// The bytes are not a protobuf message, or not of the shape that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Undecodable;

/// One field's number and value.
pub type Field<'a> = (u32, Wire<'a>);

/// A value as it stands on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire<'a> {
    /// Varint, or four or eight bytes: numbers, booleans, enums.
    Scalar,
    /// Text, bytes or a message.
    Bytes(&'a [u8]),
}

impl<'a> Wire<'a> {
    /// The value's bytes.
    ///
    /// # Errors
    /// [`Undecodable`] if it is a number.
    pub fn bytes(self) -> Result<&'a [u8], Undecodable> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            Self::Scalar => Err(Undecodable),
        }
    }

    /// The value as text.
    ///
    /// # Errors
    /// [`Undecodable`] if it is a number, or not UTF-8 (proto3 requires it).
    pub fn text(self) -> Result<&'a str, Undecodable> {
        str::from_utf8(self.bytes()?).map_err(|_| Undecodable)
    }

    /// The fields of the message that the value is.
    ///
    /// # Errors
    /// [`Undecodable`] if it is a number.
    pub fn fields(self) -> Result<Fields<'a>, Undecodable> {
        self.bytes().map(Fields)
    }
}

/// The texts of one message, read in the order in which they stand. Most stand close together,
/// with nothing but text between them, and one look at many costs less than one at each.
#[derive(Debug)]
pub struct Texts<'a> {
    message: &'a [u8],
    /// What was looked at last.
    seen: &'a str,
}

/// So far ahead a look goes, in bytes: what follows may be a body.
const AHEAD: usize = 4096;

impl<'a> Texts<'a> {
    /// Those of this message, and of the messages in it.
    #[must_use]
    pub fn of(message: &'a [u8]) -> Self {
        Self { message, seen: "" }
    }

    /// A value of the message as text.
    ///
    /// # Errors
    /// [`Undecodable`] if it is a number, or not UTF-8 (proto3 requires it).
    #[inline]
    pub fn text(&mut self, value: Wire<'a>) -> Result<&'a str, Undecodable> {
        let value = value.bytes()?;
        match part(self.seen, value) {
            Some(text) => Ok(text),
            None => self.look(value),
        }
    }

    fn look(&mut self, value: &'a [u8]) -> Result<&'a str, Undecodable> {
        let start = value.as_ptr().addr().wrapping_sub(self.message.as_ptr().addr());
        let rest = self.message.get(start..).ok_or(Undecodable)?;
        let ahead = rest.get(..AHEAD.max(value.len())).unwrap_or(rest);
        self.seen = match str::from_utf8(ahead) {
            Ok(text) => text,
            // Such as a length of two bytes. To look again costs less than a look at each text.
            Err(end) => {
                let text = ahead.get(..end.valid_up_to()).unwrap_or_default();
                str::from_utf8(text).map_err(|_| Undecodable)?
            }
        };
        part(self.seen, value).ok_or(Undecodable)
    }
}

/// These very bytes as a part of the text that holds them; none where it does not, or where they cut
/// a character.
#[inline]
fn part<'a>(text: &'a str, bytes: &[u8]) -> Option<&'a str> {
    let start = bytes.as_ptr().addr().wrapping_sub(text.as_ptr().addr());
    text.get(start..start.checked_add(bytes.len())?)
}

/// The fields of one message, in order.
#[derive(Debug, Clone, Copy)]
pub struct Fields<'a>(pub &'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>, Undecodable>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

impl<'a> Fields<'a> {
    fn field(&mut self) -> Result<Field<'a>, Undecodable> {
        // Nearly every field is short text, or a message, with a key and a length of one byte each.
        if let [key @ 0x08..0x80, length @ 0..0x80, rest @ ..] = self.0
            && key & 7 == 2
        {
            let (value, rest) = rest.split_at_checked(usize::from(*length)).ok_or(Undecodable)?;
            self.0 = rest;
            return Ok((u32::from(key >> 3), Wire::Bytes(value)));
        }
        let (number, kind) = self.key()?;
        let value = match kind {
            0 => {
                self.varint()?;
                Wire::Scalar
            }
            1 => {
                self.take(8)?;
                Wire::Scalar
            }
            2 => {
                let length = self.varint()?;
                Wire::Bytes(self.take(usize::try_from(length).map_err(|_| Undecodable)?)?)
            }
            3 => {
                self.skip_group(number, MAX_GROUPS)?;
                Wire::Scalar
            }
            5 => {
                self.take(4)?;
                Wire::Scalar
            }
            _ => return Err(Undecodable),
        };
        Ok((number, value))
    }

    fn key(&mut self) -> Result<(u32, u64), Undecodable> {
        let key = u32::try_from(self.varint()?).map_err(|_| Undecodable)?;
        if key >> 3 == 0 { Err(Undecodable) } else { Ok((key >> 3, u64::from(key & 7))) }
    }

    #[inline]
    fn varint(&mut self) -> Result<u64, Undecodable> {
        // Nearly every key and length is one byte.
        match self.0.split_first() {
            Some((&byte @ 0..0x80, rest)) => {
                self.0 = rest;
                Ok(byte.into())
            }
            Some(_) | None => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64, Undecodable> {
        let mut value = 0_u64;
        for (index, byte) in self.0.iter().enumerate().take(10) {
            value |= u64::from(byte & 0x7F) << (7 * index);
            if byte & 0x80 == 0 {
                // The tenth byte has room for one bit.
                if index == 9 && *byte > 1 {
                    return Err(Undecodable);
                }
                self.take(index + 1)?;
                return Ok(value);
            }
        }
        Err(Undecodable)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Undecodable> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Undecodable)?;
        self.0 = rest;
        Ok(taken)
    }

    /// Groups are deprecated, but an unknown field may still be one.
    fn skip_group(&mut self, number: u32, depth: u32) -> Result<(), Undecodable> {
        let depth = depth.checked_sub(1).ok_or(Undecodable)?;
        loop {
            let before = self.0;
            let (inner, kind) = self.key()?;
            match kind {
                4 if inner == number => return Ok(()),
                4 => return Err(Undecodable),
                3 => self.skip_group(inner, depth)?,
                _ => {
                    self.0 = before;
                    self.field()?;
                }
            }
        }
    }
}

/// Groups are nested at most so deep, as in prost.
const MAX_GROUPS: u32 = 100;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], expected: Result<&[Field<'_>], Undecodable>) {
        let got: Result<Vec<_>, _> = Fields(bytes).collect();
        assert_eq!(got.as_deref().map_err(|e| *e), expected, "{bytes:?}");
    }

    #[test]
    fn every_kind_of_field_is_read_or_passed_over() {
        check(&[], Ok(&[]));
        check(&[0x08, 0x96, 0x01], Ok(&[(1, Wire::Scalar)]));
        check(&[0x09, 1, 2, 3, 4, 5, 6, 7, 8], Ok(&[(1, Wire::Scalar)]));
        check(&[0x0D, 1, 2, 3, 4], Ok(&[(1, Wire::Scalar)]));
        check(&[0x12, 2, b'a', b'b', 0x08, 0], Ok(&[(2, Wire::Bytes(b"ab")), (1, Wire::Scalar)]));
        check(&[0x12, 0], Ok(&[(2, Wire::Bytes(b""))]));
    }

    #[test]
    fn a_group_is_passed_over_as_a_whole() {
        check(&[0x0B, 0x0C, 0x08, 0], Ok(&[(1, Wire::Scalar), (1, Wire::Scalar)]));
        check(&[0x0B, 0x12, 1, b'a', 0x13, 0x14, 0x0C], Ok(&[(1, Wire::Scalar)]));
        for bytes in [&[0x0B][..], &[0x0C], &[0x0B, 0x14], &[0x0B, 0x13, 0x0C], &[0x0B, 0x12, 9]] {
            check(bytes, Err(Undecodable));
        }
    }

    #[test]
    fn groups_are_nested_a_hundred_deep_and_no_deeper() {
        let nested = |depth| [vec![0x0B; depth], vec![0x0C; depth]].concat();
        check(&nested(100), Ok(&[(1, Wire::Scalar)]));
        check(&nested(101), Err(Undecodable));
        check(&vec![0x0B; 1_000_000], Err(Undecodable));
    }

    #[test]
    fn bytes_that_end_too_early_or_name_no_field_are_refused() {
        for bytes in [
            &[0x08][..],
            &[0x08, 0x80],
            &[0x09, 1, 2, 3, 4, 5, 6, 7],
            &[0x0D, 1, 2, 3],
            &[0x12],
            &[0x12, 3, 1, 2],
            &[0x00, 0],
            &[0x02, 0],
            &[0x0E, 0],
            &[0x0F, 0],
            &[0x80],
        ] {
            check(bytes, Err(Undecodable));
        }
    }

    #[test]
    fn a_number_has_at_most_64_bits_and_a_key_32() {
        let ten = |last| [&[0x08][..], &[0xFF; 9], &[last]].concat();
        check(&ten(1), Ok(&[(1, Wire::Scalar)]));
        check(&ten(2), Err(Undecodable));
        check(&ten(0x81), Err(Undecodable));
        check(&[0x88, 0x00, 0], Ok(&[(1, Wire::Scalar)]));
        check(&[0xF8, 0xFF, 0xFF, 0xFF, 0x0F, 0], Ok(&[(0x1FFF_FFFF, Wire::Scalar)]));
        check(&[0x88, 0x80, 0x80, 0x80, 0x10, 0], Err(Undecodable));
        check(&[0x12, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1], Err(Undecodable));
    }

    #[test]
    fn text_is_utf_8_and_a_number_is_no_text() {
        assert_eq!(Wire::Bytes("é".as_bytes()).text(), Ok("é"));
        assert_eq!(Wire::Bytes(b"\xff").text(), Err(Undecodable));
        assert_eq!(Wire::Scalar.text(), Err(Undecodable));
        assert!(Wire::Scalar.bytes().is_err() && Wire::Scalar.fields().is_err());
    }

    /// Pieces of bytes that are mostly text, some longer than a look goes ahead.
    fn pieces() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let text = ".{0,9}|[ -~]{100,150}".prop_map(String::into_bytes);
        let long = (4000_usize..4200, "[aé€]").prop_map(|(n, c)| c.repeat(n).into_bytes());
        let bytes = prop::collection::vec(prop_oneof![3 => 0_u8..0x80, 1 => any::<u8>()], 0..4);
        let piece = prop_oneof![6 => text, 1 => long, 4 => bytes];
        prop::collection::vec(piece, 0..12)
    }

    proptest! {
        #[test]
        fn a_text_is_the_same_whatever_stands_around_it(
            pieces in pieces(), skips in prop::collection::vec(0_usize..5, 12), turns in 1..3,
        ) {
            let message = pieces.concat();
            let mut texts = Texts::of(&message);
            for _ in 0..turns {
                let mut rest = &*message;
                for (piece, skip) in pieces.iter().zip(&skips) {
                    let (value, after) = rest.split_at(piece.len());
                    rest = after;
                    // One is passed over, one is cut short.
                    let value = value.get(..value.len().saturating_sub(skip / 3)).unwrap();
                    let expected = str::from_utf8(value).map_err(|_| Undecodable);
                    if skip % 3 > 0 {
                        prop_assert_eq!(texts.text(Wire::Bytes(value)), expected);
                    }
                }
            }
            prop_assert_eq!(texts.text(Wire::Scalar), Err(Undecodable));
        }

        #[test]
        fn any_bytes_end_in_fields_or_one_error(bytes in any::<Vec<u8>>()) {
            let read: Vec<_> = Fields(&bytes).collect();
            prop_assert!(read.len() <= bytes.len());
            let errors = read.iter().filter(|field| field.is_err()).count();
            prop_assert!(errors == 0 || errors == 1 && read.last().is_some_and(Result::is_err));
        }
    }
}
