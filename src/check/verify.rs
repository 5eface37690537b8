//! From a well-formed token to a verified one, in the order of the contract.
//!
//! Only [`Candidate::finish`] makes a [`Verified`]. Keys come from outside: nothing here waits.

use std::sync::Arc;

use crate::{
    check::{
        claims::{Claims, Unusable},
        decision::{Denial, Fault, Reason},
        observe::{Check, Observer},
        token::{Header, Jws},
    },
    clock::{Mono, Now},
    jwks::{algorithm::Algorithm, key::Key, key_set::Selected},
    policy::Policy,
    provider::{Audiences, Binding, Expiry, Provider, TokenTypes},
};

/// A token whose structure, issuer, algorithm and times are in order: it has exactly one
/// provider, and could pass if its signature is that provider's.
#[derive(Debug)]
pub struct Candidate<'t> {
    jws: Jws<'t>,
    provider: Arc<Provider>,
    algorithm: Algorithm,
    times: Times,
    /// What the time check said: an observer may have passed over it.
    timely: Result<(), Reason>,
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
/// use claimgate::check::{claims::Claims, verify::Verified};
///
/// fn forge(verified: Verified, claims: Claims) -> Verified {
///     Verified { claims, ..verified }
/// }
/// ```
#[derive(Debug)]
pub struct Verified {
    /// Who vouches for it.
    pub provider: Arc<Provider>,
    /// What it says.
    pub claims: Claims,
    key: Arc<Key>,
    times: Times,
}

/// The token's NumericDates (RFC 7519 section 2), in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Times {
    exp: Option<f64>,
    nbf: Option<f64>,
    iat: Option<f64>,
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
        let mut check = |check, result: Result<(), Reason>| observer.observe(check, result);
        let jws = match Jws::parse(token) {
            Ok(jws) => jws,
            Err(denial) => {
                check(Check::Structure, Err(denial.into()))?;
                return Err(Rejected::before_issuer(denial.into()));
            }
        };
        check(Check::Structure, Ok(()))?;

        let issuer = jws.claims.member("iss").and_then(|iss| iss.string());
        let owner = issuer.and_then(|issuer| policy.accepts.owner_of(&issuer));
        let Some(provider) = owner.cloned() else {
            let reason = Denial::IssuerNotAllowed.into();
            check(Check::Issuer, Err(reason))?;
            return Err(Rejected::before_issuer(reason));
        };
        check(Check::Issuer, Ok(()))?;

        let reject = |reason| Rejected { reason, provider: Some(provider.clone()) };
        let allowed =
            Algorithm::parse(&jws.header.alg).filter(|a| provider.algorithms.contains(*a));
        let Some(algorithm) = allowed else {
            let reason = Denial::AlgorithmNotAllowed.into();
            check(Check::Algorithm, Err(reason)).map_err(reject)?;
            return Err(reject(reason));
        };
        check(Check::Algorithm, Ok(())).map_err(reject)?;

        let times = Times::read(&jws.claims);
        let timely = times.and_then(|times| times.allow(&provider, now)).map_err(Reason::from);
        check(Check::Time, timely).map_err(reject)?;
        let times = times.map_err(|denial| reject(denial.into()))?;
        Ok(Self { jws, provider, algorithm, times, timely })
    }

    /// The key it needs.
    #[must_use]
    pub fn wants(&self) -> KeyQuery<'_> {
        KeyQuery {
            provider: &self.provider,
            kid: self.jws.header.kid.as_deref(),
            algorithm: self.algorithm,
        }
    }

    /// Key, signature, type, lifetime, audiences and required claims.
    ///
    /// # Errors
    /// The reason of the first check that fails.
    pub fn finish(
        self,
        keys: Result<FoundKeys, KeyProblem>,
        policy: &Policy,
        now: Now,
        observer: &mut impl Observer,
    ) -> Result<Verified, Rejected> {
        let provider = self.provider.clone();
        self.finish_checks(keys, policy, now, observer)
            .map_err(|reason| Rejected { reason, provider: Some(provider) })
    }

    fn finish_checks(
        self,
        keys: Result<FoundKeys, KeyProblem>,
        policy: &Policy,
        now: Now,
        observer: &mut impl Observer,
    ) -> Result<Verified, Reason> {
        let Self { jws, provider, algorithm, times, timely } = self;
        let keys = keys.map_err(Reason::from);
        observer.observe(Check::Key, keys.as_ref().map(|_| ()).map_err(|reason| *reason))?;
        let keys = keys?;

        let key = keys.keys.verify(algorithm, jws.signing_input.as_bytes(), &jws.signature);
        let signed = key.cloned().ok_or(Reason::from(Denial::SignatureInvalid));
        observer.observe(Check::Signature, signed.as_ref().map(|_| ()).map_err(|r| *r))?;
        let key = signed?;

        let Jws { header, claims, .. } = jws;
        let mut ok = timely;
        let mut check = |check, result: Result<(), Denial>| {
            let result = result.map_err(Reason::from);
            ok = ok.and(result);
            observer.observe(check, result)
        };
        check(Check::Type, token_type(&header, &claims, &provider))?;
        check(Check::Lifetime, times.bounded(&provider, now))?;
        check(Check::Audience, audience(&claims, &provider))?;
        check(Check::Claims, required_claims(&claims, &provider))?;
        check(Check::PolicyAudience, policy_audiences(&claims, &provider, policy))?;
        ok?;
        Ok(Verified { provider, claims, key, times })
    }
}

