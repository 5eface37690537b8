//! When a token may be used: `exp`, `nbf`, `iat` and the longest lifetime.
//!
//! It reads no clock: the time is given to it.

use crate::{
    check::{claims::Claims, decision::Denial},
    clock::Now,
    provider::{Expiry, Provider},
};

/// The token's NumericDates (RFC 7519 section 2), in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Times {
    exp: Option<f64>,
    nbf: Option<f64>,
    iat: Option<f64>,
}

impl Times {
    pub(super) fn read(claims: &Claims) -> Result<Self, Denial> {
        let date = |name| match claims.member(name) {
            None => Ok(None),
            Some(value) => value.date().map(Some).ok_or(Denial::ClaimsMalformed),
        };
        Ok(Self { exp: date("exp")?, nbf: date("nbf")?, iat: date("iat")? })
    }

    /// RFC 7519 section 4.1.4: "on or after" `exp` it is refused; 4.1.5: before `nbf`.
    pub(super) fn allow(self, provider: &Provider, now: Now) -> Result<(), Denial> {
        let leeway = provider.leeway.as_secs_f64();
        match self.exp {
            None if provider.expiry == Expiry::Require => return Err(Denial::ExpiryMissing),
            Some(exp) if now.unix >= exp + leeway => return Err(Denial::TokenExpired),
            None | Some(_) => {}
        }
        let begins = self.nbf.unwrap_or(0.0).max(self.iat.unwrap_or(0.0));
        if now.unix < begins - leeway { Err(Denial::TokenNotYetValid) } else { Ok(()) }
    }

    pub(super) fn bounded(self, provider: &Provider, now: Now) -> Result<(), Denial> {
        let Some(max) = provider.max_lifetime else { return Ok(()) };
        let exp = self.exp.ok_or(Denial::ExpiryMissing)?;
        let lifetime = exp - self.iat.unwrap_or(now.unix);
        if lifetime > max.as_secs_f64() { Err(Denial::LifetimeTooLong) } else { Ok(()) }
    }
}
