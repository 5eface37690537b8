//! What is said of a token's structure.
//!
//! It judges nothing: it looks for the one thing that a reader should be told.

use super::read::Token;
use crate::{
    check::decision::{Denial, Reason},
    cli::explain::near::quoted,
};

pub(super) fn structure(text: &str, token: &Token, failed: Option<Reason>) -> String {
    if let (Some(header), None) = (&token.header, failed) {
        let kid = header.kid.as_deref().map_or("none".to_owned(), quoted);
        return format!("a signed token (JWS): alg {}, kid {kid}", quoted(&header.alg));
    }
    if failed == Some(Denial::TokenTooLarge.into()) {
        return format!("{} bytes, at most 16384 are accepted", text.len());
    }
    if failed == Some(Denial::CriticalHeaderUnsupported.into()) {
        return "the header has crit or b64: no extension is supported".to_owned();
    }
    let segments: Vec<&str> = text.split('.').collect();
    let message = match &*segments {
        _ if text.contains(char::is_whitespace) => {
            "white space inside; paste the token alone, without the scheme and on one line"
        }
        _ if text.contains(['"', '\'', ',']) => "quotes or commas around it; paste the token alone",
        [_, _, _, _, _] => {
            "five segments are an encrypted token (JWE); ask the provider for a signed one (JWS)"
        }
        [_] => "no dot in it: an opaque token, which only its issuer can look up, or no token",
        [_, _] => "two segments: the signature is missing",
        [_, _, ""] => "an empty signature: the token is not signed",
        [header, payload, _] => return parts(header, payload, token),
        _ => "three segments are accepted, with two dots between them",
    };
    message.to_owned()
}

/// What is wrong with a token of three segments.
fn parts(header: &str, payload: &str, token: &Token) -> String {
    if token.header.is_some() {
        return "the payload is no JSON object in UTF-8 without repeated members, nested at most \
                32 deep"
            .to_owned();
    }
    if header.contains('=') || payload.contains('=') {
        return "padded with `=`: base64url is unpadded in a token".to_owned();
    }
    "unpadded base64url is accepted, whose header is a JSON object without repeated members and \
     with an `alg` other than none"
        .to_owned()
}
