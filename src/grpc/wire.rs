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

    fn varint(&mut self) -> Result<u64, Undecodable> {
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
