//! One request, from what Envoy sent to what Envoy is told. This file is the story.
//!
//! It does no I/O: it does not await, reads no clock and does not know gRPC. Hosts drive it with
//! [`decide`], which needs the keys and the memory of earlier tokens lent to it.

pub mod authorize;
pub mod claims;
pub mod conditions;
pub mod credential;
pub mod decision;
pub mod forward;
pub mod observe;
pub mod plain_json;
pub mod request;
pub mod resource;
pub mod route;
pub mod strict_json;
pub mod target;
pub mod token;
pub mod verify;

use std::{borrow::Cow, ops::Deref};

use crate::{
    check::{
        authorize::{identity_headers, scopes},
        conditions::{Asked, Unmet},
        credential::Presented,
        decision::{Allow, Answer, Credentials, Decision, Denial, Identity, Reason, Refuse},
        observe::{Check, FirstFailure, Observer},
        request::{CheckView, HttpView},
        route::{Resolved, UnknownReference},
        verify::{Candidate, FoundKeys, KeyProblem, KeyQuery, Rejected, Statement, Verified},
    },
    clock::Now,
    header::{HeaderTarget, OwnedHeaders},
    policy::{Mode, Policy, Preflight},
    provider::ClaimPath,
    snapshot::Snapshot,
};

/// What a host lends to a check.
pub trait Host {
    /// What the host waits on where a key must be fetched first.
    type Wait;
    /// Where the host keeps a token that was verified under a policy.
    type Place;
    /// How the host holds a verified token.
    type Held: Deref<Target = Verified>;

    /// The keys for a candidate. A wait ends this run of the check: it starts again afterwards.
    fn keys(&self, query: KeyQuery<'_>, now: Now) -> Keys<Self::Wait>;

    /// This token as it was verified before under this policy, if it still stands; else where it
    /// would be kept.
    fn recall(&self, token: &str, policy: &Policy, now: Now) -> Recalled<Self::Held, Self::Place>;

    /// Holds a token that was verified now, and keeps it where [`Host::recall`] said.
    fn hold(&self, verified: Verified, place: Option<Self::Place>) -> Self::Held;
}

/// A host's answer to the question for a token.
#[derive(Debug)]
pub enum Recalled<T, P> {
    /// It was verified before.
    Known(T),
    /// It is new, and kept nowhere if no place is given.
    New(Option<P>),
}

/// A host's answer to a [`KeyQuery`].
#[derive(Debug)]
pub enum Keys<W> {
    /// Here they are.
    Found(FoundKeys),
    /// There are none, and waiting would not help.
    None(KeyProblem),
    /// They may be there after this.
    Wait(W),
}

/// How far a check came.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "made once for each check, and nearly always Done")]
pub enum Progress<'d, W> {
    /// To its end.
    Done(Decision<'d>, Vec<UnknownReference>),
    /// To a key that must be fetched.
    Wait(W),
}

/// What a decision borrows besides the config: a policy that only this route has, and the token.
/// Make one for each decision; what an earlier one left in it is never read.
#[derive(Debug)]
pub struct Backing<T> {
    policy: Option<Policy>,
    token: Option<T>,
}

impl<T> Default for Backing<T> {
    fn default() -> Self {
        Self { policy: None, token: None }
    }
}

/// Decides one request.
pub fn decide<'d, H: Host>(
    view: &CheckView<'_>,
    snapshot: &'d Snapshot,
    host: &H,
    now: Now,
    backing: &'d mut Backing<H::Held>,
) -> Progress<'d, H::Wait> {
    let Resolved { policy, unknown } = route::resolve(view, snapshot);
    let Backing { policy: inline, token: held } = backing;
    let decision = match policy.map(|policy| kept(policy, inline)) {
        Err(reason) => Decision::Refuse(Refuse::without_policy(reason)),
        Ok(policy) => match under(policy, view, &snapshot.owned_headers, (host, now), held) {
            Ok(Decision::Allow(allow)) => Decision::Allow(forward::without_aliases(
                allow,
                &view.http,
                &snapshot.owned_headers,
            )),
            Ok(decision) => decision,
            Err(wait) => return Progress::Wait(wait),
        },
    };
    Progress::Done(decision, unknown)
}

