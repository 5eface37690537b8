//! SHA-256 and its lower-case hex: the one home of digests.
//!
//! It verifies no signature; `jwks/key.rs` does.

use aws_lc_rs::digest::{self, Context, SHA256};

/// The SHA-256 (FIPS 180-4) of `parts`, one after another, without anything between them.
///
/// A caller whose parts vary in length must write the lengths too, or two lists could hash alike.
pub fn sha256(parts: impl IntoIterator<Item = impl AsRef<[u8]>>) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part.as_ref());
    }
    bytes(&context.finish())
}

/// The SHA-256 of `text`, in one go: nothing is allocated.
#[must_use]
pub fn sha256_of(text: &[u8]) -> [u8; 32] {
    bytes(&digest::digest(&SHA256, text))
}

fn bytes(digest: &digest::Digest) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (to, from) in bytes.iter_mut().zip(digest.as_ref()) {
        *to = *from;
    }
    bytes
}

/// `bytes` as lower-case hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(parts: &[&str], expected: &str) {
        assert_eq!(hex(&sha256(parts)), expected);
        assert_eq!(hex(&sha256_of(parts.concat().as_bytes())), expected);
    }

    #[test]
    fn the_digests_are_those_of_fips_180() {
        check(&[], "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        check(&["abc"], "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn parts_are_joined_without_a_separator() {
        check(&["a", "", "bc"], "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
