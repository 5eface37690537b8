//! What a provider or a policy asks for.

use super::{Group, Make, check};

pub(super) const GROUPS: &[Group] = &[
    Group {
        provider: r#"  token_types: [at+jwt]
"#,
        policy: "",
        rows: &[
            (
                Make::Claims(&[]),
                "token_type_not_allowed",
                "typ is required once types are named (RFC 9068)",
            ),
            (
                Make::Header(&[("typ", r#""JWT""#)]),
                "token_type_not_allowed",
                "only access tokens (RFC 9068)",
            ),
            (
                Make::Header(&[("typ", r#""jwt""#)]),
                "token_type_not_allowed",
                "only access tokens (RFC 9068)",
            ),
            (
                Make::Header(&[("typ", r#""id+jwt""#)]),
                "token_type_not_allowed",
                "only access tokens (RFC 9068)",
            ),
            (
                Make::Header(&[("typ", r#""at+jws""#)]),
                "token_type_not_allowed",
                "only access tokens (RFC 9068)",
            ),
            (
                Make::Header(&[("typ", r#""xat+jwt""#)]),
                "token_type_not_allowed",
                "only access tokens (RFC 9068)",
            ),
        ],
    },
    Group {
        provider: r#"  max_lifetime: 1h
  require_exp: false
"#,
        policy: "",
        rows: &[
            (Make::Claims(&[("iat", r#"1"#)]), "lifetime_too_long", "issued for years"),
            (Make::Date("exp", 3700), "lifetime_too_long", "without iat it counts from now"),
            (Make::Claims(&[("exp", r#"9007199254740992"#)]), "lifetime_too_long", "for ever"),
            (
                Make::Claims(&[("exp", r#""#)]),
                "expiry_missing",
                "a lifetime needs an end whatever require_exp says",
            ),
        ],
    },
    Group {
        provider: r#"  required_claims: { hd: example.com, a.b: c }
"#,
        policy: "",
        rows: &[
            (Make::Claims(&[]), "claims_rejected", "none of them"),
            (Make::Claims(&[("hd", r#""example.com""#)]), "claims_rejected", "one of two"),
            (
                Make::Claims(&[("hd", r#""Example.com""#), ("a", r#"{"b":"c"}"#)]),
                "claims_rejected",
                "exact",
            ),
            (
                Make::Claims(&[("hd", r#"["example.com"]"#), ("a", r#"{"b":"c"}"#)]),
                "claims_rejected",
                "a list is no string",
            ),
            (
                Make::Claims(&[("hd", r#""example.com""#), ("a", r#"{"b":1}"#)]),
                "claims_rejected",
                "a number is no string",
            ),
            (
                Make::Claims(&[("hd", r#""example.com""#), ("a", r#"{"b":"c","b":"c"}"#)]),
                "claims_rejected",
                "one of two is not chosen",
            ),
            (
                Make::Claims(&[("hd", r#""example.com.evil.example""#), ("a", r#"{"b":"c"}"#)]),
                "claims_rejected",
                "no prefix",
            ),
            (
                Make::Claims(&[("hd", r#"null"#), ("a", r#"{"b":"c"}"#)]),
                "claims_rejected",
                "null is no string",
            ),
            (
                Make::Claims(&[("aud", r#""x""#)]),
                "audience_not_allowed",
                "the audience comes first",
            ),
        ],
    },
    Group {
        provider: "",
        policy: r#", audiences: [orders]"#,
        rows: &[
            (
                Make::Claims(&[]),
                "audience_not_allowed",
                "the policy's audience besides the provider's",
            ),
            (
                Make::Claims(&[("aud", r#""orders""#)]),
                "audience_not_allowed",
                "the provider's audience besides the policy's",
            ),
            (Make::Claims(&[("aud", r#"["test-api","Orders"]"#)]), "audience_not_allowed", "exact"),
        ],
    },
    Group {
        provider: "",
        policy: r#", scopes: { all_of: [read, write], any_of: [x, y] }"#,
        rows: &[
            (Make::Claims(&[]), "scope_insufficient", "none"),
            (Make::Claims(&[("scope", r#""read""#)]), "scope_insufficient", "one of two"),
            (Make::Claims(&[("scope", r#""read write""#)]), "scope_insufficient", "none of any_of"),
            (
                Make::Claims(&[("scope", r#""read x""#)]),
                "scope_insufficient",
                "one of all_of is missing",
            ),
            (
                Make::Claims(&[("scope", r#""READ WRITE X""#)]),
                "scope_insufficient",
                "scopes are exact",
            ),
            (
                Make::Claims(&[("scope", r#""read,write,x""#)]),
                "scope_insufficient",
                "a comma separates nothing",
            ),
            (
                Make::Claims(&[("scope", r#""read\twrite\tx""#)]),
                "scope_insufficient",
                "a tab separates nothing",
            ),
            (
                Make::Claims(&[("scope", r#"["read write x"]"#)]),
                "scope_insufficient",
                "one scope with spaces",
            ),
            (
                Make::Claims(&[("scope", r#"["read","write","x",1]"#)]),
                "scope_insufficient",
                "not only texts",
            ),
            (Make::Claims(&[("scope", r#"{"read":1}"#)]), "scope_insufficient", "an object"),
            (
                Make::Claims(&[("scopes", r#""read write x""#)]),
                "scope_insufficient",
                "another claim",
            ),
            (
                Make::Claims(&[("scope", r#""read""#), ("scp", r#""write""#)]),
                "scope_insufficient",
                "the union lacks any_of",
            ),
        ],
    },
    Group {
        provider: r#"  algorithms: [RS256]
"#,
        policy: "",
        rows: &[(
            Make::Claims(&[]),
            "algorithm_not_allowed",
            "an algorithm that the provider does not name, with a key that it has",
        )],
    },
    Group {
        provider: r#"  leeway: 0s
"#,
        policy: "",
        rows: &[
            (Make::Date("exp", -2), "token_expired", "no leeway"),
            (Make::Date("nbf", 30), "token_not_yet_valid", "no leeway"),
            (Make::Date("iat", 30), "token_not_yet_valid", "no leeway"),
        ],
    },
    Group {
        provider: r#"  audience_claim: client_id
"#,
        policy: "",
        rows: &[
            (Make::Claims(&[]), "audience_not_allowed", "another claim carries the audience"),
            (Make::Claims(&[("client_id", r#""x""#)]), "audience_not_allowed", "another client"),
            (Make::Claims(&[("client_id", r#"1"#)]), "claims_malformed", "no string"),
        ],
    },
];

#[tokio::test]
async fn a_token_that_does_not_meet_its_provider_and_policy_is_refused() {
    check(GROUPS).await;
}
