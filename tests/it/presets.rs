//! What a preset lets in and what it keeps out: access tokens and their look-alikes.

use serde_json::{Value, json};

use crate::support::{
    keys::{RS256, TestKey},
    request::TestRequest,
    server::TestServer,
    unix,
};

/// Lines of a provider `p` but for its keys, the `typ` and the claims of a good access token.
struct Preset {
    written: &'static str,
    typ: Option<&'static str>,
    claims: Value,
}

impl Preset {
    async fn server(&self) -> TestServer {
        let (written, keys) = (self.written.replace('\n', "\n  "), RS256.jwks());
        let provider = format!("- name: p\n  {written}\n  jwks: {{ inline: {keys} }}\n");
        let policy = "policies: [{ name: a, providers: [p] }]\ndefault_policy: a\n";
        TestServer::start(&format!("providers:\n{provider}{policy}")).await
    }

    fn token(&self, typ: Option<&str>, changed: &Value) -> TestRequest {
        let key: &TestKey = &RS256;
        let mut claims = json!({ "sub": "alice", "exp": unix() + 600 });
        for more in [&self.claims, changed] {
            claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        }
        claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        let mut header = json!({ "alg": key.alg, "kid": key.kid });
        if let Some(typ) = typ {
            header["typ"] = typ.into();
        }
        TestRequest::bearer(&key.token_with(header, &claims))
    }

    /// The good token passes; so changed, with this `typ`, it is refused for this reason.
    async fn check(&self, refused: &[(Option<&str>, Value, &str)]) {
        let server = self.server().await;
        server.expect(self.token(self.typ, &json!({})), 200, "").await;
        for (typ, changed, reason) in refused {
            server.expect(self.token(*typ, changed), 401, reason).await;
        }
    }
}

#[tokio::test]
async fn okta_and_auth0_end_at_their_issuer_and_audience() {
    let okta = Preset {
        written: "type: okta\nparameters: { domain: o.okta.com }\naudiences: [api]",
        typ: None,
        claims: json!({ "iss": "https://o.okta.com/oauth2/default", "aud": "api" }),
    };
    let org = json!({ "iss": "https://o.okta.com" });
    let other = json!({ "iss": "https://o.okta.com/oauth2/aus1" });
    let id_token = json!({ "aud": "client" });
    okta.check(&[
        (None, org, "issuer_not_allowed"),
        (None, other, "issuer_not_allowed"),
        (None, id_token.clone(), "audience_not_allowed"),
    ])
    .await;
    let auth0 = Preset {
        written: "type: auth0\nparameters: { domain: t.auth0.com }\naudiences: [api]",
        typ: Some("at+jwt"),
        claims: json!({ "iss": "https://t.auth0.com/", "aud": ["api", "https://t.auth0.com/userinfo"] }),
    };
    auth0
        .check(&[
            (Some("JWT"), json!({ "iss": "https://t.auth0.com" }), "issuer_not_allowed"),
            (Some("JWT"), id_token, "audience_not_allowed"),
            (None, json!({}), "token_type_not_allowed"),
        ])
        .await;
}

#[tokio::test]
async fn entra_takes_both_versions_of_one_tenant() {
    let tenant = "8eaef023-2b34-4da1-9baa-8bc8c9d6a490";
    let other = "72f988bf-86f1-41af-91ab-2d7cd011db47";
    let v1 = |tenant: &str| format!("https://sts.windows.net/{tenant}/");
    let v2 = |tenant: &str| format!("https://login.microsoftonline.com/{tenant}/v2.0");
    for issuer in [v1, v2] {
        let entra = Preset {
            written: "type: entra\nparameters: { tenant: 8eaef023-2b34-4da1-9baa-8bc8c9d6a490 }\n\
                      audiences: [api]",
            typ: Some("JWT"),
            claims: json!({ "iss": issuer(tenant), "tid": tenant, "aud": "api" }),
        };
        let jwt = Some("JWT");
        entra
            .check(&[
                (jwt, json!({ "iss": issuer(other), "tid": other }), "issuer_not_allowed"),
                (jwt, json!({ "iss": issuer("common") }), "issuer_not_allowed"),
                (jwt, json!({ "tid": other }), "claims_rejected"),
                (jwt, json!({ "tid": null }), "claims_rejected"),
                (None, json!({}), "token_type_not_allowed"),
            ])
            .await;
    }
}

