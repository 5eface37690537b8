//! Every way a check can end, and the one table that says what each looks like from outside.
//!
//! It does not build responses (`grpc/encode.rs`) and does not choose between endings.

use std::{borrow::Cow, sync::Arc};

use serde_json::Value;

use crate::{
    header::HeaderTarget,
    policy::{AudienceFailure, Policy, protected_resource::ProtectedResource},
    provider::Provider,
};

/// A refusal that is the caller's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the labels of `Reason::row` name them")]
pub enum Denial {
    CredentialsMissing,
    MultipleCredentials,
    TokenMalformed,
    TokenTooLarge,
    CriticalHeaderUnsupported,
    IssuerNotAllowed,
    AlgorithmNotAllowed,
    ClaimsMalformed,
    TokenExpired,
    TokenNotYetValid,
    ExpiryMissing,
    KeyUnknown,
    SignatureInvalid,
    TokenTypeNotAllowed,
    LifetimeTooLong,
    AudienceNotAllowed,
    ClaimsRejected,
    ScopeInsufficient,
    RuleDenied,
    RequestMalformed,
}

/// A refusal that is the fault of the operator, of an issuer or of claimgate itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the labels of `Reason::row` name them")]
pub enum Fault {
    KeysUnavailable,
    RoutePolicyMissing,
    RoutePolicyInvalid,
    PolicyUnknown,
    ProviderUnknown,
    ProviderDisabled,
    Internal,
}

/// Why a request was not plainly allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The caller's fault.
    Denied(Denial),
    /// Not the caller's fault.
    Fault(Fault),
}

impl From<Denial> for Reason {
    fn from(denial: Denial) -> Self {
        Self::Denied(denial)
    }
}

impl From<Fault> for Reason {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// What one reason looks like from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// In the log, metrics and dynamic metadata.
    pub label: &'static str,
    /// For the client.
    pub status: HttpStatus,
    /// `error` of the body.
    pub error: &'static str,
    /// `error_description` of the body and the challenge: what a client may know.
    pub description: &'static str,
    /// Whether the challenge repeats `error` (RFC 6750 section 3.1).
    pub challenge: Challenge,
}

/// The status codes that claimgate answers with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the registered ones")]
pub enum HttpStatus {
    BadRequest,
    Unauthorized,
    Forbidden,
    ServiceUnavailable,
}

/// What `WWW-Authenticate` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Challenge {
    /// No such header: the caller cannot mend it.
    None,
    /// The scheme and realm alone.
    Bare,
    /// With `error` and `error_description`.
    WithError,
}

impl Reason {
    /// This reason's row of the table.
    #[must_use]
    pub fn row(self) -> Row {
        match self {
            Self::Denied(denial) => denial.row(),
            Self::Fault(fault) => fault.row(),
        }
    }
}

impl Denial {
    fn row(self) -> Row {
        match self {
            Self::CredentialsMissing => CREDENTIALS_MISSING,
            Self::MultipleCredentials => request("multiple_credentials", "two credentials sent"),
            Self::RequestMalformed => request("request_malformed", "request not understood"),
            Self::TokenMalformed => token("token_malformed", "token malformed"),
            Self::TokenTooLarge => token("token_too_large", "token too large"),
            Self::CriticalHeaderUnsupported => {
                token("critical_header_unsupported", "critical header parameter not supported")
            }
            Self::IssuerNotAllowed => token("issuer_not_allowed", "issuer not accepted"),
            Self::AlgorithmNotAllowed => token("algorithm_not_allowed", "algorithm not accepted"),
            Self::ClaimsMalformed => token("claims_malformed", "claims malformed"),
            Self::TokenExpired => token("token_expired", "token expired"),
            Self::TokenNotYetValid => token("token_not_yet_valid", "token not valid yet"),
            Self::ExpiryMissing => token("expiry_missing", "token does not expire"),
            Self::KeyUnknown => token("key_unknown", "signing key not known"),
            Self::SignatureInvalid => token("signature_invalid", "signature not valid"),
            Self::TokenTypeNotAllowed => token("token_type_not_allowed", "type not accepted"),
            Self::LifetimeTooLong => token("lifetime_too_long", "lifetime too long"),
            Self::AudienceNotAllowed => token("audience_not_allowed", "audience not accepted"),
            Self::ClaimsRejected => token("claims_rejected", "claims not accepted"),
            Self::ScopeInsufficient => SCOPE_INSUFFICIENT,
            Self::RuleDenied => RULE_DENIED,
        }
    }
}

