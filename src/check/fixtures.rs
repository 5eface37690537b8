//! What the unit tests of the request path share: a provider, a policy, a snapshot, a token.
//!
//! It decides nothing; each test changes the one field that it is about.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock},
    time::{Duration, SystemTime},
};

use crate::{
    check::{
        observe::{FirstFailure, Observer},
        verify::{Candidate, FoundKeys, KeyProblem, KeyQuery, Rejected, Verified},
    },
    clock::{Mono, Now},
    header::{HeaderTarget, OwnedHeaders},
    jwks::{
        algorithm::{Algorithm, AlgorithmSet},
        key::{Origin, fixtures::SigningKey},
        key_set::{KeySet, NoKey},
    },
    policy::{
        Accepts, AudienceFailure, DEFAULT_REALM, ForwardToken, Mode, Policy, Preflight, ScopeRule,
        token_place::TokenPlace,
    },
    provider::{
        Audiences, Binding, ClaimPath, Expiry, Issuer, KeySource, Name, Provider, TokenTypes,
    },
    routes::Routes,
    snapshot::{
        Snapshot,
        changes::{Definition, Definitions},
    },
};

/// The wall clock of the tests.
pub(crate) const NOW: f64 = 1_700_000_000.0;
/// The issuer of [`payload`].
pub(crate) const ISSUER: &str = "https://okta";
/// A header that [`KEY`]'s tokens may have.
pub(crate) const HEADER: &str = r#"{"alg":"ES256","kid":"k1"}"#;

/// The key of every provider here; its kid is `k1`.
pub(crate) static KEY: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::new("k1"));
static KEYS: LazyLock<Arc<KeySet>> = LazyLock::new(|| key_set(&[&KEY]));

/// A clock that shows `unix`.
pub(crate) fn at(unix: f64) -> Now {
    Now { unix, mono: Mono(Duration::ZERO) }
}

/// The set of these keys.
pub(crate) fn key_set(keys: &[&SigningKey]) -> Arc<KeySet> {
    let keys: Vec<_> = keys.iter().map(|key| key.jwk()).collect();
    let set = serde_json::json!({ "keys": keys }).to_string();
    Arc::new(KeySet::parse(set.as_bytes(), Origin::Local).unwrap().0)
}

/// An enabled provider of audience `api` with the defaults of the config reference.
pub(crate) fn provider(name: &str, issuer: &str) -> Provider {
    Provider {
        name: Name::parse(name).unwrap(),
        description: None,
        labels: Vec::new(),
        enabled: true,
        issuers: vec![Issuer(issuer.into())],
        audiences: Audiences::OneOf(vec!["api".into()]),
        keys: KeySource::Local(KEYS.clone()),
        algorithms: [Algorithm::ES256].into_iter().collect::<AlgorithmSet>(),
        token_types: TokenTypes::Default,
        required_claims: Vec::new(),
        cnf: Binding::Refuse,
        leeway: Duration::from_secs(60),
        expiry: Expiry::Require,
        max_lifetime: None,
        audience_claim: ClaimPath::parse("aud"),
        scope_claims: vec![ClaimPath::parse("scope"), ClaimPath::parse("scp")],
        claim_to_headers: Vec::new(),
        payload_header: None,
        definition: Definition::of(&[name, issuer].concat()),
    }
}

/// The provider `okta` of [`ISSUER`].
pub(crate) fn okta() -> Provider {
    provider("okta", ISSUER)
}

/// A strict policy without conditions of its own.
pub(crate) fn policy(name: &str, providers: &[Arc<Provider>]) -> Policy {
    Policy {
        name: Some(Name::parse(name).unwrap()),
        mode: Mode::Strict,
        accepts: Accepts::new(providers, Vec::new()).unwrap(),
        audiences: Vec::new(),
        scopes: ScopeRule::default(),
        conditions: None,
        claim_to_headers: Vec::new(),
        metadata_claims: Vec::new(),
        token_from: vec![TokenPlace::authorization()],
        preflight: Preflight::Check,
        forward_token: ForwardToken::Keep,
        realm: DEFAULT_REALM.into(),
        resource_metadata: None,
        protected_resource: None,
        audience_failure: AudienceFailure::Unauthorized,
    }
}

/// The policy `orders`, which accepts the tokens of this provider.
pub(crate) fn orders(provider: Provider) -> Policy {
    policy("orders", &[Arc::new(provider)])
}

/// A config of these, without a default policy.
pub(crate) fn snapshot(providers: &[Arc<Provider>], policies: Vec<Policy>) -> Snapshot {
    let policies = policies.into_iter();
    let mut named = HashMap::new();
    for policy in policies {
        let name = policy.name.as_ref().unwrap().key();
        named.insert(name, Arc::new(policy));
    }
    Snapshot {
        generation: 1,
        config_hash: String::new(),
        applied_at: SystemTime::UNIX_EPOCH,
        providers: providers.iter().map(|p| (p.name.key(), p.clone())).collect(),
        policies: named,
        default_policy: None,
        routes: Routes::default(),
        owned_headers: OwnedHeaders::default(),
        warnings: Vec::new(),
        definitions: Definitions::default(),
        changes: None,
    }
}

/// A header name that the config may own.
pub(crate) fn target(name: &str) -> HeaderTarget {
    HeaderTarget::parse(name).unwrap()
}

/// The payload of a good token for [`okta`], with these members instead; an empty text leaves a
/// member out.
pub(crate) fn payload(instead: &[(&str, &str)]) -> String {
    let exp = (NOW + 300.0).to_string();
    let iss = format!("\"{ISSUER}\"");
    let mut members = vec![("iss", &*iss), ("aud", "\"api\""), ("exp", &exp), ("sub", "\"alice\"")];
    members.retain(|(name, _)| !instead.iter().any(|(other, _)| other == name));
    members.extend(instead.iter().filter(|(_, value)| !value.is_empty()));
    let members: Vec<_> =
        members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{{{}}}", members.join(","))
}

/// A token of [`KEY`] over these exact texts.
pub(crate) fn sign(header: &str, payload: &str) -> String {
    KEY.jws(header, payload)
}

/// The keys that a provider from the config has for a candidate.
pub(crate) fn keys(query: KeyQuery<'_>) -> Result<FoundKeys, KeyProblem> {
    let KeySource::Local(set) = &query.provider.keys else { return Err(KeyProblem::Unavailable) };
    match set.select(query.kid, query.algorithm) {
        Ok(keys) => Ok(FoundKeys { keys, fetched_at: None }),
        Err(NoKey::UnknownKid | NoKey::NoneFits) => Err(KeyProblem::Unknown),
        Err(NoKey::Mismatch) => Err(KeyProblem::Mismatch),
    }
}

/// Every check of the token itself.
pub(crate) fn verify(
    token: &str,
    policy: &Policy,
    now: Now,
    observer: &mut impl Observer,
) -> Result<Verified, Rejected> {
    let candidate = Candidate::parse(token, policy, now, observer)?;
    let keys = candidate.wants().map(keys);
    candidate.finish(keys, policy, now, observer)
}

/// A good token with these members, verified.
pub(crate) fn verified(policy: &Policy, instead: &[(&str, &str)]) -> Verified {
    verify(&sign(HEADER, &payload(instead)), policy, at(NOW), &mut FirstFailure).unwrap()
}
