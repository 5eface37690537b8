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
mod tests {
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use proptest::prelude::*;

    use super::*;

    const HEADER: &str = r#"{"alg":"ES256"}"#;

    fn encode(text: impl AsRef<[u8]>) -> String {
        URL_SAFE_NO_PAD.encode(text)
    }

    #[track_caller]
    fn check(token: &str, expected: Result<(), Denial>) {
        assert_eq!(Jws::parse(token).map(|_| ()), expected, "{token}");
    }

    #[track_caller]
    fn check_header(header: &str, expected: Result<(), Denial>) {
        check(&format!("{}.{}.AA", encode(header), encode("{}")), expected);
    }

    #[track_caller]
    fn check_payload(payload: impl AsRef<[u8]>, expected: Result<(), Denial>) {
        check(&format!("{}.{}.AA", encode(HEADER), encode(payload)), expected);
    }

    #[test]
    fn three_segments_are_read() {
        let token = format!("{}.{}.AQI", encode(r#"{"alg":"ES256","kid":"k","typ":"JWT"}"#), "e30");
        let jws = Jws::parse(&token).unwrap();
        assert_eq!(jws.envelope.signature, [1, 2]);
        assert_eq!(jws.envelope.signing_input, &token[..token.len() - 4]);
        let (alg, kid, typ) = ("ES256".into(), Some("k".into()), Some("JWT".into()));
        assert_eq!(jws.envelope.header, Header { alg, kid, typ });
    }

    #[test]
    fn anything_but_three_non_empty_segments_is_malformed() {
        let (h, p) = (encode(HEADER), encode("{}"));
        for token in ["", ".", "..", "a", "a.b"] {
            check(token, Err(MALFORMED));
        }
        check(&format!("{h}.{p}."), Err(MALFORMED));
        check(&format!(".{p}.AA"), Err(MALFORMED));
        check(&format!("{h}..AA"), Err(MALFORMED));
        check(&format!("{h}.{p}.AA."), Err(MALFORMED));
        check(&format!("{h}.{p}.AA.AA.AA"), Err(MALFORMED));
    }

    #[test]
    fn base64url_is_strict() {
        let (h, p) = (encode(HEADER), encode("{}"));
        for signature in ["AA==", "A", "AB", "A+", "A/", "A A", "AA\n"] {
            check(&format!("{h}.{p}.{signature}"), Err(MALFORMED));
        }
        check(&format!("{h}=.{p}.AA"), Err(MALFORMED));
    }

    #[test]
    fn a_usual_header_is_read_the_short_way() {
        let usual = r#"{"alg":"ES256","kid":"k","typ":"JWT"}"#;
        assert_eq!(Header::plain(usual), Header::any(usual).ok());
        assert!(Header::plain(usual).is_some());
        for unusual in [r#"{"\u0061lg":"ES256"}"#, r#"{"alg":"ES256","kid":"\n"}"#] {
            assert!(Header::plain(unusual).is_none() && Header::any(unusual).is_ok());
        }
    }

    #[test]
    fn header_members_are_checked_in_order() {
        check_header(HEADER, Ok(()));
        check_header(r#"{"alg":"x","jwk":{"a":{"b":1}},"x5c":["a"]}"#, Ok(()));
        for header in [
            "",
            "[]",
            r#"["ES256","k","JWT"]"#,
            "1",
            "{",
            "{}",
            r#"{"alg":null}"#,
            r#"{"alg":1}"#,
            r#"{"alg":"none"}"#,
            r#"{"alg":"NoNe"}"#,
            r#"{"alg":"none","crit":[]}"#,
            r#"{"alg":"ES256","kid":1}"#,
            r#"{"alg":"ES256","kid":null}"#,
            r#"{"alg":"ES256","typ":[]}"#,
            r#"{"alg":"ES256"} x"#,
        ] {
            check_header(header, Err(MALFORMED));
        }
        for header in [
            r#"{"alg":"ES256","crit":["exp"]}"#,
            r#"{"alg":"ES256","crit":null}"#,
            r#"{"alg":"ES256","b64":true}"#,
        ] {
            check_header(header, Err(Denial::CriticalHeaderUnsupported));
        }
    }

    #[test]
    fn duplicate_header_members_are_malformed_at_any_depth_and_however_spelled() {
        for header in [
            r#"{"alg":"ES256","alg":"ES256"}"#,
            r#"{"alg":"ES256","\u0061lg":"HS256"}"#,
            r#"{"alg":"ES256","x":1,"x":1}"#,
            r#"{"alg":"ES256","jwk":{"a":1,"a":1}}"#,
            r#"{"alg":"ES256","x":[{"a":{"b":1,"\u0062":1}}]}"#,
        ] {
            check_header(header, Err(MALFORMED));
        }
    }

    #[test]
    fn payload_must_be_an_object_without_duplicate_top_level_members() {
        check_payload("{}", Ok(()));
        check_payload(r#"{"a":{"b":1,"b":2}}"#, Ok(()));
        for payload in ["", "[]", "1", "\"x\"", "null", "{", "{} {}", r#"{"a":1,"a":1}"#] {
            check_payload(payload, Err(MALFORMED));
        }
        check_payload(r#"{"iss":"a","\u0069ss":"b"}"#, Err(MALFORMED));
        check_payload(b"{\"a\":\"\xff\"}", Err(MALFORMED));
    }

    #[test]
    fn nesting_beyond_32_is_malformed() {
        let nested = |depth: usize| {
            format!(r#"{{"a":{}1{}}}"#, "[".repeat(depth - 1), "]".repeat(depth - 1))
        };
        check_payload(nested(MAX_DEPTH), Ok(()));
        check_payload(nested(MAX_DEPTH + 1), Err(MALFORMED));
        check_payload(format!(r#"{{"a":"{}\"[["}}"#, "[".repeat(99)), Ok(()));
    }

    #[test]
    fn size_is_checked_first() {
        check(&"a".repeat(MAX_TOKEN_BYTES), Err(MALFORMED));
        check(&"a".repeat(MAX_TOKEN_BYTES + 1), Err(Denial::TokenTooLarge));
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(token in any::<String>()) {
            let _ = Jws::parse(&token);
        }

        #[test]
        fn a_segment_is_strict_however_many_characters_are_read_at_once(
            bytes in prop::collection::vec(any::<u8>(), 0..300),
            (at, amiss) in (any::<prop::sample::Index>(), prop::option::of("[-_=+/. \n\u{0}é]")),
            more in "[A-Z]?",
        ) {
            let mut text = URL_SAFE_NO_PAD.encode(bytes) + &more;
            if let Some(amiss) = amiss {
                text.insert_str(at.index(text.len() + 1), &amiss);
            }
            prop_assert_eq!(segment(&text).ok(), URL_SAFE_NO_PAD.decode(&text).ok());
        }

        #[test]
        fn the_short_way_to_a_header_reads_what_the_long_one_reads(
            members in prop::collection::vec(
                (r#"alg|kid|typ|x|\\u0061lg"#, r#""([a-z]|\\n|none|None){0,3}"|1|null|\["a"\]"#),
                0..4,
            ),
            end in "[}x]{0,2}",
        ) {
            let member = |(name, value)| format!(r#""{name}":{value}"#);
            let members: Vec<String> = members.into_iter().map(member).collect();
            let json = format!("{{{}}}{end}", members.join(","));
            if let Some(header) = Header::plain(&json) {
                prop_assert_eq!(Header::any(&json), Ok(header));
            }
        }

        #[test]
        fn any_three_segments_are_read_without_a_panic(
            token in "[A-Za-z0-9_-]{0,40}\\.[A-Za-z0-9_-]{0,40}\\.[A-Za-z0-9_-]{0,9}",
        ) {
            let _ = Jws::parse(&token);
        }

        #[test]
        fn any_json_like_header_and_payload_are_read_without_a_panic(
            header in r#"\{("alg"|"\PC{0,3}"|[\[\]{}:,"\\u0-9a]){0,12}\}"#,
            payload in any::<String>(),
        ) {
            let _ = Jws::parse(&format!("{}.{}.AA", encode(header), encode(payload)));
        }
    }
}
