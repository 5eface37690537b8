//! What a signed token must be and say: type, audiences, required claims.

use super::*;
use crate::provider::{Audiences, Binding, TokenTypes};

#[track_caller]
fn check_typ(types: TokenTypes, typ: Option<&str>, expected: Result<(), Denial>) {
    let typ = typ.map(|typ| format!(r#","typ":"{typ}""#)).unwrap_or_default();
    let header = format!(r#"{{"alg":"ES256","kid":"k1"{typ}}}"#);
    let provider = Provider { token_types: types, ..okta() };
    check(provider, &header, &payload(&[]), expected.map_err(Into::into));
}

#[test]
fn by_default_tokens_without_typ_and_access_tokens_are_accepted() {
    let accepted = ["JWT", "jwt", "at+jwt", "AT+JWT", "application/jwt", "APPLICATION/at+jwt"];
    for typ in accepted.into_iter().map(Some).chain([None]) {
        check_typ(TokenTypes::Default, typ, Ok(()));
    }
}

#[test]
fn by_default_tokens_of_every_other_type_are_refused() {
    for typ in [
        "",
        "id+jwt",
        "logout+jwt",
        "dpop+jwt",
        "secevent+jwt",
        "JWE",
        "jwt ",
        " jwt",
        "application/",
        "applicationé",
        "application/application/jwt",
        "text/jwt",
        "at-jwt",
    ] {
        check_typ(TokenTypes::Default, Some(typ), Err(Denial::TokenTypeNotAllowed));
    }
}

#[test]
fn named_types_replace_the_default() {
    let only = || TokenTypes::OneOf(vec!["at+jwt".into()]);
    check_typ(only(), Some("at+JWT"), Ok(()));
    check_typ(only(), Some("application/at+jwt"), Ok(()));
    for typ in [None, Some("JWT"), Some(""), Some("id+jwt")] {
        check_typ(only(), typ, Err(Denial::TokenTypeNotAllowed));
    }
}

#[test]
fn a_token_that_is_bound_to_a_key_is_refused_unless_the_provider_takes_it_unbound() {
    for cnf in [r#"{"jkt":"x"}"#, r#"{"x5t#S256":"x"}"#, "{}", "null", "\"\"", "[]"] {
        check_payload(okta(), &[("cnf", cnf)], Err(Denial::TokenTypeNotAllowed));
        let ignoring = Provider { cnf: Binding::Ignore, ..okta() };
        check_payload(ignoring, &[("cnf", cnf)], Ok(()));
    }
    check_payload(okta(), &[("x", r#"{"cnf":1}"#)], Ok(()));
}

#[test]
fn one_audience_must_be_the_provider_s() {
    check_payload(okta(), &[("aud", r#""api""#)], Ok(()));
    check_payload(okta(), &[("aud", r#"["x","api"]"#)], Ok(()));
    for aud in ["", "[]", r#""""#, r#""API""#, r#""api ""#, r#"["x"]"#, r#""api,x""#, r#""x api""#]
    {
        check_payload(okta(), &[("aud", aud)], Err(Denial::AudienceNotAllowed));
    }
}

#[test]
fn an_audience_of_another_shape_is_malformed_even_where_one_value_would_match() {
    for aud in ["1", "null", "true", "{}", r#"{"api":1}"#, r#"["api",1]"#, r#"[["api"]]"#] {
        check_payload(okta(), &[("aud", aud)], Err(Denial::ClaimsMalformed));
    }
}

#[test]
fn the_audience_stands_in_the_claim_that_the_provider_names() {
    let cognito = || Provider { audience_claim: ClaimPath::parse("client_id"), ..okta() };
    check_payload(cognito(), &[("client_id", "\"api\""), ("aud", "\"x\"")], Ok(()));
    check_payload(cognito(), &[], Err(Denial::AudienceNotAllowed));
}

#[test]
fn audiences_any_switches_only_the_provider_s_check_off() {
    let any = || Provider { audiences: Audiences::Any, ..okta() };
    for aud in ["", "\"x\""] {
        check_payload(any(), &[("aud", aud)], Ok(()));
    }
    let policy = Policy { audiences: vec![vec!["orders".into()]], ..orders(any()) };
    let token = sign(HEADER, &payload(&[("aud", "")]));
    let got = fixtures::verify(&token, &policy, at(NOW), &mut FirstFailure);
    assert_eq!(got.unwrap_err().reason, Denial::AudienceNotAllowed.into());
}

#[track_caller]
fn check_policy(audiences: &[&[&str]], aud: &str, expected: Result<(), Denial>) {
    let lists = audiences.iter().map(|list| list.iter().map(|&a| a.to_owned()).collect());
    let policy = Policy { audiences: lists.collect(), ..orders(okta()) };
    let token = sign(HEADER, &payload(&[("aud", aud)]));
    let got = fixtures::verify(&token, &policy, at(NOW), &mut FirstFailure);
    let got = got.map(|_| ()).map_err(|r| r.reason);
    assert_eq!(got, expected.map_err(Reason::from), "{audiences:?} {aud}");
}

#[test]
fn every_list_of_the_policy_must_match_besides_the_provider_s() {
    let denied = Err(Denial::AudienceNotAllowed);
    check_policy(&[&["orders"]], r#"["api","orders"]"#, Ok(()));
    check_policy(&[&["x", "api"]], r#""api""#, Ok(()));
    check_policy(&[&["orders"]], r#""api""#, denied);
    check_policy(&[&["orders"]], r#""orders""#, denied);
    check_policy(&[&["a"], &["b"]], r#"["api","a"]"#, denied);
    check_policy(&[&["a"], &["b"]], r#"["api","b"]"#, denied);
    check_policy(&[&["a"], &["b"]], r#"["api","a","b"]"#, Ok(()));
}

#[track_caller]
fn check_required(path: &str, instead: &[(&str, &str)], expected: Result<(), Denial>) {
    let required_claims = vec![(ClaimPath::parse(path), "x".into())];
    check_payload(Provider { required_claims, ..okta() }, instead, expected);
}

#[test]
fn required_claims_are_exact_strings() {
    check_required("hd", &[("hd", "\"x\"")], Ok(()));
    check_required("a.hd", &[("a", r#"{"hd":"x"}"#)], Ok(()));
    for hd in ["", "\"X\"", "\"x \"", "[\"x\"]", "null", "1", "true", "{}"] {
        check_required("hd", &[("hd", hd)], Err(Denial::ClaimsRejected));
    }
    check_required("a.hd", &[("a", r#"{"hd":"x","hd":"x"}"#)], Err(Denial::ClaimsRejected));
}

#[test]
fn every_required_claim_counts() {
    let both = ["a", "b"].map(|name| (ClaimPath::parse(name), "x".to_owned()));
    let provider = || Provider { required_claims: both.to_vec(), ..okta() };
    check_payload(provider(), &[("a", "\"x\""), ("b", "\"x\"")], Ok(()));
    check_payload(provider(), &[("a", "\"x\"")], Err(Denial::ClaimsRejected));
    check_payload(provider(), &[("b", "\"x\"")], Err(Denial::ClaimsRejected));
}
