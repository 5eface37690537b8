//! The same answer made of envoy-types' messages, and any decision to compare them by.

use super::*;
use crate::{
    check::decision::Answer, header::HeaderTarget, policy::protected_resource::ProtectedResource,
};

/// What Envoy must read in the answer to `decision`.
fn expected(decision: &Decision<'_>, owned: &OwnedHeaders) -> CheckResponse {
    let (code, response) = match decision {
        Decision::Allow(allow) => (Code::Ok, HttpResponse::OkResponse(ok(allow, owned))),
        Decision::Refuse(refuse) => {
            (grpc_code(refuse.status()), HttpResponse::DeniedResponse(denied(refuse)))
        }
        Decision::Answer(answer) => {
            (Code::PermissionDenied, HttpResponse::DeniedResponse(answered(&answer.what)))
        }
    };
    CheckResponse {
        status: Some(Status { code: code as i32, ..Status::default() }),
        http_response: Some(response),
        dynamic_metadata: Some(metadata(decision)),
    }
}

fn ok(allow: &Allow<'_>, owned: &OwnedHeaders) -> OkHttpResponse {
    let is_set = |name: &str| allow.set.iter().any(|(header, _)| header.as_str() == name);
    let removed = owned.iter().filter(|name| !is_set(name)).map(ToString::to_string);
    let Credentials { remove, path, cookie, caching } = &allow.credentials;
    let credential = remove.iter().map(ToString::to_string);
    let cookie = cookie.as_deref();
    let no_cookie = cookie.filter(|line| line.is_empty()).map(|_| "cookie".to_owned());
    let owned = allow.set.iter().map(|(name, value)| set(name.as_str(), value));
    let path = path.iter().map(|path| set(":path", path));
    let cookie = cookie.filter(|line| !line.is_empty()).map(|line| set("cookie", line));
    let private = (*caching == Caching::Private).then(|| append("cache-control", "private"));
    OkHttpResponse {
        headers: owned.chain(path).chain(cookie).collect(),
        headers_to_remove: removed.chain(credential).chain(no_cookie).collect(),
        response_headers_to_add: private.into_iter().collect(),
        ..OkHttpResponse::default()
    }
}

fn answered(what: &Answered) -> DeniedHttpResponse {
    let (code, names, body) = match what {
        Answered::Document(resource) => {
            let cached = ("cache-control", "public, max-age=300");
            (200, vec![("content-type", "application/json"), cached], &*resource.document)
        }
        Answered::Preflight => (204, Vec::new(), ""),
    };
    let more = match what {
        Answered::Document(_) => Vec::new(),
        Answered::Preflight => vec![
            ("access-control-allow-methods", "GET, HEAD"),
            ("access-control-allow-headers", "*"),
            ("access-control-max-age", "300"),
        ],
    };
    let anyone = ("access-control-allow-origin", "*");
    let headers = names.into_iter().chain([anyone]).chain(more);
    DeniedHttpResponse {
        status: Some(EnvoyHttpStatus { code }),
        headers: headers.map(|(name, value)| set(name, value)).collect(),
        body: body.to_owned(),
    }
}