#[tokio::test]
async fn google_lets_in_whom_a_claim_names() {
    for issuer in ["https://accounts.google.com", "accounts.google.com"] {
        let google = Preset {
            written: "type: google\naudiences: [client]\nrequired_claims: { hd: example.com }",
            typ: Some("JWT"),
            claims: json!({ "iss": issuer, "aud": "client", "hd": "example.com" }),
        };
        google
            .check(&[
                (None, json!({ "hd": null }), "claims_rejected"),
                (None, json!({ "hd": "example.org" }), "claims_rejected"),
                (None, json!({ "iss": "http://accounts.google.com" }), "issuer_not_allowed"),
            ])
            .await;
    }
}

#[tokio::test]
async fn firebase_is_one_project() {
    let firebase = Preset {
        written: "type: firebase\nparameters: { project: my-project }",
        typ: Some("JWT"),
        claims: json!({ "iss": "https://securetoken.google.com/my-project", "aud": "my-project" }),
    };
    let cookie = json!({ "iss": "https://session.firebase.google.com/my-project" });
    firebase
        .check(&[
            (None, json!({ "aud": "other-project" }), "audience_not_allowed"),
            (None, cookie, "issuer_not_allowed"),
        ])
        .await;
}

#[tokio::test]
async fn keycloak_keeps_out_id_and_refresh_tokens() {
    let keycloak = Preset {
        written: "type: keycloak\nparameters: { url: 'https://kc', realm: shop }\naudiences: [api]",
        typ: Some("JWT"),
        claims: json!({ "iss": "https://kc/realms/shop", "aud": "api", "typ": "Bearer" }),
    };
    let claim = |typ: Value| (Some("JWT"), json!({ "typ": typ }), "claims_rejected");
    keycloak
        .check(&[
            claim(json!("ID")),
            claim(json!("Refresh")),
            claim(json!("bearer")),
            claim(Value::Null),
        ])
        .await;
}

#[tokio::test]
async fn cognito_names_the_client_and_keeps_out_id_tokens() {
    let cognito = Preset {
        written: "type: cognito\nparameters: { region: eu-west-1, user_pool_id: eu-west-1_A1 }\n\
                  audiences: [client]",
        typ: None,
        claims: json!({
            "iss": "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_A1",
            "client_id": "client",
            "token_use": "access",
        }),
    };
    let id_token = json!({ "token_use": "id", "aud": "client", "client_id": null });
    cognito
        .check(&[
            (None, id_token, "audience_not_allowed"),
            (None, json!({ "token_use": "id" }), "claims_rejected"),
            (None, json!({ "client_id": "other", "aud": "client" }), "audience_not_allowed"),
        ])
        .await;
}

#[tokio::test]
async fn asgardeo_keeps_out_what_is_not_typed_as_an_access_token() {
    let asgardeo = Preset {
        written: "type: asgardeo\nparameters: { organization: bifrost }\naudiences: [client]",
        typ: Some("at+jwt"),
        claims: json!({ "iss": "https://api.asgardeo.io/t/bifrost/oauth2/token", "aud": "client" }),
    };
    let typ = "token_type_not_allowed";
    asgardeo.check(&[(Some("JWT"), json!({}), typ), (None, json!({}), typ)]).await;
}

#[tokio::test]
async fn kubernetes_keeps_out_tokens_for_the_api_server_and_those_that_never_end() {
    let kubernetes = Preset {
        written: "type: kubernetes\naudiences: [orders]",
        typ: None,
        claims: json!({ "iss": "https://kubernetes.default.svc.cluster.local", "aud": ["orders"] }),
    };
    let api_server = json!({ "aud": ["https://kubernetes.default.svc.cluster.local"] });
    kubernetes
        .check(&[
            (None, api_server, "audience_not_allowed"),
            (None, json!({ "iss": "kubernetes/serviceaccount" }), "issuer_not_allowed"),
            (None, json!({ "exp": null }), "expiry_missing"),
        ])
        .await;
}
