//! The checks of a token, their order, and a token for each that fails just that one.

mod claims;
mod report;
mod time;

use super::*;
use crate::{
    check::{
        fixtures::{
            self, HEADER, ISSUER, KEY, NOW, at, key_set, keys, okta, orders, payload, policy,
            provider, sign,
        },
        observe::FirstFailure,
    },
    jwks::{algorithm::AlgorithmSet, key::fixtures::SigningKey},
    provider::{ClaimPath, Expiry, KeySource},
};

/// Keeps the checks in the order in which they come, and goes on.
#[derive(Default)]
struct Recorder(Vec<(Check, Result<(), Reason>)>);

impl Observer for Recorder {
    fn observe(&mut self, check: Check, result: Result<(), Reason>) -> Result<(), Reason> {
        self.0.push((check, result));
        Ok(())
    }
}

#[track_caller]
fn check(provider: Provider, header: &str, payload: &str, expected: Result<(), Reason>) {
    let token = sign(header, payload);
    let got = fixtures::verify(&token, &orders(provider), at(NOW), &mut FirstFailure);
    assert_eq!(got.map(|_| ()).map_err(|r| r.reason), expected, "{header} {payload}");
}

/// A good token of okta but for its header.
#[track_caller]
fn check_header(header: &str, expected: Result<(), Denial>) {
    check(okta(), header, &payload(&[]), expected.map_err(Into::into));
}

/// A good token of okta but for these members.
#[track_caller]
fn check_payload(provider: Provider, instead: &[(&str, &str)], expected: Result<(), Denial>) {
    check(provider, HEADER, &payload(instead), expected.map_err(Into::into));
}