fn denied(refuse: &Refuse<'_>) -> DeniedHttpResponse {
    let row = refuse.reason.row();
    let mut headers = vec![set("content-type", "application/json")];
    headers.extend(challenge(refuse).map(|challenge| set("www-authenticate", &challenge)));
    headers.extend((http_code(refuse.status()) == 503).then(|| set("retry-after", "5")));
    let body = format!(r#"{{"error":"{}","error_description":"{}"}}"#, row.error, row.description);
    let status = Some(EnvoyHttpStatus { code: http_code(refuse.status()).into() });
    DeniedHttpResponse { status, headers, body }
}

#[expect(deprecated, reason = "`append` is what every Envoy but 1.37.0 reads")]
fn set(name: &str, value: &str) -> HeaderValueOption {
    let (key, value) = (name.to_owned(), value.to_owned());
    HeaderValueOption {
        header: Some(HeaderValue { key, value, raw_value: Vec::new() }),
        append: Some(BoolValue { value: false }),
        append_action: HeaderAppendAction::OverwriteIfExistsOrAdd as i32,
        keep_empty_value: false,
    }
}

#[expect(deprecated, reason = "`append` is what every Envoy but 1.37.0 reads")]
fn append(name: &str, value: &str) -> HeaderValueOption {
    HeaderValueOption {
        append: Some(BoolValue { value: true }),
        append_action: HeaderAppendAction::AppendIfExistsOrAdd as i32,
        ..set(name, value)
    }
}

fn credentials() -> impl Strategy<Value = Credentials> {
    let text = || proptest::option::of("\\PC{1,300}");
    let cookie = proptest::option::of("[a-z=; ]{0,200}");
    (vec("[a-z]{1,20}", 0..3), text(), cookie, any::<bool>()).prop_map(
        |(remove, path, cookie, private)| Credentials {
            remove: remove.into_iter().map(Into::into).collect(),
            path,
            cookie,
            caching: if private { Caching::Private } else { Caching::AsIs },
        },
    )
}

fn metadata(decision: &Decision<'_>) -> Struct {
    let policy =
        decision.policy().map(|policy| policy.name.as_ref().map_or("inline", Name::as_str));
    let identity = decision.identity();
    let fields = [
        ("outcome", Some(decision.outcome())),
        ("reason", decision.reason().map(|reason| reason.row().label)),
        ("policy", policy),
        ("provider", identity.map(|identity| identity.provider.name.as_str())),
        ("subject", identity.and_then(|identity| identity.subject.as_deref())),
        ("rule", identity.and_then(|identity| identity.rule.as_deref())),
    ];
    let fields = fields.into_iter().filter_map(|(name, text)| Some((name, text?.to_owned())));
    let fields = message(fields.map(|(name, text)| (name, Kind::StringValue(text))));
    message([("claimgate", Kind::StructValue(fields))])
}

fn message<'a>(fields: impl IntoIterator<Item = (&'a str, Kind)>) -> Struct {
    let field = |(name, kind): (&str, Kind)| (name.to_owned(), Value { kind: Some(kind) });
    Struct { fields: fields.into_iter().map(field).collect() }
}

const NAMES: [&str; 6] = ["x-sub", "x-groups", "x_mail", "x-a-b_c", "x", "x-not-owned"];

fn policy() -> impl Strategy<Value = Policy> {
    let resource = proptest::option::of("[a-z:/]{1,200}");
    (any::<bool>(), vec("[a-z.\"\\\\ ]{0,9}", 0..3), resource).prop_map(
        |(inline, all_of, resource)| Policy {
            name: orders(okta()).name.filter(|_| !inline),
            scopes: ScopeRule { all_of, any_of: Vec::new() },
            resource_metadata: resource.map(Into::into),
            ..orders(okta())
        },
    )
}

fn identity() -> impl Strategy<Value = Option<Identity<'static>>> {
    let one = (proptest::option::of("\\PC{0,300}"), proptest::option::of("[a-z.]{1,63}"));
    let one = one.prop_map(|(subject, rule)| Identity {
        provider: lasting(Arc::new(okta())),
        subject: subject.map(Into::into),
        claims: Vec::new(),
        rule,
    });
    proptest::option::of(one)
}

fn decision() -> impl Strategy<Value = Decision<'static>> {
    let reason = select(TABLE.map(|(reason, ..)| reason).to_vec());
    let set = vec((select(NAMES.to_vec()), "\\PC{1,200}"), 0..5);
    let rest = (policy(), identity(), any::<bool>(), credentials());
    (any::<bool>(), set, proptest::option::of(reason), rest).prop_map(
        |(allowed, mut set, reason, (policy, identity, bare, credentials))| {
            set.sort();
            set.dedup_by_key(|(name, _)| *name);
            let set = set.into_iter().map(|(name, value)| (lasting(target(name)), value.into()));
            let (set, policy) = (set.collect(), lasting(policy));
            match reason {
                None if !allowed => Decision::Answer(Answer {
                    what: if bare {
                        Answered::Preflight
                    } else {
                        let document = credentials.path.unwrap_or_default();
                        let resource = ProtectedResource::new("https://a", "/mcp", document);
                        Answered::Document(Arc::new(resource))
                    },
                    policy,
                }),
                Some(reason) if !allowed => {
                    let policy = Some(policy).filter(|_| !bare);
                    Decision::Refuse(Refuse { reason, policy, provider: None, identity })
                }
                reason => Decision::Allow(Allow { set, credentials, reason, policy, identity }),
            }
        },
    )
}

proptest! {
    #[test]
    fn every_answer_is_what_envoy_types_reads(decisions in vec(decision(), 1..4)) {
        let targets: Vec<HeaderTarget> = NAMES.iter().take(5).map(|name| target(name)).collect();
        let owned = OwnedHeaders::new(&targets);
        for decision in decisions {
            let answer = CheckResponse::decode(check_response(&decision, &owned).as_slice());
            prop_assert_eq!(answer.unwrap(), expected(&decision, &owned));
        }
    }
}
