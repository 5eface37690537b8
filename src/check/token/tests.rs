//! What is well-formed, what is not, and what each way through a header reads.

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
    let nested =
        |depth: usize| format!(r#"{{"a":{}1{}}}"#, "[".repeat(depth - 1), "]".repeat(depth - 1));
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
