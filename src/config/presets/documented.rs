//! What each provider documents about its tokens, as pure functions of its parameters.
//!
//! Nothing here is looked up; each value names the page that states it, and `docs/providers/` has
//! the same pages with the steps for people.

/// What a provider documents, and so need not be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::config) struct Documented {
    /// Exact values of `iss`.
    pub(super) issuers: Issuers,
    /// Where the keys are; without it the discovery document says so.
    pub(super) jwks_uri: Option<String>,
    /// What the server of the keys asks for.
    pub(super) pod_files: Option<PodFiles>,
    /// Whom the tokens are for.
    pub(super) audience: Audience,
    /// The claim that says so, where it is not `aud`.
    pub(super) audience_claim: Option<&'static str>,
    /// What tells its access tokens, or its tenants, apart.
    pub(super) required_claims: Vec<(&'static str, String)>,
    /// The `typ` of its access tokens, where it is documented.
    pub(super) token_types: Option<&'static [&'static str]>,
    /// What it signs with, where it is documented.
    pub(super) algorithms: Option<&'static [&'static str]>,
    /// Anybody gets a token for any audience, so that only a claim says whom to let in.
    pub(super) open_to_anybody: bool,
}

/// Who says the issuers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Issuers {
    /// The provider.
    These(Vec<String>),
    /// The operator.
    Written,
    /// The operator, and they name the tenant of Entra ID.
    OfEntraTenant,
}

/// Who says the audience.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Audience {
    /// The provider.
    This(String),
    /// The operator.
    Written,
}

/// Files that a pod finds in its file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PodFiles {
    /// PEM.
    pub(super) ca: &'static str,
    /// A bearer token.
    pub(super) token: &'static str,
}

/// A tenant of Entra ID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Tenant {
    /// Its id, a lower-case UUID.
    Id(String),
    /// A domain of it. Tokens name the tenant by its id alone.
    Domain(String),
}

/// <https://developer.okta.com/docs/guides/validate-access-tokens/>: a custom authorization server
/// is `https://DOMAIN/oauth2/ID`, its keys are at `/v1/keys`, signed with RS256
/// (<https://developer.okta.com/docs/reference/api/oidc/>). No claim of a fixed value tells access
/// tokens from ID tokens: `aud` does, which is the client's id in an ID token.
pub(super) fn okta(domain: &str, authorization_server: &str) -> Documented {
    let issuer = format!("https://{domain}/oauth2/{authorization_server}");
    Documented {
        jwks_uri: Some(format!("{issuer}/v1/keys")),
        issuers: Issuers::These(vec![issuer]),
        algorithms: Some(&["RS256"]),
        ..generic()
    }
}

/// <https://auth0.com/docs/secure/tokens/access-tokens/access-token-profiles>: `iss` is
/// `https://DOMAIN/` with the slash, `typ` is `at+jwt` or `JWT` by the API's profile. Keys:
/// <https://auth0.com/docs/secure/tokens/json-web-tokens/locate-json-web-key-sets>; algorithms:
/// <https://auth0.com/docs/get-started/applications/signing-algorithms>.
pub(super) fn auth0(domain: &str) -> Documented {
    Documented {
        issuers: Issuers::These(vec![format!("https://{domain}/")]),
        jwks_uri: Some(format!("https://{domain}/.well-known/jwks.json")),
        token_types: Some(&["at+jwt", "JWT"]),
        algorithms: Some(&["RS256", "PS256"]),
        ..generic()
    }
}

/// <https://learn.microsoft.com/entra/identity-platform/access-tokens>: v1.0 tokens are issued by
/// `https://sts.windows.net/TENANT/`, v2.0 ones by `https://login.microsoftonline.com/TENANT/v2.0`,
/// whichever endpoint the client called; `tid` is the tenant
/// (<https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference>, which also
/// says that `typ` is always `JWT`). The keys serve all tenants: issuer and `tid` say which it is.
pub(super) fn entra(tenant: &Tenant) -> Documented {
    let (issuers, required_claims, name) = match tenant {
        Tenant::Id(id) => {
            let v1 = format!("https://sts.windows.net/{id}/");
            let v2 = format!("https://login.microsoftonline.com/{id}/v2.0");
            (Issuers::These(vec![v2, v1]), vec![("tid", id.clone())], id)
        }
        Tenant::Domain(domain) => (Issuers::OfEntraTenant, Vec::new(), domain),
    };
    let jwks_uri = format!("https://login.microsoftonline.com/{name}/discovery/v2.0/keys");
    Documented {
        issuers,
        jwks_uri: Some(jwks_uri),
        required_claims,
        token_types: Some(&["JWT"]),
        algorithms: Some(&["RS256"]),
        ..generic()
    }
}

/// The tenant in an issuer of Entra ID, v1.0 or v2.0.
pub(super) fn entra_tenant_of(issuer: &str) -> Option<&str> {
    let v2 = issuer.strip_prefix("https://login.microsoftonline.com/");
    let v1 = issuer.strip_prefix("https://sts.windows.net/");
    let id = match (v2, v1) {
        (Some(rest), _) => rest.strip_suffix("/v2.0")?,
        (None, Some(rest)) => rest.strip_suffix('/')?,
        (None, None) => return None,
    };
    let own = id != ENTRA_PERSONAL_ACCOUNTS;
    (own && id.len() == 36 && id.bytes().all(|b| b"0123456789abcdef-".contains(&b))).then_some(id)
}

