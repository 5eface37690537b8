//! Whole checks on a host that lends what the test says and notes what it is asked.

use std::{
    cell::{Cell, RefCell},
    sync::Arc,
};

use super::*;
use crate::{
    check::{
        decision::Fault,
        fixtures::{
            self, HEADER, NOW, at, okta, payload, policy as named, sign, snapshot, target, verified,
        },
        request::{Headers, HttpView, RouteSources},
    },
    jwks::key::fixtures::SigningKey,
    policy::ScopeRule,
    provider::{ClaimFrom, ClaimPath, ClaimRule, Format, Overflow, Provider},
};

mod properties;
mod unasked;

/// What a host answers when it is asked for keys.
#[derive(Clone, Copy, PartialEq)]
enum Lends {
    Keys,
    Nothing,
    Wait,
}

struct Lender {
    keys: Lends,
    recalls: Option<Arc<Verified>>,
    remembered: Cell<u32>,
    asked: RefCell<Vec<&'static str>>,
}

impl Lender {
    fn of(keys: Lends) -> Self {
        Self { keys, recalls: None, remembered: Cell::new(0), asked: RefCell::default() }
    }
}

impl Host for Lender {
    type Wait = &'static str;
    type Place = ();
    type Held = Arc<Verified>;

    fn keys(&self, query: KeyQuery<'_>, _: Now) -> Keys<&'static str> {
        self.asked.borrow_mut().push("keys");
        match self.keys {
            Lends::Keys => fixtures::keys(query).map_or_else(Keys::None, Keys::Found),
            Lends::Nothing => Keys::None(KeyProblem::Unavailable),
            Lends::Wait => Keys::Wait("ticket"),
        }
    }

    fn recall(&self, _: &str, _: &Policy, _: Now) -> Recalled<Arc<Verified>, ()> {
        self.asked.borrow_mut().push("recall");
        self.recalls.clone().map_or(Recalled::New(Some(())), Recalled::Known)
    }

    fn hold(&self, verified: Verified, place: Option<()>) -> Arc<Verified> {
        if place.is_some() {
            self.asked.borrow_mut().push("remember");
            self.remembered.set(self.remembered.get() + 1);
        }
        verified.into()
    }
}

/// okta with `sub` in `x-sub`, and a policy that asks for the scope `read`.
fn config(mode: Mode) -> Snapshot {
    let from = ClaimFrom::Claim(ClaimPath::parse("sub"));
    let rule =
        ClaimRule { from, header: target("x-sub"), format: Format::Text, overflow: Overflow::Deny };
    let okta = Arc::new(Provider { claim_to_headers: vec![rule], ..okta() });
    let scopes = ScopeRule { all_of: vec!["read".into()], any_of: Vec::new() };
    let policy = Policy { mode, scopes, ..named("orders", std::slice::from_ref(&okta)) };
    let mut snapshot = snapshot(&[okta], vec![policy]);
    snapshot.default_policy = snapshot.policy("orders").cloned();
    snapshot
}

fn view<'a>(authorization: &[&'a str]) -> CheckView<'a> {
    let lines = authorization.iter().map(|value| ("authorization", value.as_bytes()));
    let http = HttpView { headers: Headers(lines.collect()), ..HttpView::default() };
    CheckView { http, route: RouteSources::default() }
}

/// `OUTCOME REASON HEADERS AUTHORIZATION` of a decision.
fn summary(decision: &Decision<'_>) -> String {
    let reason = decision.reason().map_or("-", |reason| reason.row().label);
    let outcome = decision.outcome();
    match decision {
        Decision::Allow(Allow { set, credentials, identity, .. }) => {
            let set: Vec<_> = set.iter().map(|(n, v)| format!("{}={v}", n.as_str())).collect();
            let who = if identity.is_some() { "identified" } else { "nobody" };
            let kept = match credentials.remove.as_slice() {
                [] => "Keep",
                [name] if **name == *"authorization" => "Remove",
                other => panic!("{other:?}"),
            };
            format!("{outcome} {reason} {kept} {who} {}", set.join(" "))
        }
        Decision::Refuse(_) => format!("{outcome} {reason}"),
        Decision::Answer(answer) => format!("{outcome} {:?}", answer.what),
    }
}