const CREDENTIALS_MISSING: Row = Row {
    label: "credentials_missing",
    status: HttpStatus::Unauthorized,
    error: "unauthorized",
    description: "bearer token required",
    challenge: Challenge::Bare,
};

const SCOPE_INSUFFICIENT: Row = Row {
    label: "scope_insufficient",
    status: HttpStatus::Forbidden,
    error: "insufficient_scope",
    description: "scope missing",
    challenge: Challenge::WithError,
};

const RULE_DENIED: Row = Row {
    label: "rule_denied",
    status: HttpStatus::Forbidden,
    error: "access_denied",
    description: "access denied",
    challenge: Challenge::Bare,
};

impl Fault {
    /// Whether what the proxy attached to the route is at fault.
    #[must_use]
    pub fn is_of_the_route(self) -> bool {
        match self {
            Self::RoutePolicyMissing
            | Self::RoutePolicyInvalid
            | Self::PolicyUnknown
            | Self::ProviderUnknown
            | Self::ProviderDisabled => true,
            Self::KeysUnavailable | Self::Internal => false,
        }
    }

    fn row(self) -> Row {
        let label = match self {
            Self::KeysUnavailable => "keys_unavailable",
            Self::RoutePolicyMissing => "route_policy_missing",
            Self::RoutePolicyInvalid => "route_policy_invalid",
            Self::PolicyUnknown => "policy_unknown",
            Self::ProviderUnknown => "provider_unknown",
            Self::ProviderDisabled => "provider_disabled",
            Self::Internal => "internal",
        };
        Row {
            label,
            status: HttpStatus::ServiceUnavailable,
            error: "temporarily_unavailable",
            description: "cannot be authorized right now",
            challenge: Challenge::None,
        }
    }
}

fn token(label: &'static str, description: &'static str) -> Row {
    let status = HttpStatus::Unauthorized;
    Row { label, status, error: "invalid_token", description, challenge: Challenge::WithError }
}

fn request(label: &'static str, description: &'static str) -> Row {
    let status = HttpStatus::BadRequest;
    Row { label, status, error: "invalid_request", description, challenge: Challenge::WithError }
}

/// The end of one check. Nothing but [`Decision::Allow`] lets a request through.
#[derive(Debug, Clone)]
pub enum Decision<'d> {
    /// The request goes to the upstream.
    Allow(Allow<'d>),
    /// It does not.
    Refuse(Refuse<'d>),
    /// Neither: claimgate itself has what it asks for.
    Answer(Answer<'d>),
}

/// A request that is answered without the upstream and without a fault.
#[derive(Debug, Clone)]
pub struct Answer<'d> {
    /// With what.
    pub what: Answered,
    /// The route's policy.
    pub policy: &'d Policy,
}

/// What claimgate itself serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answered {
    /// The metadata of the policy's resource (RFC 9728 section 3.2).
    Document(Arc<ProtectedResource>),
    /// That pages of every origin may ask for it.
    Preflight,
}

/// A request that goes to the upstream.
#[derive(Debug, Clone)]
pub struct Allow<'d> {
    /// Owned headers that get a value. Every other owned header is removed.
    pub set: Vec<(&'d HeaderTarget, Cow<'d, str>)>,
    /// What becomes of the client's credentials.
    pub credentials: Credentials,
    /// Set where `permissive` let something through.
    pub reason: Option<Reason>,
    /// The route's policy.
    pub policy: &'d Policy,
    /// Whose token it was; none where the request passes without claims.
    pub identity: Option<Identity<'d>>,
}

