//! An observer that goes on hears of every check that can still be run, and nothing passes by it.

use super::*;
use crate::check::observe::Report;

/// Every check, in order, as it ended: `+` passed, `-` failed, `.` not run.
fn marks(report: &Report) -> String {
    const ALL: [Check; 11] = [
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
    ];
    let mark = |check| match report.result(check) {
        Some(Ok(())) => '+',
        Some(Err(_)) => '-',
        None => '.',
    };
    ALL.into_iter().map(mark).collect()
}

/// What is refused, and how each check ended, with okta assumed where nothing else is named.
#[track_caller]
fn check(token: &str, reason: Denial, assumed: &str, unassumed: &str) {
    let policy = orders(okta());
    let (mut with, mut without) = (Report::assuming(Some(Arc::new(okta()))), Report::default());
    for report in [&mut with, &mut without] {
        let rejected = fixtures::verify(token, &policy, at(NOW), report).unwrap_err();
        assert_eq!(rejected.reason, reason.into(), "{token}");
    }
    assert_eq!((&*marks(&with), &*marks(&without)), (assumed, unassumed), "{token}");
}

#[track_caller]
fn check_claims(instead: &[(&str, &str)], reason: Denial, assumed: &str, unassumed: &str) {
    check(&sign(HEADER, &payload(instead)), reason, assumed, unassumed);
}

#[test]
fn one_failure_leaves_the_other_checks_to_run() {
    let both = |instead: &[(&str, &str)], reason, marks: &str| {
        check_claims(instead, reason, marks, marks);
    };
    both(&[("exp", "1")], Denial::TokenExpired, "+++-+++++++");
    both(&[("aud", "\"x\"")], Denial::AudienceNotAllowed, "++++++++-++");
    both(&[("cnf", "{}")], Denial::TokenTypeNotAllowed, "++++++-++++");
    // Without times there is no lifetime.
    both(&[("exp", "\"1\"")], Denial::ClaimsMalformed, "+++-+++.+++");
    let unknown = sign(r#"{"alg":"ES256","kid":"k9"}"#, &payload(&[]));
    check(&unknown, Denial::KeyUnknown, "++++-.+++++", "++++-.+++++");
    let algorithm = sign(r#"{"alg":"XS256","kid":"k1"}"#, &payload(&[]));
    check(&algorithm, Denial::AlgorithmNotAllowed, "++-+..+++++", "++-+..+++++");
}

#[test]
fn a_foreign_issuer_s_token_is_checked_with_the_assumed_provider_alone() {
    let foreign = Denial::IssuerNotAllowed;
    check_claims(&[("iss", "\"x\"")], foreign, "+-+++++++++", "+-.........");
    check_claims(&[("iss", "")], foreign, "+-+++++++++", "+-.........");
}

#[test]
fn a_payload_that_is_no_object_leaves_key_and_signature_to_check() {
    let malformed = Denial::TokenMalformed;
    for payload in ["payload", "[]", r#"{"a":1,"a":1}"#, ""] {
        let mut marks = "-.+.++.....";
        if payload.is_empty() {
            marks = "-..........";
        }
        check(&sign(HEADER, payload), malformed, marks, "-..........");
    }
    let forged = SigningKey::new("k1").jws(HEADER, "payload");
    check(&forged, malformed, "-.+.+-.....", "-..........");
    check("a.b.c", malformed, "-..........", "-..........");
    check(&sign(r#"{"alg":"none"}"#, "[]"), malformed, "-..........", "-..........");
}

#[test]
fn an_assumed_provider_that_the_token_does_not_name_never_makes_it_pass() {
    let nobody = policy("orders", &[]);
    let mut report = Report::assuming(Some(Arc::new(okta())));
    let token = sign(HEADER, &payload(&[]));
    let rejected = fixtures::verify(&token, &nobody, at(NOW), &mut report).unwrap_err();
    assert_eq!(rejected.reason, Denial::IssuerNotAllowed.into());
    assert!(rejected.provider.is_none());
    assert_eq!(report.result(Check::Signature), Some(Ok(())));
}