fn run(snapshot: &Snapshot, authorization: &[&str], host: &Lender) -> String {
    match decide(&view(authorization), snapshot, host, at(NOW), &mut Backing::default()) {
        Progress::Done(decision, _) => summary(&decision),
        Progress::Wait(ticket) => format!("wait {ticket}"),
    }
}

fn bearer(claims: &[(&str, &str)]) -> String {
    format!("Bearer {}", sign(HEADER, &payload(claims)))
}

fn good() -> String {
    bearer(&[("scope", "\"read\"")])
}

/// What a mode makes of each credential, in the order of `MODES`.
#[track_caller]
fn check(authorization: &[&str], keys: Lends, expected: [&str; 3]) {
    const MODES: [Mode; 3] = [Mode::Strict, Mode::Optional, Mode::Permissive];
    for (mode, expected) in MODES.into_iter().zip(expected) {
        let got = run(&config(mode), authorization, &Lender::of(keys));
        assert_eq!(got.trim_end(), expected, "{mode:?} {authorization:?}");
    }
}

#[test]
fn a_good_token_is_allowed_with_its_claims_in_every_mode_that_looks() {
    check(&[&good()], Lends::Keys, ["allowed - Keep identified x-sub=alice"; 3]);
}

#[test]
fn a_missing_credential_is_denied_only_in_strict() {
    let expected = [
        "denied credentials_missing",
        "allowed - Keep nobody",
        "allowed credentials_missing Keep nobody",
    ];
    check(&[], Lends::Keys, expected);
    check(&["Basic QTpC"], Lends::Keys, expected);
}

#[test]
fn a_bad_credential_is_denied_but_in_permissive_where_it_is_taken_off() {
    let forged = SigningKey::new("k1").jws(HEADER, &payload(&[]));
    for (authorization, label) in [
        (vec!["Bearer"], "token_malformed"),
        (vec!["Bearer x"], "token_malformed"),
        (vec!["Bearer a", "Bearer b"], "multiple_credentials"),
        (vec!["Basic A,Bearer B"], "multiple_credentials"),
        (vec![&*format!("Bearer {forged}")], "signature_invalid"),
        (vec![&*bearer(&[("exp", "1")])], "token_expired"),
        (vec![&*bearer(&[("iss", "\"x\"")])], "issuer_not_allowed"),
        (vec![&*bearer(&[("aud", "\"x\"")])], "audience_not_allowed"),
    ] {
        let (denied, passed) =
            (format!("denied {label}"), format!("allowed {label} Remove nobody"));
        check(&authorization, Lends::Keys, [&denied, &denied, &passed]);
    }
}

#[test]
fn a_verified_token_that_may_not_pass_is_taken_off_too_but_known_by_name() {
    for (authorization, label) in [
        (bearer(&[("scope", "\"write\"")]), "scope_insufficient"),
        (bearer(&[("scope", "\"read\""), ("sub", "[{}]")]), "claims_malformed"),
    ] {
        let denied = format!("denied {label}");
        let passed = format!("allowed {label} Remove identified");
        check(&[&authorization], Lends::Keys, [&denied, &denied, &passed]);
    }
}

#[test]
fn keys_that_are_unavailable_are_a_fault_but_in_permissive() {
    let (fault, passed) = ("fault keys_unavailable", "allowed keys_unavailable Remove nobody");
    check(&[&good()], Lends::Nothing, [fault, fault, passed]);
}

#[test]
fn anonymous_looks_at_nothing() {
    let config = config(Mode::Anonymous);
    for authorization in [&[][..], &["Bearer"], &["Bearer a", "Bearer b"], &[&good()], &["Basic A"]]
    {
        let host = Lender::of(Lends::Keys);
        let got = run(&config, authorization, &host);
        assert_eq!((got.trim_end(), host.asked.take()), ("allowed - Keep nobody", vec![]));
    }
}

#[test]
fn a_fault_of_the_route_is_refused_whatever_the_default_mode_is() {
    for mode in [Mode::Strict, Mode::Optional, Mode::Permissive, Mode::Anonymous] {
        let (snapshot, token) = (config(mode), good());
        let mut view = view(&[&token]);
        view.route.extensions = vec![("policy", "gone")];
        let host = Lender::of(Lends::Keys);
        let mut backing = Backing::default();
        let progress = decide(&view, &snapshot, &host, at(NOW), &mut backing);
        let Progress::Done(decision, unknown) = progress else {
            panic!("no decision");
        };
        assert_eq!((summary(&decision).as_str(), unknown.len()), ("fault policy_unknown", 1));
        assert!(decision.policy().is_none() && host.asked.take().is_empty());
    }
}