/// Decides one request under its policy; the error is a wait for keys.
fn under<'d, H: Host>(
    policy: &'d Policy,
    view: &CheckView<'_>,
    owned: &OwnedHeaders,
    (host, now): (&H, Now),
    held: &'d mut Option<H::Held>,
) -> Result<Decision<'d>, H::Wait> {
    if let Some(what) = resource::answered(&view.http, policy) {
        return Ok(Decision::Answer(Answer { what, policy }));
    }
    if forward::loses_owned(&view.http, owned) {
        return Ok(settle(policy, Reason::from(Denial::RequestMalformed).into(), &view.http));
    }
    if policy.mode == Mode::Anonymous {
        return Ok(pass(policy, None, Credentials::default()));
    }
    let presented = match credential::find(&view.http, &policy.token_from) {
        Ok(presented) => presented,
        Err(Denial::CredentialsMissing) if passes_as_preflight(&view.http, policy) => {
            let credentials = forward::missing(&view.http, policy);
            return Ok(pass(policy, None, credentials));
        }
        Err(denial) => return Ok(settle(policy, Reason::from(denial).into(), &view.http)),
    };
    let asked = Asked { http: &view.http, owned, now };
    match host.recall(&presented.token, policy, now) {
        Recalled::Known(verified) => {
            Ok(authorize(held.insert(verified), policy, &presented, asked, &mut FirstFailure))
        }
        Recalled::New(place) => {
            with_token(&presented, policy, asked, (host, place), held, &mut FirstFailure)
        }
    }
}

/// Decides on one token of a request, wherever that would carry it, and tells `observer` of every
/// check; nothing is recalled. What `explain` runs.
pub fn explain<'d, H: Host>(
    token: &str,
    view: &CheckView<'_>,
    snapshot: &'d Snapshot,
    host: &H,
    now: Now,
    (backing, observer): (&'d mut Backing<H::Held>, &mut impl Observer),
) -> Progress<'d, H::Wait> {
    let Resolved { policy, unknown } = route::resolve(view, snapshot);
    let Backing { policy: inline, token: held } = backing;
    let asked = Asked { http: &view.http, owned: &snapshot.owned_headers, now };
    let decision = match policy.map(|policy| kept(policy, inline)) {
        Err(reason) => Decision::Refuse(Refuse::without_policy(reason)),
        Ok(policy) if policy.mode == Mode::Anonymous => pass(policy, None, Credentials::default()),
        Ok(policy) if !credential::is_token68(token) => {
            let reason = Denial::TokenMalformed.into();
            // Whether it goes on or not, there is nothing more to look at.
            let _ = observer.observe(Check::Structure, Err(reason));
            settle(policy, reason.into(), &view.http)
        }
        Ok(policy) => {
            let presented = Presented { token: token.into(), place: None };
            match with_token(&presented, policy, asked, (host, None), held, observer) {
                Ok(decision) => decision,
                Err(wait) => return Progress::Wait(wait),
            }
        }
    };
    Progress::Done(decision, unknown)
}

/// A policy of the config, or one that only this route has, which is kept for the decision.
fn kept<'d>(policy: Cow<'d, Policy>, inline: &'d mut Option<Policy>) -> &'d Policy {
    match policy {
        Cow::Borrowed(policy) => policy,
        Cow::Owned(policy) => inline.insert(policy),
    }
}

/// Decides on a token that was not verified before; the error is a wait for keys.
fn with_token<'d, H: Host>(
    presented: &Presented<'_>,
    policy: &'d Policy,
    asked: Asked<'_>,
    (host, place): (&H, Option<H::Place>),
    held: &'d mut Option<H::Held>,
    observer: &mut impl Observer,
) -> Result<Decision<'d>, H::Wait> {
    let token = &*presented.token;
    Ok(match verify(token, policy, host, asked.now, observer)? {
        Ok(verified) => {
            let verified = held.insert(host.hold(verified, place));
            authorize(verified, policy, presented, asked, observer)
        }
        Err(rejected) => {
            if let Some(unproven) = &rejected.unproven {
                // Only for the report of an observer that went on: the token stays refused.
                let _ = authorized(unproven, policy, asked, observer);
            }
            settle(policy, rejected, asked.http)
        }
    })
}

/// Every check of the token itself; the outer error is a wait for keys.
fn verify<H: Host>(
    token: &str,
    policy: &Policy,
    host: &H,
    now: Now,
    observer: &mut impl Observer,
) -> Result<Result<Verified, Rejected>, H::Wait> {
    let candidate = match Candidate::parse(token, policy, now, observer) {
        Ok(candidate) => candidate,
        Err(rejected) => return Ok(Err(rejected)),
    };
    let keys = match candidate.wants().map(|query| host.keys(query, now)) {
        None => None,
        Some(Keys::Found(found)) => Some(Ok(found)),
        Some(Keys::None(problem)) => Some(Err(problem)),
        Some(Keys::Wait(wait)) => return Err(wait),
    };
    Ok(candidate.finish(keys, policy, now, observer))
}

