//! What one route asks of a token, whether the config names it or the route spells it out.
//!
//! It does not choose the policy of a request; `check/route.rs` does.

pub mod conditions;
pub mod protected_resource;
pub mod rule;
pub mod token_place;

use std::{collections::HashMap, sync::Arc};

use crate::{
    header::HeaderTarget,
    policy::{
        conditions::Conditions, protected_resource::ProtectedResource, token_place::TokenPlace,
    },
    provider::{ClaimPath, ClaimRule, Issuer, Name, Provider},
};

/// One policy, resolved against the config it stands in.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Its name; none for one that a route spells out.
    pub name: Option<Name>,
    /// What becomes of requests without a good credential.
    pub mode: Mode,
    /// Whose tokens are accepted.
    pub accepts: Accepts,
    /// Each list must have one value in the audience claim, besides the provider's own.
    pub audiences: Vec<Vec<String>>,
    /// What the token's scopes must contain.
    pub scopes: ScopeRule,
    /// What else is asked of the token and the request; none where nothing is.
    pub conditions: Option<Arc<Conditions>>,
    /// Where a request may carry its token.
    pub token_from: Vec<TokenPlace>,
    /// Whether a CORS preflight passes without one.
    pub preflight: Preflight,
    /// What the upstream learns beside the provider's own.
    pub claim_to_headers: Vec<ClaimRule>,
    /// What later filters of the proxy and its access log learn.
    pub metadata_claims: Vec<ClaimPath>,
    /// What the upstream sees of the credential.
    pub forward_token: ForwardToken,
    /// `realm` of the challenge; safe inside a quoted-string.
    pub realm: Arc<str>,
    /// `resource_metadata` of the challenge (RFC 9728 section 5.1); safe inside a quoted-string.
    pub resource_metadata: Option<Arc<str>>,
    /// What claimgate serves about the resource that it protects.
    pub protected_resource: Option<Arc<ProtectedResource>>,
    /// HTTP status where the audience does not match.
    pub audience_failure: AudienceFailure,
}

/// The default `realm` of the challenge.
pub const DEFAULT_REALM: &str = "api";

/// What becomes of requests without a good credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// They are denied.
    Strict,
    /// None is allowed without claims; a bad one is denied.
    Optional,
    /// Both are allowed without claims.
    Permissive,
    /// The credential is not looked at.
    Anonymous,
}

impl Mode {
    /// The mode that `text` names exactly.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "strict" => Some(Self::Strict),
            "optional" => Some(Self::Optional),
            "permissive" => Some(Self::Permissive),
            "anonymous" => Some(Self::Anonymous),
            _ => None,
        }
    }
}

/// What the token's scopes must contain.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScopeRule {
    /// Every one of these.
    pub all_of: Vec<String>,
    /// One of these, where there is any.
    pub any_of: Vec<String>,
}

/// What the upstream sees of a verified credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ForwardToken {
    /// It stays where it was: the default.
    Keep,
    /// It is removed.
    Remove,
    /// It stays, and is copied into this header as `Bearer TOKEN`.
    Copy(HeaderTarget),
}

/// What becomes of a CORS preflight, which no browser sends a credential with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Preflight {
    /// The mode says it: the default.
    #[default]
    Check,
    /// It is allowed without claims.
    Allow,
}

/// The HTTP status of `audience_not_allowed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AudienceFailure {
    /// 401, as RFC 6750 section 3.1 has it.
    Unauthorized,
    /// 403, as Envoy's `jwt_authn` answers.
    Forbidden,
}

/// The providers of one policy, by issuer.
#[derive(Debug, Clone, Default)]
pub struct Accepts {
    by_issuer: HashMap<Issuer, Arc<Provider>>,
    members: Vec<Name>,
    /// Names that the running config does not have; the others still work.
    pub unknown: Vec<String>,
}

/// Two providers of one policy claim this issuer, so a token would have no single owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedIssuer(pub Issuer);

impl Accepts {
    /// Puts the providers of a policy together. Disabled ones count as known and are left out.
    ///
    /// # Errors
    /// [`SharedIssuer`] if two of them, enabled or not, name the same issuer.
    pub fn new(providers: &[Arc<Provider>], unknown: Vec<String>) -> Result<Self, SharedIssuer> {
        let mut all = HashMap::with_capacity(providers.len());
        for provider in providers {
            for issuer in &provider.issuers {
                if all.insert(issuer.clone(), provider.clone()).is_some() {
                    return Err(SharedIssuer(issuer.clone()));
                }
            }
        }
        let members = providers.iter().map(|provider| provider.name.clone()).collect();
        all.retain(|_, provider| provider.enabled);
        Ok(Self { by_issuer: all, members, unknown })
    }