/// What becomes of the credentials that a request carries. By default they stay.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    /// Headers that do not reach the upstream, each once; none of them is an owned one.
    pub remove: Vec<Arc<str>>,
    /// Path and query instead of the client's.
    pub path: Option<String>,
    /// The `Cookie` line instead of the client's; empty where none is left.
    pub cookie: Option<String>,
    /// Who may keep the upstream's answer.
    pub caching: Caching,
}

/// Who may keep the upstream's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Caching {
    /// As the upstream says.
    #[default]
    AsIs,
    /// No shared cache.
    Private,
}

/// Who a verified token is about.
#[derive(Debug, Clone)]
pub struct Identity<'d> {
    /// The provider that vouches for it.
    pub provider: &'d Arc<Provider>,
    /// `sub`, if it is a string.
    pub subject: Option<Cow<'d, str>>,
    /// The claims that the policy shows to the proxy, by name.
    pub claims: Vec<(&'d str, Value)>,
    /// The rule, or the key of the policy, that is not met.
    pub rule: Option<String>,
}

/// A request that is answered by Envoy with an error.
#[derive(Debug, Clone)]
pub struct Refuse<'d> {
    /// Why.
    pub reason: Reason,
    /// The route's policy, where one was found.
    pub policy: Option<&'d Policy>,
    /// The provider that the token's issuer names, verified or not: for metrics.
    pub provider: Option<Arc<Provider>>,
    /// Set once all checks before scopes and rules have passed.
    pub identity: Option<Identity<'d>>,
}

impl Refuse<'_> {
    /// A refusal before any policy was found.
    #[must_use]
    pub fn without_policy(reason: Reason) -> Self {
        Self { reason, policy: None, provider: None, identity: None }
    }

    /// The HTTP status: the table's, but for `audience_failure_status`.
    #[must_use]
    pub fn status(&self) -> HttpStatus {
        let forbidden = self.reason == Denial::AudienceNotAllowed.into()
            && self.policy.is_some_and(|p| p.audience_failure == AudienceFailure::Forbidden);
        if forbidden { HttpStatus::Forbidden } else { self.reason.row().status }
    }
}

impl<'d> Decision<'d> {
    /// `allowed`, `denied`, `fault` or `answered`, for metrics and dynamic metadata.
    #[must_use]
    pub fn outcome(&self) -> &'static str {
        match self {
            Self::Allow(_) => "allowed",
            Self::Refuse(Refuse { reason: Reason::Denied(_), .. }) => "denied",
            Self::Refuse(Refuse { reason: Reason::Fault(_), .. }) => "fault",
            Self::Answer(_) => "answered",
        }
    }

    /// Why it is not a plain allow.
    #[must_use]
    pub fn reason(&self) -> Option<Reason> {
        match self {
            Self::Allow(allow) => allow.reason,
            Self::Refuse(refuse) => Some(refuse.reason),
            Self::Answer(_) => None,
        }
    }

    /// The route's policy.
    #[must_use]
    pub fn policy(&self) -> Option<&Policy> {
        match self {
            Self::Allow(allow) => Some(allow.policy),
            Self::Refuse(refuse) => refuse.policy,
            Self::Answer(answer) => Some(answer.policy),
        }
    }

    /// The provider for metrics: verified, or at least named by the token's issuer.
    #[must_use]
    pub fn provider(&self) -> Option<&Arc<Provider>> {
        match self {
            Self::Allow(allow) => allow.identity.as_ref().map(|identity| identity.provider),
            Self::Refuse(refuse) => refuse.provider.as_ref(),
            Self::Answer(_) => None,
        }
    }

    /// Who a verified token is about.
    #[must_use]
    pub fn identity(&self) -> Option<&Identity<'d>> {
        match self {
            Self::Allow(allow) => allow.identity.as_ref(),
            Self::Refuse(refuse) => refuse.identity.as_ref(),
            Self::Answer(_) => None,
        }
    }
}