#[test]
fn a_wait_for_keys_is_handed_to_the_host_in_every_mode_that_looks() {
    check(&[&good()], Lends::Wait, ["wait ticket"; 3]);
}

#[test]
fn no_key_is_asked_for_before_the_token_could_pass() {
    for claims in [&[("exp", "1")][..], &[("iss", "1")], &[("nbf", "9e9")], &[("exp", "null")]] {
        let host = Lender::of(Lends::Wait);
        run(&config(Mode::Strict), &[&bearer(claims)], &host);
        assert_eq!(host.asked.take(), ["recall"], "{claims:?}");
    }
}

#[track_caller]
fn check_remembered(authorization: &str, keys: Lends, expected: u32) {
    let host = Lender::of(keys);
    run(&config(Mode::Permissive), &[authorization], &host);
    assert_eq!(host.remembered.get(), expected, "{authorization}");
}

#[test]
fn only_a_verified_token_is_remembered() {
    check_remembered(&good(), Lends::Keys, 1);
    let forged = SigningKey::new("k1").jws(HEADER, &payload(&[]));
    check_remembered(&format!("Bearer {forged}"), Lends::Keys, 0);
    check_remembered(&bearer(&[("aud", "\"x\"")]), Lends::Keys, 0);
    check_remembered(&bearer(&[("cnf", "{}")]), Lends::Keys, 0);
    check_remembered(&bearer(&[("exp", "1")]), Lends::Keys, 0);
    check_remembered(&good(), Lends::Nothing, 0);
    check_remembered(&good(), Lends::Wait, 0);
    check_remembered("Bearer x", Lends::Keys, 0);
}

#[track_caller]
fn check_recalled(claims: &[(&str, &str)], expected: &str) {
    let config = config(Mode::Strict);
    let recalls = Some(Arc::new(verified(config.policy("orders").unwrap(), claims)));
    let host = Lender { recalls, ..Lender::of(Lends::Nothing) };
    let got = run(&config, &["Bearer x"], &host);
    assert_eq!((got.as_str(), host.asked.take()), (expected, vec!["recall"]));
}

#[test]
fn a_recalled_token_still_needs_its_scopes_and_gets_its_headers() {
    check_recalled(&[("scope", "\"read\"")], "allowed - Keep identified x-sub=alice");
    check_recalled(&[("scope", "\"write\"")], "denied scope_insufficient");
    check_recalled(&[], "denied scope_insufficient");
    check_recalled(&[("scope", "\"read\""), ("sub", "[{}]")], "denied claims_malformed");
}

#[track_caller]
fn check_identity(authorization: &str, provider: Option<&str>, subject: Option<Option<&str>>) {
    let config = config(Mode::Strict);
    let host = Lender::of(Lends::Keys);
    let (values, mut backing) = ([authorization], Backing::default());
    let progress = decide(&view(&values), &config, &host, at(NOW), &mut backing);
    let Progress::Done(decision, _) = progress else {
        panic!("no decision");
    };
    assert_eq!(decision.provider().map(|provider| provider.name.as_str()), provider);
    assert_eq!(decision.identity().map(|identity| identity.subject.as_deref()), subject);
}

#[test]
fn a_refusal_names_the_subject_only_where_the_token_was_verified() {
    check_identity(&bearer(&[("iss", "1")]), None, None);
    check_identity(&bearer(&[("aud", "1")]), Some("okta"), None);
    check_identity(&bearer(&[]), Some("okta"), Some(Some("alice")));
    check_identity(&bearer(&[("sub", "1")]), Some("okta"), Some(None));
}

#[test]
fn a_key_problem_has_one_reason_each() {
    for (problem, reason) in [
        (KeyProblem::Unknown, Reason::from(Denial::KeyUnknown)),
        (KeyProblem::Mismatch, Denial::AlgorithmNotAllowed.into()),
        (KeyProblem::Unavailable, Fault::KeysUnavailable.into()),
    ] {
        assert_eq!(Reason::from(problem), reason);
    }
}
