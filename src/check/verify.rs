//! From a well-formed token to a verified one, in the order of the contract.
//!
//! Only [`Candidate::finish`] makes a [`Verified`]. Keys come from outside: nothing here waits.

mod said;
mod times;

use std::{ops::Deref, sync::Arc};

use crate::{
    check::{
        claims::Claims,
        decision::{Denial, Fault, Reason},
        observe::{Check, Observer},
        token::{Envelope, Jws},
        verify::times::Times,
    },
    clock::{Mono, Now},
    jwks::{algorithm::Algorithm, key::Key, key_set::Selected},
    policy::Policy,
    provider::Provider,
};

/// A token whose structure, issuer, algorithm and times are in order: it has exactly one
/// provider, and could pass if its signature is that provider's. What an observer has passed over
/// is missing here, and `failed` says so.
#[derive(Debug)]
pub struct Candidate<'t> {
    envelope: Envelope<'t>,
    claims: Option<Claims>,
    provider: Arc<Provider>,
    /// Whether the token's issuer names the provider, or the observer does.
    named_by: NamedBy,
    algorithm: Option<Algorithm>,
    times: Option<Times>,
    /// The first failure that the observer has passed over.
    failed: Option<Reason>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NamedBy {
    Issuer,
    Observer,
}

/// Which key a candidate needs.
#[derive(Debug, Clone, Copy)]
pub struct KeyQuery<'c> {
    /// Only this provider's keys count.
    pub provider: &'c Provider,
    /// The token's `kid`.
    pub kid: Option<&'c str>,
    /// The token's algorithm.
    pub algorithm: Algorithm,
}

/// The keys for one candidate.
#[derive(Debug, Clone)]
pub struct FoundKeys {
    /// Those that may have signed it.
    pub keys: Selected,
    /// When the set that holds them was fetched; none for keys from the config.
    pub fetched_at: Option<Mono>,
}

/// Why there is no key for a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyProblem {
    /// The provider does not have it.
    Unknown,
    /// It has it for other algorithms.
    Mismatch,
    /// Nobody can tell: there are no usable keys, or the newest fetch failed.
    Unavailable,
}

/// A token that its provider signed, for this policy, at some time.
///
/// Time goes on: [`Verified::still_valid`] looks at it again. Nobody else can make one, not even
/// out of another:
///
/// ```compile_fail
/// use claimgate::check::verify::{Statement, Verified};
///
/// fn forge(verified: Verified, statement: Statement) -> Verified {
///     Verified { statement, ..verified }
/// }
/// ```
#[derive(Debug)]
pub struct Verified {
    statement: Statement,
    key: Arc<Key>,
    times: Times,
}

/// What a token says, and who is said to vouch for it: proven only inside a [`Verified`].
#[derive(Debug)]
pub struct Statement {
    /// Who vouches for it.
    pub provider: Arc<Provider>,
    /// What it says.
    pub claims: Claims,
}

impl Deref for Verified {
    type Target = Statement;

    fn deref(&self) -> &Statement {
        &self.statement
    }
}

impl<'t> Candidate<'t> {
    /// Structure, issuer, algorithm, time.
    ///
    /// # Errors
    /// The reason of the first check that fails and that `observer` does not pass over.
    pub fn parse(
        token: &'t str,
        policy: &Policy,
        now: Now,
        observer: &mut impl Observer,
    ) -> Result<Self, Rejected> {
        let mut checks = Checks::new(observer);
        let (envelope, claims) = match Jws::parse(token) {
            Ok(Jws { envelope, claims }) => {
                checks.note(Check::Structure, Ok::<(), Reason>(()))?;
                (envelope, Some(claims))
            }
            Err(denial) => {
                checks.note(Check::Structure, Err(denial))?;
                (Envelope::parse(token).map_err(|_| Reason::from(denial))?, None)
            }
        };
        let owner = match &claims {
            Some(claims) => {
                let owner = owner(claims, policy);
                checks.note(Check::Issuer, owner.map(|_| ()).ok_or(Denial::IssuerNotAllowed))?;
                owner
            }
            None => None,
        };
        let named_by = if owner.is_some() { NamedBy::Issuer } else { NamedBy::Observer };
        let Some(provider) = owner.or(checks.observer.assumed()).cloned() else {
            return Err(checks.reason().into());
        };
        let reject = |reason| Rejected::naming(reason, named_by, &provider);
        let algorithm = Algorithm::parse(&envelope.header.alg);
        let allowed = algorithm.filter(|a| provider.algorithms.contains(*a));
        let allowed = allowed.map(|_| ()).ok_or(Denial::AlgorithmNotAllowed);
        checks.note(Check::Algorithm, allowed).map_err(reject)?;
        let times = match &claims {
            Some(claims) => checks.times(claims, &provider, now).map_err(reject)?,
            None => None,
        };
        let failed = checks.failed;
        Ok(Self { envelope, claims, provider, named_by, algorithm, times, failed })
    }