/// What the token may do on this route: scopes, then the conditions of the policy.
fn authorized(
    statement: &Statement,
    policy: &Policy,
    asked: Asked<'_>,
    observer: &mut impl Observer,
) -> Result<(), Unmet> {
    let granted = scopes(statement, policy).map_err(Reason::from);
    observer.observe(Check::Scope, granted)?;
    let met = match policy.conditions.as_deref() {
        Some(conditions) => conditions::check(statement, conditions, &policy.token_from, asked),
        None => Ok(()),
    };
    let result = met.as_ref().copied().map_err(|unmet| unmet.reason);
    let stop = observer.observe(Check::Rules, result);
    granted?;
    met?;
    Ok(stop?)
}

/// Scopes and headers: what depends on the route and so is decided anew for every request.
fn authorize<'d>(
    verified: &'d Verified,
    policy: &'d Policy,
    presented: &Presented<'_>,
    asked: Asked<'_>,
    observer: &mut impl Observer,
) -> Decision<'d> {
    let mut identity = Identity::of(verified, &policy.metadata_claims);
    let allowed = authorized(verified, policy, asked, observer)
        .and_then(|()| Ok(written(verified, policy, &presented.token, observer)?))
        .and_then(|set| {
            let credentials = forward::verified(asked.http, policy, presented.place);
            Ok((set, credentials.map_err(Reason::from)?))
        });
    let (set, credentials, reason) = match allowed {
        Ok((set, credentials)) => (set, credentials, None),
        Err(Unmet { reason, rule }) => {
            identity.rule = rule;
            if let Some(credentials) = let_through(reason, policy, asked.http) {
                (Vec::new(), credentials, Some(reason))
            } else {
                let provider = Some(identity.provider.clone());
                let (policy, identity) = (Some(policy), Some(identity));
                return Decision::Refuse(Refuse { reason, policy, provider, identity });
            }
        }
    };
    Decision::Allow(Allow { set, credentials, reason, policy, identity: Some(identity) })
}

/// The headers that the upstream gets of a verified token.
fn written<'d>(
    verified: &'d Verified,
    policy: &'d Policy,
    token: &str,
    observer: &mut impl Observer,
) -> Result<Vec<(&'d HeaderTarget, Cow<'d, str>)>, Reason> {
    let headers = identity_headers(verified, policy, token).map_err(Reason::from);
    observer.observe(Check::Headers, headers.as_ref().map(|_| ()).map_err(|reason| *reason))?;
    headers
}

/// What the mode makes of a refusal: the one place that turns one into an allow.
fn settle<'d>(policy: &'d Policy, rejected: Rejected, http: &HttpView<'_>) -> Decision<'d> {
    let Rejected { reason, provider, .. } = rejected;
    let missing = reason == Denial::CredentialsMissing.into();
    let credentials = match policy.mode {
        Mode::Optional | Mode::Permissive if missing => {
            let reason = Some(reason).filter(|_| policy.mode == Mode::Permissive);
            let credentials = forward::missing(http, policy);
            return pass(policy, reason, credentials);
        }
        Mode::Permissive => let_through(reason, policy, http),
        Mode::Strict | Mode::Optional | Mode::Anonymous => None,
    };
    match credentials {
        Some(credentials) => pass(policy, Some(reason), credentials),
        None => Decision::Refuse(Refuse { reason, policy: Some(policy), provider, identity: None }),
    }
}

/// What a permissive policy lets through of a request whose credential failed: all but the
/// credential. None where there is nothing to let through.
fn let_through(reason: Reason, policy: &Policy, http: &HttpView<'_>) -> Option<Credentials> {
    let malformed = reason == Denial::RequestMalformed.into();
    if policy.mode != Mode::Permissive || malformed {
        return None;
    }
    forward::failed(http, policy).ok()
}

/// Whether it is a CORS preflight that the policy allows: browsers never send a credential with
/// one, and nothing else may come by this way.
fn passes_as_preflight(http: &HttpView<'_>, policy: &Policy) -> bool {
    policy.preflight == Preflight::Allow
        && resource::is_preflight(http)
        && http.headers.values("authorization").next().is_none()
}

/// An allow without claims: every owned header is taken off.
fn pass(policy: &Policy, reason: Option<Reason>, credentials: Credentials) -> Decision<'_> {
    Decision::Allow(Allow { set: Vec::new(), credentials, reason, policy, identity: None })
}

impl<'d> Identity<'d> {
    fn of(verified: &'d Verified, shown: &'d [ClaimPath]) -> Self {
        let subject = verified.claims.member("sub").and_then(|sub| sub.string());
        let claim =
            |path: &'d ClaimPath| Some((path.name.as_str(), verified.claims.find(path)?.value()?));
        let claims = shown.iter().filter_map(claim).collect();
        Self { provider: &verified.provider, subject, claims, rule: None }
    }
}

#[cfg(test)]
pub(crate) mod fixtures;
#[cfg(test)]
mod tests;
