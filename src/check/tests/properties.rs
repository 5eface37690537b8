//! What holds for every token: one changed bit refuses it, and `explain` says what `serve` does.

use proptest::{prelude::*, sample::select};

use super::*;
use crate::check::observe::Report;

const CHECKS: [Check; 14] = [
    Check::Structure,
    Check::Issuer,
    Check::Algorithm,
    Check::Time,
    Check::Key,
    Check::Signature,
    Check::Type,
    Check::Lifetime,
    Check::Audience,
    Check::Claims,
    Check::PolicyAudience,
    Check::Scope,
    Check::Rules,
    Check::Headers,
];

/// Texts of a member that are good, near it, or of another type; an empty one leaves it out.
fn member(
    name: &'static str,
    texts: &'static [&'static str],
) -> impl Strategy<Value = (&'static str, &'static str)> {
    select(texts).prop_map(move |text| (name, text))
}

/// Stands for what a good token has.
const KEPT: &str = "kept";

/// Payloads of which about every eighth passes all checks.
fn claims() -> impl Strategy<Value = Vec<(&'static str, &'static str)>> {
    let rarely = |name, texts: &'static [&'static str]| prop_oneof![4 => Just((name, KEPT)), 1 => member(name, texts)];
    let all = (
        rarely("iss", &["", "\"https://okta/\"", "1", "null", "\"\""]),
        rarely("aud", &["", "\"Api\"", "[\"x\",\"api\"]", "[]", "[1]", "{}"]),
        rarely("exp", &["", "1", "1e300", "-1", "\"1700000300\"", "true", "1699999940"]),
        rarely("nbf", &["1700000060", "1700000061", "\"x\"", "null"]),
        rarely("iat", &["1700000061", "0", "[]"]),
        rarely("sub", &["", "\"\\r\\n\"", "{}", "[\"a\",{}]", "null"]),
        prop_oneof![3 => member("scope", &["\"read\""]), 1 => member("scope", &["", "\"Read\"", "[1]"])],
        rarely("cnf", &["{}", "{\"jkt\":\"x\"}", "null"]),
    );
    all.prop_map(|(a, b, c, d, e, f, g, h)| {
        [a, b, c, d, e, f, g, h].into_iter().filter(|(_, text)| *text != KEPT).collect()
    })
}

fn header() -> impl Strategy<Value = &'static str> {
    const OTHERS: &[&str] = &[
        r#"{"alg":"ES256"}"#,
        r#"{"alg":"ES256","kid":"k9"}"#,
        r#"{"alg":"RS256","kid":"k1"}"#,
        r#"{"alg":"none","kid":"k1"}"#,
        r#"{"alg":"es256","kid":"k1"}"#,
        r#"{"alg":"ES256","kid":"k1","crit":["b64"],"b64":true}"#,
        r#"{"alg":"ES256","kid":"k1","typ":"dpop+jwt"}"#,
        r#"{"alg":"ES256","kid":"k1","typ":"at+jwt"}"#,
        r#"{"alg":"ES256","alg":"ES256","kid":"k1"}"#,
        r#"{"kid":"k1"}"#,
        "[]",
    ];
    prop_oneof![2 => Just(HEADER), 1 => select(OTHERS)]
}

/// What becomes of a signed token.
fn edited(token: String, edit: u8) -> String {
    match edit {
        0 => token + "A",
        1 => token.replacen('.', "..", 1),
        2 => token.rsplit_once('.').unwrap().0.to_owned() + ".AAAA",
        3 => format!("{token}.{token}"),
        4 => format!("{token}="),
        _kept => token,
    }
}

fn explained(token: &str, snapshot: &Snapshot) -> (String, Report) {
    let okta = snapshot.provider("okta").cloned();
    let mut report = Report::assuming(okta);
    let (host, mut backing) = (Lender::of(Lends::Keys), Backing::default());
    let to = (&mut backing, &mut report);
    let progress = explain(token, &view(&[]), snapshot, &host, at(NOW), to);
    let Progress::Done(decision, _) = progress else { panic!("waits") };
    (summary(&decision), report)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn explain_says_what_serve_does(
        header in header(),
        claims in claims(),
        edit in 0_u8..20,
        mode in select(&[Mode::Strict, Mode::Optional, Mode::Permissive][..]),
    ) {
        let token = edited(sign(header, &payload(&claims)), edit);
        let snapshot = config(mode);
        let served = run(&snapshot, &[&format!("Bearer {token}")], &Lender::of(Lends::Keys));
        let (explained, report) = explained(&token, &snapshot);
        // Which lines of the request are taken off has no meaning without a request.
        let told = |summary: &str| summary.replace(" Remove ", " Keep ");
        prop_assert_eq!(told(&served), told(&explained), "{} {:?}", header, claims);
        let failed = CHECKS.iter().any(|check| report.result(*check).is_some_and(|r| r.is_err()));
        prop_assert_eq!(failed, !served.starts_with("allowed -"), "{}", served);
    }
}

#[test]
fn a_token_with_one_changed_bit_is_never_allowed() {
    let snapshot = config(Mode::Strict);
    let token = good().split_once(' ').unwrap().1.to_owned();
    assert!(
        run(&snapshot, &[&format!("Bearer {token}")], &Lender::of(Lends::Keys))
            .starts_with("allowed")
    );
    for at in 0..token.len() {
        for bit in 0..8 {
            let mut bytes = token.clone().into_bytes();
            bytes[at] ^= 1 << bit;
            // As Envoy writes bytes that are no ASCII into a text.
            let changed: String = bytes.into_iter().map(char::from).collect();
            let got = run(&snapshot, &[&format!("Bearer {changed}")], &Lender::of(Lends::Keys));
            assert!(got.starts_with("denied "), "bit {bit} of byte {at}: {got}");
        }
    }
}

#[test]
fn explain_looks_at_nothing_where_serve_would_not() {
    let (told, report) = explained("no token", &config(Mode::Anonymous));
    assert_eq!(told.trim_end(), "allowed - Keep nobody");
    assert!(CHECKS.iter().all(|check| report.result(*check).is_none()));
}

#[test]
fn explain_goes_no_further_than_the_structure_of_what_is_no_token68() {
    let good = good().replace("Bearer ", "");
    for text in ["", "a b", &format!("{good} "), &format!("{good},{good}"), &format!("={good}")] {
        let (told, report) = explained(text, &config(Mode::Strict));
        assert_eq!(told, "denied token_malformed", "{text:?}");
        let looked_at: Vec<_> =
            CHECKS.iter().filter(|check| report.result(**check).is_some()).collect();
        assert_eq!(looked_at, [&Check::Structure], "{text:?}");
    }
}