#[test]
fn the_checks_run_in_the_order_of_the_contract() {
    let mut recorder = Recorder::default();
    let token = sign(HEADER, &payload(&[]));
    fixtures::verify(&token, &orders(okta()), at(NOW), &mut recorder).unwrap();
    let order = [
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
    assert_eq!(recorder.0, order.map(|check| (check, Ok(()))));
    assert!(order.is_sorted());
}

#[test]
fn an_observer_that_goes_on_sees_every_failure_and_still_gets_no_verified_token() {
    let mut recorder = Recorder::default();
    let token = sign(r#"{"alg":"ES256","typ":"x"}"#, &payload(&[("aud", "1"), ("exp", "1")]));
    let candidate = Candidate::parse(&token, &orders(okta()), at(NOW), &mut recorder).unwrap();
    let keys = candidate.wants().map(keys);
    let rejected = candidate.finish(keys, &orders(okta()), at(NOW), &mut recorder).unwrap_err();
    assert_eq!(rejected.reason, Denial::TokenExpired.into());
    let failed: Vec<_> = recorder.0.iter().filter(|(_, r)| r.is_err()).map(|(c, _)| *c).collect();
    assert_eq!(failed, [Check::Time, Check::Type, Check::Audience]);
}

#[test]
fn an_expired_token_is_never_verified_even_for_an_observer_that_goes_on() {
    let token = sign(HEADER, &payload(&[("exp", "1")]));
    let got = fixtures::verify(&token, &orders(okta()), at(NOW), &mut Recorder::default());
    assert_eq!(got.unwrap_err().reason, Denial::TokenExpired.into());
}

/// One fault for each check in their order: the reason, and what of the token it takes.
const FAULTS: [(Denial, &str); 11] = [
    (Denial::CriticalHeaderUnsupported, r#""crit":[]"#),
    (Denial::IssuerNotAllowed, "iss"),
    (Denial::AlgorithmNotAllowed, "alg"),
    (Denial::TokenExpired, "exp"),
    (Denial::KeyUnknown, "kid"),
    (Denial::SignatureInvalid, "signature"),
    (Denial::TokenTypeNotAllowed, r#""typ":"id+jwt""#),
    (Denial::LifetimeTooLong, "iat"),
    (Denial::AudienceNotAllowed, "aud"),
    (Denial::ClaimsRejected, "hd"),
    (Denial::AudienceNotAllowed, "policy audience"),
];

/// A token with these faults of [`FAULTS`] and no other.
fn faulty(faults: &[(Denial, &str)]) -> String {
    let has = |fault: &str| faults.iter().any(|(_, other)| *other == fault);
    let pick = |fault: &str, bad, good| if has(fault) { bad } else { good };
    let (alg, kid) = (pick("alg", "RS256", "ES256"), pick("kid", "k9", "k1"));
    let members = faults.iter().map(|(_, fault)| *fault).filter(|fault| fault.starts_with('"'));
    let named = format!(r#""alg":"{alg}","kid":"{kid}""#);
    let header: Vec<_> = [&*named].into_iter().chain(members).collect();
    let header = format!("{{{}}}", header.join(","));
    let iss = format!("\"{ISSUER}\"");
    let exp = (NOW - 1000.0).to_string();
    let aud = match (has("aud"), has("policy audience")) {
        (true, true) => r#"["other"]"#,
        (true, false) => r#"["orders"]"#,
        (false, true) => r#"["api"]"#,
        (false, false) => r#"["api","orders"]"#,
    };
    let good_exp = (NOW + 300.0).to_string();
    let payload = payload(&[
        ("iss", pick("iss", "\"https://evil\"", &iss)),
        ("exp", pick("exp", &exp, &good_exp)),
        ("iat", pick("iat", "0", "1699999999")),
        ("aud", aud),
        ("hd", pick("hd", "\"evil\"", "\"example.com\"")),
    ]);
    let signer = SigningKey::new("k1");
    if has("signature") { signer.jws(&header, &payload) } else { sign(&header, &payload) }
}

#[track_caller]
fn check_faults(faults: &[(Denial, &str)], expected: Result<(), Denial>) {
    let demanding = Provider {
        max_lifetime: Some(std::time::Duration::from_secs(3600)),
        required_claims: vec![(ClaimPath::parse("hd"), "example.com".into())],
        ..okta()
    };
    let policy = Policy { audiences: vec![vec!["orders".into()]], ..orders(demanding) };
    let got = fixtures::verify(&faulty(faults), &policy, at(NOW), &mut FirstFailure);
    let expected = expected.map_err(Reason::from);
    assert_eq!(got.map(|_| ()).map_err(|r| r.reason), expected, "{faults:?}");
}

#[test]
fn each_fault_alone_is_refused_for_its_own_reason() {
    for fault in FAULTS {
        check_faults(&[fault], Err(fault.0));
    }
    check_faults(&[], Ok(()));
}

#[test]
fn of_several_faults_the_earliest_is_the_reason() {
    for first in 0..FAULTS.len() {
        check_faults(&FAULTS[first..], Err(FAULTS[first].0));
    }
}

#[test]
fn structure_comes_first() {
    let policy = orders(okta());
    let large = "a".repeat(16 * 1024 + 1);
    let none = sign(r#"{"alg":"none"}"#, &payload(&[]));
    for (token, reason) in [
        (&*large, Denial::TokenTooLarge),
        ("a.b", Denial::TokenMalformed),
        (&none, Denial::TokenMalformed),
    ] {
        let rejected = Candidate::parse(token, &policy, at(NOW), &mut FirstFailure).unwrap_err();
        assert_eq!((rejected.reason, rejected.provider.is_none()), (reason.into(), true));
    }
}

#[test]
fn the_issuer_is_one_of_the_policy_byte_by_byte() {
    for iss in [
        "",
        "null",
        "1",
        "[\"https://okta\"]",
        "\"\"",
        "\"https://okta/\"",
        "\"HTTPS://OKTA\"",
        "\"https://okta \"",
        "\"https://off\"",
        "\"https://entra\"",
    ] {
        let off = Provider { enabled: false, ..provider("off", "https://off") };
        let policy = policy("p", &[Arc::new(okta()), Arc::new(off)]);
        let token = sign(HEADER, &payload(&[("iss", iss)]));
        let rejected = Candidate::parse(&token, &policy, at(NOW), &mut FirstFailure).unwrap_err();
        assert_eq!(rejected.reason, Denial::IssuerNotAllowed.into(), "{iss}");
    }
    check_payload(okta(), &[("iss", r#""https:\/\/okt\u0061""#)], Ok(()));
}

#[test]
fn each_provider_of_a_policy_verifies_only_its_own_issuer() {
    let other = SigningKey::new("k1");
    let keys = KeySource::Local(key_set(&[&other]));
    let entra = Provider { keys, ..provider("entra", "https://entra") };
    let policy = policy("p", &[Arc::new(okta()), Arc::new(entra)]);
    let run = |token: &str| {
        let got = fixtures::verify(token, &policy, at(NOW), &mut FirstFailure);
        got.map(|v| v.provider.name.to_string()).map_err(|r| r.reason)
    };
    let entras = payload(&[("iss", "\"https://entra\"")]);
    assert_eq!(run(&other.jws(HEADER, &entras)), Ok("entra".into()));
    assert_eq!(run(&sign(HEADER, &entras)), Err(Denial::SignatureInvalid.into()));
    let oktas = other.jws(HEADER, &payload(&[]));
    assert_eq!(run(&oktas), Err(Denial::SignatureInvalid.into()));
}

#[test]
fn a_token_names_its_algorithm_exactly_and_only_an_allowed_one() {
    for alg in ["es256", "ES384", "RS256", "HS256", "EdDSA", "", "ES256 "] {
        let header = format!(r#"{{"alg":"{alg}","kid":"k1"}}"#);
        check_header(&header, Err(Denial::AlgorithmNotAllowed));
    }
    let nothing = Provider { algorithms: AlgorithmSet::from_iter([]), ..okta() };
    check_payload(nothing, &[], Err(Denial::AlgorithmNotAllowed));
}

#[test]
fn a_kid_must_match_and_its_key_must_fit() {
    for kid in ["", "K1", "k2", "k1 "] {
        check_header(&format!(r#"{{"alg":"ES256","kid":"{kid}"}}"#), Err(Denial::KeyUnknown));
    }
    let any = Provider { algorithms: AlgorithmSet::asymmetric(), ..okta() };
    let mismatch = Err(Denial::AlgorithmNotAllowed.into());
    check(any, r#"{"alg":"RS256","kid":"k1"}"#, &payload(&[]), mismatch);
}

#[test]
fn without_a_kid_at_most_four_keys_are_tried() {
    let header = r#"{"alg":"ES256"}"#;
    check_header(header, Ok(()));
    let others: Vec<_> = (0..4).map(|_| SigningKey::new("k1")).collect();
    let with = |others: &[SigningKey]| {
        let all: Vec<_> = others.iter().chain([&*KEY]).collect();
        Provider { keys: KeySource::Local(key_set(&all)), ..okta() }
    };
    check(with(&others[..3]), header, &payload(&[]), Ok(()));
    check(with(&others), header, &payload(&[]), Err(Denial::KeyUnknown.into()));
    let foreign = Provider { keys: KeySource::Local(key_set(&[&others[0]])), ..okta() };
    check(foreign, header, &payload(&[]), Err(Denial::SignatureInvalid.into()));
}

#[test]
fn keys_that_are_not_there_are_the_fault_of_the_operator_or_issuer() {
    let unreadable = Provider { keys: KeySource::Unreadable, ..okta() };
    check(unreadable, HEADER, &payload(&[]), Err(Fault::KeysUnavailable.into()));
}

#[test]
fn a_signature_is_over_the_exact_header_and_payload() {
    let token = sign(HEADER, &payload(&[]));
    let (input, signature) = token.rsplit_once('.').unwrap();
    let (header, _) = input.split_once('.').unwrap();
    let other = sign(HEADER, &payload(&[("sub", "\"mallory\"")]));
    let (other_input, _) = other.rsplit_once('.').unwrap();
    let (_, other_payload) = other_input.split_once('.').unwrap();
    for forged in [
        format!("{header}.{other_payload}.{signature}"),
        format!("{input}.AA"),
        format!("{input}.{}", "A".repeat(86)),
        format!("{input}.{signature}{signature}"),
    ] {
        let got = fixtures::verify(&forged, &orders(okta()), at(NOW), &mut FirstFailure);
        assert_eq!(got.unwrap_err().reason, Denial::SignatureInvalid.into(), "{forged}");
    }
}

#[test]
fn from_the_issuer_on_a_rejection_names_the_provider_for_metrics() {
    for (fault, named) in FAULTS.iter().zip([false, false].into_iter().chain([true; 9])) {
        let policy = Policy { audiences: vec![vec!["orders".into()]], ..orders(okta()) };
        let got = fixtures::verify(&faulty(&[*fault]), &policy, at(NOW), &mut FirstFailure);
        assert!(got.err().is_none_or(|r| r.provider.is_some() == named), "{fault:?}");
    }
}