    /// The key it needs; none where its algorithm is unknown and the observer went on.
    #[must_use]
    pub fn wants(&self) -> Option<KeyQuery<'_>> {
        let kid = self.envelope.header.kid.as_deref();
        self.algorithm.map(|algorithm| KeyQuery { provider: &self.provider, kid, algorithm })
    }

    /// Key, signature, type, lifetime, audiences and required claims. `keys` is the answer to
    /// [`Candidate::wants`].
    ///
    /// # Errors
    /// The reason of the first check that fails.
    pub fn finish(
        self,
        keys: Option<Result<FoundKeys, KeyProblem>>,
        policy: &Policy,
        now: Now,
        observer: &mut impl Observer,
    ) -> Result<Verified, Rejected> {
        let mut checks = Checks { observer, failed: self.failed };
        let reject = |reason| Rejected::naming(reason, self.named_by, &self.provider);
        let key = self.signer(keys, &mut checks).map_err(reject)?;
        let Some(claims) = &self.claims else { return Err(reject(checks.reason())) };
        self.says(claims, policy, now, &mut checks).map_err(reject)?;
        let failed = checks.failed;
        self.end(key, failed)
    }

    /// What the token says of itself, besides issuer and times.
    fn says<O: Observer>(
        &self,
        claims: &Claims,
        policy: &Policy,
        now: Now,
        checks: &mut Checks<'_, O>,
    ) -> Result<(), Reason> {
        let provider = &*self.provider;
        checks.note(Check::Type, said::token_type(&self.envelope.header, claims, provider))?;
        if let Some(times) = self.times {
            checks.note(Check::Lifetime, times.bounded(provider, now))?;
        }
        checks.note(Check::Audience, said::audience(claims, provider))?;
        checks.note(Check::Claims, said::required_claims(claims, provider))?;
        checks.note(Check::PolicyAudience, said::policy_audiences(claims, provider, policy))
    }

    /// The key whose signature it bears.
    fn signer<O: Observer>(
        &self,
        keys: Option<Result<FoundKeys, KeyProblem>>,
        checks: &mut Checks<'_, O>,
    ) -> Result<Option<Arc<Key>>, Reason> {
        let (Some(keys), Some(algorithm)) = (keys, self.algorithm) else { return Ok(None) };
        let keys = keys.map_err(Reason::from);
        checks.note(Check::Key, keys.as_ref().map(|_| ()).map_err(|reason| *reason))?;
        let Ok(FoundKeys { keys, .. }) = keys else { return Ok(None) };
        let Envelope { signing_input, signature, .. } = &self.envelope;
        let key = keys.verify(algorithm, signing_input.as_bytes(), signature).cloned();
        let signed = key.as_ref().map(|_| ()).ok_or(Denial::SignatureInvalid);
        checks.note(Check::Signature, signed)?;
        Ok(key)
    }

    /// The one place where a [`Verified`] is made: nothing has failed, and nothing is missing.
    fn end(self, key: Option<Arc<Key>>, failed: Option<Reason>) -> Result<Verified, Rejected> {
        let Self { claims, provider, named_by, times, .. } = self;
        match (failed, claims, key, times) {
            (None, Some(claims), Some(key), Some(times)) if named_by == NamedBy::Issuer => {
                Ok(Verified { statement: Statement { provider, claims }, key, times })
            }
            (failed, claims, ..) => {
                let reason = failed.unwrap_or(Fault::Internal.into());
                let rejected = Rejected::naming(reason, named_by, &provider);
                let unproven = claims.map(|claims| Box::new(Statement { provider, claims }));
                Err(Rejected { unproven, ..rejected })
            }
        }
    }
}

