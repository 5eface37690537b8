//! Texts that are no token, or nearly one.

use super::{Group, Make, check};

pub(super) const GROUPS: &[Group] = &[
    Group {
        provider: "",
        policy: "",
        rows: &[
            (Make::Payload(r#"[]"#), "token_malformed", "the payload is one JSON object"),
            (Make::Payload(r#"1"#), "token_malformed", "the payload is one JSON object"),
            (Make::Payload(r#"null"#), "token_malformed", "the payload is one JSON object"),
            (Make::Payload(r#"true"#), "token_malformed", "the payload is one JSON object"),
            (Make::Payload(r#""x""#), "token_malformed", "the payload is one JSON object"),
            (Make::Payload(r#"{}{}"#), "token_malformed", "the payload is one JSON object"),
            (Make::Payload(r#"{"#), "token_malformed", "the payload is one JSON object"),
            (Make::Payload(r#"}"#), "token_malformed", "the payload is one JSON object"),
            (Make::Payload(r#"x"#), "token_malformed", "the payload is one JSON object"),
            (Make::Payload(r#"{,}"#), "token_malformed", "the payload is one JSON object"),
            (Make::Payload(r#"{"a"}"#), "token_malformed", "the payload is one JSON object"),
            (Make::Payload(r#"{"a":}"#), "token_malformed", "the payload is one JSON object"),
            (Make::Payload(r#"{"a":1,}"#), "token_malformed", "the payload is one JSON object"),
            (Make::Payload(r#"{'a':1}"#), "token_malformed", "the payload is one JSON object"),
            (Make::Payload(r#"{a:1}"#), "token_malformed", "the payload is one JSON object"),
            (Make::Payload(r#"{"a":01}"#), "token_malformed", "the payload is one JSON object"),
            (Make::Payload(r#"{"a":+1}"#), "token_malformed", "the payload is one JSON object"),
            (Make::Payload(r#"{"a":.5}"#), "token_malformed", "the payload is one JSON object"),
            (Make::Payload(r#"{"a":NaN}"#), "token_malformed", "the payload is one JSON object"),
            (
                Make::Payload(r#"{"a":Infinity}"#),
                "token_malformed",
                "the payload is one JSON object",
            ),
            (Make::Payload(r#"{"a":1}//"#), "token_malformed", "the payload is one JSON object"),
            (Make::Payload(r#"﻿{}"#), "token_malformed", "the payload is one JSON object"),
            (
                Make::Payload(
                    r#"{"a":"
"}"#,
                ),
                "token_malformed",
                "the payload is one JSON object",
            ),
            (Make::Payload(r#"{"a":"\x"}"#), "token_malformed", "the payload is one JSON object"),
            (
                Make::Payload(r#"{"a":1,"a":1}"#),
                "token_malformed",
                "the payload is one JSON object",
            ),
            (
                Make::Payload(r#"{"a":1,"\u0061":2}"#),
                "token_malformed",
                "the payload is one JSON object",
            ),
            (
                Make::Payload(r#"{"iss":"https://a.example","iss":"x"}"#),
                "token_malformed",
                "the payload is one JSON object",
            ),
            (Make::Payload(r#"[{}]"#), "token_malformed", "the payload is one JSON object"),
            (
                Make::HeaderText(r#"[]"#),
                "token_malformed",
                "the header is one JSON object without repetitions",
            ),
            (
                Make::HeaderText(r#"{}"#),
                "token_malformed",
                "the header is one JSON object without repetitions",
            ),
            (
                Make::HeaderText(r#"null"#),
                "token_malformed",
                "the header is one JSON object without repetitions",
            ),
            (
                Make::HeaderText(r#""x""#),
                "token_malformed",
                "the header is one JSON object without repetitions",
            ),
            (
                Make::HeaderText(r#"x"#),
                "token_malformed",
                "the header is one JSON object without repetitions",
            ),
            (
                Make::HeaderText(r#"["ES256"]"#),
                "token_malformed",
                "the header is one JSON object without repetitions",
            ),
            (
                Make::HeaderText(r#"{"alg":"ES256""#),
                "token_malformed",
                "the header is one JSON object without repetitions",
            ),
            (
                Make::HeaderText(r#"{"alg":"ES256"}x"#),
                "token_malformed",
                "the header is one JSON object without repetitions",
            ),
            (
                Make::HeaderText(r#"{"alg":"ES256","alg":"ES256"}"#),
                "token_malformed",
                "the header is one JSON object without repetitions",
            ),
            (
                Make::HeaderText(r#"{"alg":"ES256","\u0061lg":"none"}"#),
                "token_malformed",
                "the header is one JSON object without repetitions",
            ),
            (
                Make::HeaderText(r#"{"alg":"ES256","kid":"ES256-1","kid":"x"}"#),
                "token_malformed",
                "the header is one JSON object without repetitions",
            ),
            (
                Make::HeaderText(r#"{"alg":"ES256","kid":"ES256-1","x":{"y":1,"y":2}}"#),
                "token_malformed",
                "the header is one JSON object without repetitions",
            ),
            (
                Make::HeaderText(r#"{"alg":"ES256","kid":"ES256-1","x":[{"y":1,"\u0079":2}]}"#),
                "token_malformed",
                "the header is one JSON object without repetitions",
            ),
            (
                Make::HeaderText(r#"{"Alg":"ES256"}"#),
                "token_malformed",
                "the header is one JSON object without repetitions",
            ),
            (
                Make::HeaderText(r#"{"ALG":"ES256"}"#),
                "token_malformed",
                "the header is one JSON object without repetitions",
            ),
            (
                Make::HeaderText(r#"﻿{"alg":"ES256","kid":"ES256-1"}"#),
                "token_malformed",
                "the header is one JSON object without repetitions",
            ),
        ],
    },
    Group {
        provider: "",
        policy: "",
        rows: &[
            (
                Make::Edit(|t| t.rsplit_once('.').unwrap().0.to_owned()),
                "token_malformed",
                "no signature",
            ),
            (
                Make::Edit(|t| format!("{}.", t.rsplit_once('.').unwrap().0)),
                "token_malformed",
                "an empty signature",
            ),
            (Make::Edit(|t| format!(".{t}")), "token_malformed", "four segments"),
            (Make::Edit(|t| format!("{t}.")), "token_malformed", "four segments"),
            (
                Make::Edit(|t| format!("{t}.AAAA.AAAA")),
                "token_malformed",
                "five segments, as a JWE has",
            ),
            (Make::Edit(|t| t.replace('.', "..")), "token_malformed", "empty segments"),
            (Make::Edit(|t| t.replace('.', "")), "token_malformed", "one segment"),
            (
                Make::Edit(|t| t.split_once('.').unwrap().1.to_owned()),
                "token_malformed",
                "no header",
            ),
            (Make::Edit(|t| format!("{t}=")), "token_malformed", "padding"),
            (Make::Edit(|t| format!("{t}==")), "token_malformed", "padding"),
            (Make::Edit(|t| format!("{t}+")), "token_malformed", "base64, not base64url"),
            (Make::Edit(|t| format!("{t}/")), "token_malformed", "base64, not base64url"),
            (Make::Edit(|t| format!("{t}AAA")), "token_malformed", "a length that no bytes have"),
            (Make::Edit(|t| format!("{t}AAAA")), "signature_invalid", "three bytes too many"),
            (
                Make::Edit(|t| t[..t.len() - 22].to_owned()),
                "signature_invalid",
                "a quarter of the signature is missing",
            ),
            (
                Make::Edit(|t| {
                    let last = t.chars().next_back().unwrap();
                    format!("{}{}", &t[..t.len() - 1], char::from(last as u8 + 1))
                }),
                "token_malformed",
                "stray bits in the last letter",
            ),
            (
                Make::Edit(|t| format!("{}.AAAA", t.rsplit_once('.').unwrap().0)),
                "signature_invalid",
                "a short signature",
            ),
            (
                Make::Edit(|t| format!("{}.{}", t.rsplit_once('.').unwrap().0, "A".repeat(86))),
                "signature_invalid",
                "a signature of zeros (CVE-2022-21449)",
            ),
            (
                Make::Edit(|t| {
                    format!("{}.{}", t.rsplit_once('.').unwrap().0, "_".repeat(85) + "w")
                }),
                "signature_invalid",
                "a signature beyond the order",
            ),
            (Make::Edit(|t| t.to_uppercase()), "token_malformed", "folded to upper case"),
            (Make::Edit(|t| t.chars().rev().collect()), "token_malformed", "backwards"),
            (
                Make::Edit(|_| "a".repeat(16 * 1024)),
                "token_malformed",
                "the longest text that is read",
            ),
            (Make::Edit(|_| "a".repeat(16 * 1024 + 1)), "token_too_large", "a byte too many"),
            (
                Make::Edit(|t| format!("{t}{}", "A".repeat(16 * 1024))),
                "token_too_large",
                "far too many",
            ),
            (Make::Edit(|_| "a.b.c".to_owned()), "token_malformed", "letters"),
            (Make::Edit(|_| ".".repeat(1000)), "token_malformed", "dots"),
            (Make::Edit(|_| "..".to_owned()), "token_malformed", "three empty segments"),
            (Make::Edit(|_| "x".to_owned()), "token_malformed", "an opaque token"),
            (Make::Edit(|_| "e30.e30.AA".to_owned()), "token_malformed", "no alg"),
            (
                Make::Edit(|_| "eyJhbGciOiJub25lIn0.e30.AA".to_owned()),
                "token_malformed",
                "alg none",
            ),
            (
                Make::Edit(|t| {
                    let (h, r) = t.split_once('.').unwrap();
                    let (_, s) = r.split_once('.').unwrap();
                    format!("{h}.e30.{s}")
                }),
                "issuer_not_allowed",
                "an empty payload under a good signature",
            ),
            (
                Make::Edit(|_| {
                    format!(
                        "{}.{}.AA",
                        "eyJhbGciOiJFUzI1NiJ9",
                        base64::Engine::encode(
                            &base64::engine::general_purpose::URL_SAFE_NO_PAD,
                            "[".repeat(5000)
                        )
                    )
                }),
                "token_malformed",
                "nesting without end",
            ),
            (
                Make::Edit(|_| {
                    format!(
                        "{}.{}.AA",
                        "eyJhbGciOiJFUzI1NiJ9",
                        base64::Engine::encode(
                            &base64::engine::general_purpose::URL_SAFE_NO_PAD,
                            b"{\"a\":\"\xff\"}"
                        )
                    )
                }),
                "token_malformed",
                "no UTF-8",
            ),
            (
                Make::Edit(|_| {
                    format!(
                        "{}.{}.AA",
                        "eyJhbGciOiJFUzI1NiJ9",
                        base64::Engine::encode(
                            &base64::engine::general_purpose::URL_SAFE_NO_PAD,
                            b"{\"a\":\"\xc0\x80\"}"
                        )
                    )
                }),
                "token_malformed",
                "an overlong NUL",
            ),
        ],
    },
];

#[tokio::test]
async fn a_text_that_is_no_token_is_refused() {
    check(GROUPS).await;
}