/// A token that was refused, and the provider that its issuer names, if one does.
#[derive(Debug, Clone)]
pub struct Rejected {
    /// Why.
    pub reason: Reason,
    /// For metrics only: nothing is proven.
    pub provider: Option<Arc<Provider>>,
}

impl Rejected {
    fn before_issuer(reason: Reason) -> Self {
        Self { reason, provider: None }
    }
}

impl From<Reason> for Rejected {
    fn from(reason: Reason) -> Self {
        Self::before_issuer(reason)
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

    /// Whether its times, which alone change with the clock, still allow it.
    ///
    /// # Errors
    /// The reason why they do not.
    pub fn still_valid(&self, now: Now) -> Result<(), Denial> {
        self.times.allow(&self.provider, now)?;
        self.times.bounded(&self.provider, now)
    }

    /// The token's scopes: the union of the provider's scope claims. A claim that is neither
    /// text nor an array of strings grants none.
    #[must_use]
    pub fn scopes(&self) -> Vec<String> {
        let mut scopes = Vec::new();
        for path in &self.provider.scope_claims {
            let Some(value) = self.claims.find(path) else { continue };
            if let Some(text) = value.string() {
                scopes.extend(text.split(' ').filter(|s| !s.is_empty()).map(str::to_owned));
            } else if let Ok(texts) = value.strings() {
                scopes.extend(texts.into_iter().map(|text| text.into_owned()));
            }
        }
        scopes
    }
}

impl Times {
    fn read(claims: &Claims) -> Result<Self, Denial> {
        let date = |name| match claims.member(name) {
            None => Ok(None),
            Some(value) => value.date().map(Some).ok_or(Denial::ClaimsMalformed),
        };
        Ok(Self { exp: date("exp")?, nbf: date("nbf")?, iat: date("iat")? })
    }

    /// RFC 7519 section 4.1.4: "on or after" `exp` it is refused; 4.1.5: before `nbf`.
    fn allow(self, provider: &Provider, now: Now) -> Result<(), Denial> {
        let leeway = provider.leeway.as_secs_f64();
        match self.exp {
            None if provider.expiry == Expiry::Require => return Err(Denial::ExpiryMissing),
            Some(exp) if now.unix >= exp + leeway => return Err(Denial::TokenExpired),
            None | Some(_) => {}
        }
        let begins = self.nbf.unwrap_or(0.0).max(self.iat.unwrap_or(0.0));
        if now.unix < begins - leeway { Err(Denial::TokenNotYetValid) } else { Ok(()) }
    }

    fn bounded(self, provider: &Provider, now: Now) -> Result<(), Denial> {
        let Some(max) = provider.max_lifetime else { return Ok(()) };
        let exp = self.exp.ok_or(Denial::ExpiryMissing)?;
        let lifetime = exp - self.iat.unwrap_or(now.unix);
        if lifetime > max.as_secs_f64() { Err(Denial::LifetimeTooLong) } else { Ok(()) }
    }
}

/// RFC 8725 section 3.11: tokens of another kind, ID tokens among them, are told apart by `typ`.
fn token_type(header: &Header, claims: &Claims, provider: &Provider) -> Result<(), Denial> {
    let typ = header.typ.as_deref().map(|typ| {
        let typ = typ.to_ascii_lowercase();
        typ.strip_prefix("application/").map(str::to_owned).unwrap_or(typ)
    });
    let accepted = match (&provider.token_types, typ.as_deref()) {
        (TokenTypes::Default, None) => true,
        (TokenTypes::Default, Some(typ)) => typ == "jwt" || typ == "at+jwt",
        (TokenTypes::OneOf(_), None) => false,
        (TokenTypes::OneOf(types), Some(typ)) => types.iter().any(|t| t == typ),
    };
    let bound = provider.cnf == Binding::Refuse && claims.member("cnf").is_some();
    if accepted && !bound { Ok(()) } else { Err(Denial::TokenTypeNotAllowed) }
}

fn audience(claims: &Claims, provider: &Provider) -> Result<(), Denial> {
    match &provider.audiences {
        Audiences::Any => Ok(()),
        Audiences::OneOf(accepted) => has_audience(claims, provider, accepted),
    }
}

fn policy_audiences(claims: &Claims, provider: &Provider, policy: &Policy) -> Result<(), Denial> {
    policy.audiences.iter().try_for_each(|accepted| has_audience(claims, provider, accepted))
}

/// RFC 7519 section 4.1.3: a string, or an array of strings.
fn has_audience(claims: &Claims, provider: &Provider, accepted: &[String]) -> Result<(), Denial> {
    let value = claims.find(&provider.audience_claim).ok_or(Denial::AudienceNotAllowed)?;
    let audiences = value.strings().map_err(|Unusable| Denial::ClaimsMalformed)?;
    let matches = audiences.iter().any(|audience| accepted.iter().any(|a| a == audience));
    if matches { Ok(()) } else { Err(Denial::AudienceNotAllowed) }
}

fn required_claims(claims: &Claims, provider: &Provider) -> Result<(), Denial> {
    let holds = provider
        .required_claims
        .iter()
        .all(|(path, value)| claims.string(path).is_some_and(|claim| claim == *value));
    if holds { Ok(()) } else { Err(Denial::ClaimsRejected) }
}

#[cfg(test)]
mod tests;