/// <https://developers.google.com/identity/sign-in/web/backend-auth>: `iss` is either text, `aud`
/// is the client's id, `hd` the Workspace domain. Keys and algorithm:
/// <https://accounts.google.com/.well-known/openid-configuration>. Access tokens are opaque, so
/// what comes here is an ID token, and anybody may have one for an audience.
pub(super) fn google() -> Documented {
    let issuers = ["https://accounts.google.com", "accounts.google.com"];
    Documented {
        issuers: Issuers::These(issuers.map(str::to_owned).to_vec()),
        jwks_uri: Some("https://www.googleapis.com/oauth2/v3/certs".to_owned()),
        algorithms: Some(&["RS256"]),
        open_to_anybody: true,
        ..generic()
    }
}

/// <https://firebase.google.com/docs/auth/admin/verify-id-tokens>: `alg` is RS256, `iss` is
/// `https://securetoken.google.com/PROJECT`, `aud` is the project. The keys as a JWK Set are at the
/// address below; the page names the same ones as certificates.
pub(super) fn firebase(project: &str) -> Documented {
    const KEYS: &str = "https://www.googleapis.com/service_accounts/v1/jwk/\
                        securetoken@system.gserviceaccount.com";
    Documented {
        issuers: Issuers::These(vec![format!("https://securetoken.google.com/{project}")]),
        jwks_uri: Some(KEYS.to_owned()),
        audience: Audience::This(project.to_owned()),
        algorithms: Some(&["RS256"]),
        ..generic()
    }
}

/// <https://www.keycloak.org/securing-apps/oidc-layers>: a realm is `URL/realms/REALM`, its keys
/// are at `/protocol/openid-connect/certs`. The claim `typ` is `Bearer` in access tokens, `ID` in
/// ID tokens, `Refresh` and `Offline` in refresh tokens (`org.keycloak.util.TokenUtil`).
pub(super) fn keycloak(url: &str, realm: &str) -> Documented {
    let issuer = format!("{url}/realms/{realm}");
    Documented {
        jwks_uri: Some(format!("{issuer}/protocol/openid-connect/certs")),
        issuers: Issuers::These(vec![issuer]),
        required_claims: vec![("typ", "Bearer".to_owned())],
        ..generic()
    }
}

/// <https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-tokens-verifying-a-jwt.html>:
/// issuer and keys of a user pool, RS256, `token_use` is `access` or `id`; an access token names
/// the app client in `client_id`, not in `aud`.
pub(super) fn cognito(region: &str, user_pool_id: &str) -> Documented {
    let issuer = format!("https://cognito-idp.{region}.amazonaws.com/{user_pool_id}");
    Documented {
        jwks_uri: Some(format!("{issuer}/.well-known/jwks.json")),
        issuers: Issuers::These(vec![issuer]),
        audience_claim: Some("client_id"),
        required_claims: vec![("token_use", "access".to_owned())],
        algorithms: Some(&["RS256"]),
        ..generic()
    }
}

/// <https://wso2.com/asgardeo/docs/guides/authentication/oidc/validate-jwt-with-jwks/>: keys;
/// <https://wso2.com/asgardeo/docs/references/tokens/access-tokens/>: the issuer is the
/// organization's token endpoint. JWT access tokens follow RFC 9068, with `typ` `at+jwt`.
pub(super) fn asgardeo(organization: &str) -> Documented {
    let base = format!("https://api.asgardeo.io/t/{organization}/oauth2");
    Documented {
        issuers: Issuers::These(vec![format!("{base}/token")]),
        jwks_uri: Some(format!("{base}/jwks")),
        token_types: Some(&["at+jwt"]),
        algorithms: Some(&["RS256"]),
        ..generic()
    }
}

/// <https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/#service-account-issuer-discovery>:
/// the API server has the keys at `/openid/v1/jwks`, for service accounts that show their token.
/// The issuer is `--service-account-issuer`, by kubeadm's default the one below. A pod finds CA and
/// token where
/// <https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/> says.
pub(super) fn kubernetes(api_server: &str) -> Documented {
    Documented {
        issuers: Issuers::These(vec![KUBERNETES_ISSUER.to_owned()]),
        jwks_uri: Some(format!("{api_server}/openid/v1/jwks")),
        pod_files: Some(PodFiles {
            ca: "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt",
            token: "/var/run/secrets/kubernetes.io/serviceaccount/token",
        }),
        ..generic()
    }
}

/// Nothing: what OpenID Connect Discovery says of the issuer.
pub(super) fn generic() -> Documented {
    Documented {
        issuers: Issuers::Written,
        jwks_uri: None,
        pod_files: None,
        audience: Audience::Written,
        audience_claim: None,
        required_claims: Vec::new(),
        token_types: None,
        algorithms: None,
        open_to_anybody: false,
    }
}

/// Where a pod reaches the API server.
pub(super) const KUBERNETES_API: &str = "https://kubernetes.default.svc";
const KUBERNETES_ISSUER: &str = "https://kubernetes.default.svc.cluster.local";
/// The tenant of all personal Microsoft accounts
/// (<https://learn.microsoft.com/entra/identity-platform/id-token-claims-reference>).
pub(super) const ENTRA_PERSONAL_ACCOUNTS: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";