/// The provider that vouches for the token's issuer, of those that the policy accepts.
fn owner<'p>(claims: &Claims, policy: &'p Policy) -> Option<&'p Arc<Provider>> {
    let issuer = claims.member("iss").and_then(|iss| iss.string())?;
    policy.accepts.owner_of(&issuer)
}

/// An observer, and the first failure that it has passed over.
struct Checks<'o, O> {
    observer: &'o mut O,
    failed: Option<Reason>,
}

impl<'o, O: Observer> Checks<'o, O> {
    fn new(observer: &'o mut O) -> Self {
        Self { observer, failed: None }
    }

    fn note(&mut self, check: Check, result: Result<(), impl Into<Reason>>) -> Result<(), Reason> {
        let result = result.map_err(Into::into);
        self.failed = self.failed.or(result.err());
        self.observer.observe(check, result)
    }

    fn times(
        &mut self,
        claims: &Claims,
        provider: &Provider,
        now: Now,
    ) -> Result<Option<Times>, Reason> {
        let times = Times::read(claims);
        self.note(Check::Time, times.and_then(|times| times.allow(provider, now)))?;
        Ok(times.ok())
    }

    /// Why nothing more can be checked.
    fn reason(&self) -> Reason {
        self.failed.unwrap_or(Fault::Internal.into())
    }
}

/// A token that was refused, and the provider that its issuer names, if one does.
#[derive(Debug)]
pub struct Rejected {
    /// Why.
    pub reason: Reason,
    /// For metrics only: nothing is proven.
    pub provider: Option<Arc<Provider>>,
    /// What the token says, where an observer went on to the end: for its report alone.
    pub unproven: Option<Box<Statement>>,
}

impl Rejected {
    fn naming(reason: Reason, named_by: NamedBy, provider: &Arc<Provider>) -> Self {
        let provider = Some(provider.clone()).filter(|_| named_by == NamedBy::Issuer);
        Self { reason, provider, unproven: None }
    }
}

impl From<Reason> for Rejected {
    fn from(reason: Reason) -> Self {
        Self { reason, provider: None, unproven: None }
    }
}

impl From<KeyProblem> for Reason {
    fn from(problem: KeyProblem) -> Self {
        match problem {
            KeyProblem::Unknown => Denial::KeyUnknown.into(),
            KeyProblem::Mismatch => Denial::AlgorithmNotAllowed.into(),
            KeyProblem::Unavailable => Fault::KeysUnavailable.into(),
        }
    }
}

impl Verified {
    /// The key that signed it.
    #[must_use]
    pub fn key(&self) -> &Arc<Key> {
        &self.key
    }

    /// Whether the policy would have the same provider vouch for it: the one that the issuer
    /// names, written as it was when it did.
    #[must_use]
    pub fn stands_under(&self, policy: &Policy) -> bool {
        // The same provider has the same issuers, the token's among them, and no issuer two owners.
        policy.accepts.plainly_has(&self.provider)
            || owner(&self.claims, policy)
                .is_some_and(|owner| owner.definition == self.provider.definition)
    }

    /// Whether its times, which alone change with the clock, still allow it.
    ///
    /// # Errors
    /// The reason why they do not.
    pub fn still_valid(&self, now: Now) -> Result<(), Denial> {
        self.times.allow(&self.provider, now)?;
        self.times.bounded(&self.provider, now)
    }
}

impl Statement {
    /// The token's scopes, see [`granted`].
    #[must_use]
    pub fn scopes(&self) -> Vec<String> {
        granted(&self.provider, &self.claims)
    }
}

/// The scopes that claims grant: the union of the provider's scope claims. A claim that is neither
/// text nor an array of strings grants none.
#[must_use]
pub fn granted(provider: &Provider, claims: &Claims) -> Vec<String> {
    let mut scopes = Vec::new();
    for path in &provider.scope_claims {
        let Some(value) = claims.find(path) else { continue };
        if let Some(text) = value.string() {
            scopes.extend(text.split(' ').filter(|s| !s.is_empty()).map(str::to_owned));
        } else if let Ok(texts) = value.strings() {
            scopes.extend(texts.into_iter().map(|text| text.into_owned()));
        }
    }
    scopes
}

#[cfg(test)]
mod tests;
