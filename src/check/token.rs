//! The structure of a JWS in compact serialization (RFC 7515 section 7.1), read strictly.
//!
//! It verifies nothing: what it yields is well-formed, and otherwise only the sender's word.

use std::{borrow::Cow, collections::HashSet, fmt, sync::LazyLock};

use base64::{Engine as _, engine::general_purpose::NO_PAD};
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::check::{
    claims::{Claims, Json},
    decision::Denial,
    plain_json::each_member,
    strict_json::{MAX_DEPTH, MemberName, Unique, deeper_than},
};

/// Upper bound on a token, in bytes.
pub const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// A well-formed JWS whose payload is a JSON object.
#[derive(Debug)]
pub struct Jws<'t> {
    /// All but the payload.
    pub envelope: Envelope<'t>,
    /// The payload.
    pub claims: Claims,
}

/// What a signature needs of a JWS, whatever its payload is.
#[derive(Debug)]
pub struct Envelope<'t> {
    /// What the signature is over.
    pub signing_input: &'t str,
    /// The signature's bytes.
    pub signature: Vec<u8>,
    /// The protected header.
    pub header: Header,
}

/// The members of the protected header that count. `jku`, `x5u`, `jwk` and `x5c` are read by
/// nobody (RFC 8725 section 3.10).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// `alg`.
    pub alg: String,
    /// `kid`.
    pub kid: Option<String>,
    /// `typ`.
    pub typ: Option<String>,
}

impl<'t> Jws<'t> {
    /// Reads a token.
    ///
    /// # Errors
    /// The [`Denial`] that names what is wrong with its structure.
    pub fn parse(token: &'t str) -> Result<Self, Denial> {
        let Segments { signing_input, header, payload, signature } = segments(token)?;
        let (header, payload) = (json(header)?, json(payload)?);
        let signature = segment(signature)?;
        let claims = Claims::parse(payload).ok_or(MALFORMED)?;
        let header = Header::parse(&header)?;
        Ok(Self { envelope: Envelope { signing_input, signature, header }, claims })
    }
}

impl<'t> Envelope<'t> {
    /// Reads a token of which only the payload may be something else than a JSON object. It can
    /// be signed all the same, but it is no token: for reports alone.
    ///
    /// # Errors
    /// The [`Denial`] that names what else is wrong.
    pub fn parse(token: &'t str) -> Result<Self, Denial> {
        let Segments { signing_input, header, payload, signature } = segments(token)?;
        segment(payload)?;
        let (header, signature) = (Header::parse(&json(header)?)?, segment(signature)?);
        Ok(Self { signing_input, signature, header })
    }
}

const MALFORMED: Denial = Denial::TokenMalformed;

/// The three segments, none of them empty, and what the third is over (RFC 7515 section 5.1).
struct Segments<'t> {
    signing_input: &'t str,
    header: &'t str,
    payload: &'t str,
    signature: &'t str,
}

fn segments(token: &str) -> Result<Segments<'_>, Denial> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(Denial::TokenTooLarge);
    }
    let (signing_input, signature) = token.rsplit_once('.').ok_or(MALFORMED)?;
    let (header, payload) = signing_input.split_once('.').ok_or(MALFORMED)?;
    // A further dot stands in the payload, where it is no base64url: JWE has five segments.
    let empty = header.is_empty() || payload.is_empty() || signature.is_empty();
    if empty { Err(MALFORMED) } else { Ok(Segments { signing_input, header, payload, signature }) }
}

/// Many characters at a time, where the processor can.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
type Base64Url = base64::engine::Simd;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
type Base64Url = base64::engine::GeneralPurpose;

static BASE64_URL: LazyLock<Base64Url> = LazyLock::new(|| {
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    return Base64Url::url_safe(NO_PAD);
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    return Base64Url::new(&base64::alphabet::URL_SAFE, NO_PAD);
});

/// Strict: unpadded, and no stray bits in the last character.
fn segment(text: &str) -> Result<Vec<u8>, Denial> {
    BASE64_URL.decode(text).map_err(|_| MALFORMED)
}

fn json(text: &str) -> Result<String, Denial> {
    let text = String::from_utf8(segment(text)?).map_err(|_| MALFORMED)?;
    if deeper_than(&text, MAX_DEPTH) { Err(MALFORMED) } else { Ok(text) }
}

/// The header's members as they were found, none of them twice; a `null` is a value.
#[derive(Default)]
struct Members<'a> {
    alg: Option<&'a RawValue>,
    kid: Option<&'a RawValue>,
    typ: Option<&'a RawValue>,
    /// Whether `crit` or `b64` is there.
    critical: bool,
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
        let (mut members, mut others) = (Members::default(), HashSet::new());
        while let Some(MemberName(name)) = map.next_key()? {
            let repeated = match &*name {
                "alg" => members.alg.replace(map.next_value()?).is_some(),
                "kid" => members.kid.replace(map.next_value()?).is_some(),
                "typ" => members.typ.replace(map.next_value()?).is_some(),
                other => {
                    members.critical |= matches!(other, "crit" | "b64");
                    map.next_value::<Unique>()?;
                    !others.insert(name)
                }
            };
            if repeated {
                return Err(A::Error::custom("duplicate member"));
            }
        }
        Ok(members)
    }
}

impl Header {
    fn parse(json: &str) -> Result<Self, Denial> {
        match Self::plain(json) {
            Some(header) => Ok(header),
            None => Self::any(json),
        }
    }

    /// The usual header: these three members at most, in strings without escapes.
    fn plain(json: &str) -> Option<Self> {
        let [mut alg, mut kid, mut typ] = [None; 3];
        each_member(json, |name, value| {
            let member = match json.get(name)? {
                "alg" => &mut alg,
                "kid" => &mut kid,
                "typ" => &mut typ,
                _ => return None,
            };
            let text = json.get(value)?.strip_prefix('"')?.strip_suffix('"')?;
            let usual = !text.contains('\\') && member.replace(text).is_none();
            usual.then_some(())
        })?;
        let alg = alg.filter(|alg| !alg.eq_ignore_ascii_case("none"))?;
        let own = |text: Option<&str>| text.map(str::to_owned);
        Some(Self { alg: alg.to_owned(), kid: own(kid), typ: own(typ) })
    }

    fn any(json: &str) -> Result<Self, Denial> {
        let Members { alg, kid, typ, critical } =
            serde_json::from_str(json).map_err(|_| MALFORMED)?;
        let alg = string(alg)?.ok_or(MALFORMED)?;
        if alg.eq_ignore_ascii_case("none") {
            return Err(MALFORMED);
        }
        // RFC 7515 section 4.1.11: extensions that are not understood make the JWS invalid.
        // None is understood here, `b64` (RFC 7797) neither.
        if critical {
            return Err(Denial::CriticalHeaderUnsupported);
        }
        Ok(Self { alg, kid: string(kid)?, typ: string(typ)? })
    }
}

/// A member that must be a string where it is present.
fn string(member: Option<&RawValue>) -> Result<Option<String>, Denial> {
    let text = |raw: &RawValue| Json(raw.get()).string().map(Cow::into_owned).ok_or(MALFORMED);
    member.map(text).transpose()
}

#[cfg(test)]
mod tests;