    /// The one provider that vouches for `issuer`, exactly.
    #[must_use]
    pub fn owner_of(&self, issuer: &str) -> Option<&Arc<Provider>> {
        self.by_issuer.get(issuer)
    }

    /// Whether this very `provider` is seen to vouch for its issuers, none of which has another
    /// owner here. Only the first few issuers are looked at, so that `false` says nothing.
    #[must_use]
    pub fn plainly_has(&self, provider: &Arc<Provider>) -> bool {
        const FEW: usize = 8;
        self.by_issuer.values().take(FEW).any(|known| Arc::ptr_eq(known, provider))
    }

    /// The known providers in the order in which the policy names them.
    #[must_use]
    pub fn members(&self) -> &[Name] {
        &self.members
    }

    /// Whether any provider is left that could accept a token.
    #[must_use]
    pub fn state(&self) -> AcceptsState {
        if !self.by_issuer.is_empty() {
            AcceptsState::Some
        } else if !self.members.is_empty() {
            AcceptsState::AllDisabled
        } else if self.unknown.is_empty() {
            AcceptsState::Nobody
        } else {
            AcceptsState::AllUnknown
        }
    }
}

/// What is left of a policy's providers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AcceptsState {
    /// At least one is enabled.
    Some,
    /// Every known one is disabled.
    AllDisabled,
    /// None of the names exists.
    AllUnknown,
    /// None is named: only an anonymous policy is so.
    Nobody,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::fixtures::provider;

    fn off(name: &str, issuer: &str) -> Provider {
        Provider { enabled: false, ..provider(name, issuer) }
    }

    #[track_caller]
    fn check(providers: Vec<Provider>, unknown: &[&str], expected: Result<AcceptsState, &str>) {
        let providers: Vec<_> = providers.into_iter().map(Arc::new).collect();
        let accepts = Accepts::new(&providers, unknown.iter().map(|&u| u.into()).collect());
        let got = accepts.map(|accepts| accepts.state()).map_err(|shared| shared.0.0.to_string());
        assert_eq!(got, expected.map_err(str::to_owned));
    }

    #[test]
    fn what_is_left_of_a_policy_s_providers() {
        check(vec![], &[], Ok(AcceptsState::Nobody));
        check(vec![], &["x"], Ok(AcceptsState::AllUnknown));
        check(vec![off("a", "a")], &[], Ok(AcceptsState::AllDisabled));
        check(vec![off("a", "a")], &["x"], Ok(AcceptsState::AllDisabled));
        check(vec![off("a", "a"), provider("b", "b")], &["x"], Ok(AcceptsState::Some));
    }

    #[test]
    fn an_issuer_has_one_owner_enabled_or_not() {
        check(vec![provider("a", "i"), provider("b", "i")], &[], Err("i"));
        check(vec![provider("a", "i"), off("b", "i")], &[], Err("i"));
        check(vec![off("a", "i"), off("b", "i")], &[], Err("i"));
        let issuers = vec![Issuer("j".into()), Issuer("i".into())];
        check(vec![provider("a", "i"), Provider { issuers, ..provider("b", "x") }], &[], Err("i"));
    }

    #[test]
    fn each_alias_has_its_owner_and_a_disabled_provider_owns_nothing() {
        let issuers = vec![Issuer("i".into()), Issuer("j".into())];
        let aliased = Arc::new(Provider { issuers, ..provider("a", "x") });
        let accepts = Accepts::new(&[aliased, Arc::new(off("b", "k"))], Vec::new()).unwrap();
        let owner = |issuer| accepts.owner_of(issuer).map(|owner| owner.name.as_str());
        assert_eq!(["i", "j", "k", "I", ""].map(owner), [Some("a"), Some("a"), None, None, None]);
        assert_eq!(accepts.members().iter().map(Name::as_str).collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn the_very_provider_is_seen_among_the_enabled_ones_and_no_other() {
        let (own, twin) = (Arc::new(provider("a", "x")), Arc::new(provider("a", "x")));
        let plainly = |known: &Arc<Provider>| {
            let accepts = Accepts::new(std::slice::from_ref(known), Vec::new()).unwrap();
            accepts.plainly_has(&own)
        };
        assert!(plainly(&own) && !plainly(&twin) && !plainly(&Arc::new(off("b", "y"))));
        let disabled = Arc::new(off("a", "x"));
        let accepts = Accepts::new(std::slice::from_ref(&disabled), Vec::new()).unwrap();
        assert!(!accepts.plainly_has(&disabled));
    }

    #[test]
    fn a_mode_is_named_exactly() {
        assert_eq!(Mode::parse("permissive"), Some(Mode::Permissive));
        for text in ["", "Strict", "strict ", "off", "allow"] {
            assert_eq!(Mode::parse(text), None, "{text}");
        }
    }
}
