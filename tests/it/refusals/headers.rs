//! Headers that are not what they should be, and keys that are none.

use super::{Group, Make, check};

pub(super) const GROUPS: &[Group] = &[
    Group {
        provider: "",
        policy: "",
        rows: &[
            (
                Make::Header(&[("alg", r#""""#)]),
                "algorithm_not_allowed",
                "no algorithm of the provider, or no algorithm",
            ),
            (
                Make::Header(&[("alg", r#""es256""#)]),
                "algorithm_not_allowed",
                "no algorithm of the provider, or no algorithm",
            ),
            (
                Make::Header(&[("alg", r#""Es256""#)]),
                "algorithm_not_allowed",
                "no algorithm of the provider, or no algorithm",
            ),
            (
                Make::Header(&[("alg", r#""ES256 ""#)]),
                "algorithm_not_allowed",
                "no algorithm of the provider, or no algorithm",
            ),
            (
                Make::Header(&[("alg", r#"" ES256""#)]),
                "algorithm_not_allowed",
                "no algorithm of the provider, or no algorithm",
            ),
            (
                Make::Header(&[("alg", r#""ES257""#)]),
                "algorithm_not_allowed",
                "no algorithm of the provider, or no algorithm",
            ),
            (
                Make::Header(&[("alg", r#""ES256K""#)]),
                "algorithm_not_allowed",
                "no algorithm of the provider, or no algorithm",
            ),
            (
                Make::Header(&[("alg", r#""RSA""#)]),
                "algorithm_not_allowed",
                "no algorithm of the provider, or no algorithm",
            ),
            (
                Make::Header(&[("alg", r#""RS1""#)]),
                "algorithm_not_allowed",
                "no algorithm of the provider, or no algorithm",
            ),
            (
                Make::Header(&[("alg", r#""RS128""#)]),
                "algorithm_not_allowed",
                "no algorithm of the provider, or no algorithm",
            ),
            (
                Make::Header(&[("alg", r#""HS256""#)]),
                "algorithm_not_allowed",
                "no algorithm of the provider, or no algorithm",
            ),
            (
                Make::Header(&[("alg", r#""HS384""#)]),
                "algorithm_not_allowed",
                "no algorithm of the provider, or no algorithm",
            ),
            (
                Make::Header(&[("alg", r#""HS512""#)]),
                "algorithm_not_allowed",
                "no algorithm of the provider, or no algorithm",
            ),
            (
                Make::Header(&[("alg", r#""HS1""#)]),
                "algorithm_not_allowed",
                "no algorithm of the provider, or no algorithm",
            ),
            (
                Make::Header(&[("alg", r#""dir""#)]),
                "algorithm_not_allowed",
                "no algorithm of the provider, or no algorithm",
            ),
            (
                Make::Header(&[("alg", r#""A128KW""#)]),
                "algorithm_not_allowed",
                "no algorithm of the provider, or no algorithm",
            ),
            (
                Make::Header(&[("alg", r#""RSA-OAEP""#)]),
                "algorithm_not_allowed",
                "no algorithm of the provider, or no algorithm",
            ),
            (
                Make::Header(&[("alg", r#""ECDH-ES""#)]),
                "algorithm_not_allowed",
                "no algorithm of the provider, or no algorithm",
            ),
            (
                Make::Header(&[("alg", r#""PBES2-HS256+A128KW""#)]),
                "algorithm_not_allowed",
                "no algorithm of the provider, or no algorithm",
            ),
            (
                Make::Header(&[("alg", r#""Ed448""#)]),
                "algorithm_not_allowed",
                "no algorithm of the provider, or no algorithm",
            ),
            (
                Make::Header(&[("alg", r#""ed25519""#)]),
                "algorithm_not_allowed",
                "no algorithm of the provider, or no algorithm",
            ),
            (
                Make::Header(&[("alg", r#""EDDSA""#)]),
                "algorithm_not_allowed",
                "no algorithm of the provider, or no algorithm",
            ),
            (
                Make::Header(&[("alg", r#""ESP256""#)]),
                "algorithm_not_allowed",
                "no algorithm of the provider, or no algorithm",
            ),
            (
                Make::Header(&[("alg", r#""ML-DSA-44""#)]),
                "algorithm_not_allowed",
                "no algorithm of the provider, or no algorithm",
            ),
            (
                Make::Header(&[("alg", r#""ES256\u0000""#)]),
                "algorithm_not_allowed",
                "no algorithm of the provider, or no algorithm",
            ),
            (
                Make::Header(&[("alg", r#""null""#)]),
                "algorithm_not_allowed",
                "no algorithm of the provider, or no algorithm",
            ),
            (
                Make::Header(&[("alg", r#""true""#)]),
                "algorithm_not_allowed",
                "no algorithm of the provider, or no algorithm",
            ),
            (Make::Header(&[("alg", r#""none""#)]), "token_malformed", "unsigned, in any case"),
            (Make::Header(&[("alg", r#""None""#)]), "token_malformed", "unsigned, in any case"),
            (Make::Header(&[("alg", r#""NONE""#)]), "token_malformed", "unsigned, in any case"),
            (Make::Header(&[("alg", r#""nOnE""#)]), "token_malformed", "unsigned, in any case"),
            (Make::Header(&[("alg", r#""#)]), "token_malformed", "alg is a string"),
            (Make::Header(&[("alg", r#"null"#)]), "token_malformed", "alg is a string"),
            (Make::Header(&[("alg", r#"1"#)]), "token_malformed", "alg is a string"),
            (Make::Header(&[("alg", r#"true"#)]), "token_malformed", "alg is a string"),
            (Make::Header(&[("alg", r#"["ES256"]"#)]), "token_malformed", "alg is a string"),
            (Make::Header(&[("alg", r#"{"a":"ES256"}"#)]), "token_malformed", "alg is a string"),
            (
                Make::Header(&[("alg", r#""RS256""#)]),
                "algorithm_not_allowed",
                "a known kid, but not for this algorithm",
            ),
            (
                Make::Header(&[("alg", r#""RS384""#)]),
                "algorithm_not_allowed",
                "a known kid, but not for this algorithm",
            ),
            (
                Make::Header(&[("alg", r#""RS512""#)]),
                "algorithm_not_allowed",
                "a known kid, but not for this algorithm",
            ),
            (
                Make::Header(&[("alg", r#""PS256""#)]),
                "algorithm_not_allowed",
                "a known kid, but not for this algorithm",
            ),
            (
                Make::Header(&[("alg", r#""PS384""#)]),
                "algorithm_not_allowed",
                "a known kid, but not for this algorithm",
            ),
            (
                Make::Header(&[("alg", r#""PS512""#)]),
                "algorithm_not_allowed",
                "a known kid, but not for this algorithm",
            ),
            (
                Make::Header(&[("alg", r#""ES384""#)]),
                "algorithm_not_allowed",
                "a known kid, but not for this algorithm",
            ),
            (
                Make::Header(&[("alg", r#""ES512""#)]),
                "algorithm_not_allowed",
                "a known kid, but not for this algorithm",
            ),
            (
                Make::Header(&[("alg", r#""EdDSA""#)]),
                "algorithm_not_allowed",
                "a known kid, but not for this algorithm",
            ),
            (
                Make::Header(&[("alg", r#""Ed25519""#)]),
                "algorithm_not_allowed",
                "a known kid, but not for this algorithm",
            ),
            (
                Make::Header(&[("alg", r#""RS256""#), ("kid", r#""RS256-1""#)]),
                "signature_invalid",
                "an ES256 signature that calls itself RS256",
            ),
            (
                Make::Header(&[("alg", r#""PS256""#), ("kid", r#""RS256-1""#)]),
                "algorithm_not_allowed",
                "an RS256 key is none for PS256",
            ),
            (
                Make::Header(&[("alg", r#""ES256""#), ("kid", r#""ES384-1""#)]),
                "algorithm_not_allowed",
                "a P-384 key is none for ES256",
            ),
            (
                Make::Header(&[("alg", r#""ES384""#), ("kid", r#""ES384-1""#)]),
                "signature_invalid",
                "an ES256 signature that calls itself ES384",
            ),
            (
                Make::Header(&[("alg", r#""ES384""#), ("kid", r#""#)]),
                "signature_invalid",
                "without a kid, the wrong curve",
            ),
            (
                Make::Header(&[("alg", r#""RS256""#), ("kid", r#""#)]),
                "signature_invalid",
                "without a kid, the wrong type",
            ),
            (
                Make::Header(&[("alg", r#""PS256""#), ("kid", r#""#)]),
                "key_unknown",
                "without a kid, no key that fits",
            ),
            (
                Make::Header(&[("alg", r#""ES512""#), ("kid", r#""#)]),
                "key_unknown",
                "without a kid, no key that fits",
            ),
        ],
    },
    Group {
        provider: "",
        policy: "",
        rows: &[
            (
                Make::Header(&[("kid", r#""""#)]),
                "key_unknown",
                "a kid is a name in a set, and nothing else",
            ),
            (
                Make::Header(&[("kid", r#""k""#)]),
                "key_unknown",
                "a kid is a name in a set, and nothing else",
            ),
            (
                Make::Header(&[("kid", r#""ES256""#)]),
                "key_unknown",
                "a kid is a name in a set, and nothing else",
            ),
            (
                Make::Header(&[("kid", r#""es256-1""#)]),
                "key_unknown",
                "a kid is a name in a set, and nothing else",
            ),
            (
                Make::Header(&[("kid", r#""ES256-1 ""#)]),
                "key_unknown",
                "a kid is a name in a set, and nothing else",
            ),
            (
                Make::Header(&[("kid", r#"" ES256-1""#)]),
                "key_unknown",
                "a kid is a name in a set, and nothing else",
            ),
            (
                Make::Header(&[("kid", r#""ES256-1\u0000""#)]),
                "key_unknown",
                "a kid is a name in a set, and nothing else",
            ),
            (
                Make::Header(&[("kid", r#""ES256-1/""#)]),
                "key_unknown",
                "a kid is a name in a set, and nothing else",
            ),
            (
                Make::Header(&[("kid", r#""../ES256-1""#)]),
                "key_unknown",
                "a kid is a name in a set, and nothing else",
            ),
            (
                Make::Header(&[("kid", r#""../../../../dev/null""#)]),
                "key_unknown",
                "a kid is a name in a set, and nothing else",
            ),
            (
                Make::Header(&[("kid", r#""/etc/passwd""#)]),
                "key_unknown",
                "a kid is a name in a set, and nothing else",
            ),
            (
                Make::Header(&[("kid", r#""file:///etc/passwd""#)]),
                "key_unknown",
                "a kid is a name in a set, and nothing else",
            ),
            (
                Make::Header(&[("kid", r#""http://evil.example/k""#)]),
                "key_unknown",
                "a kid is a name in a set, and nothing else",
            ),
            (
                Make::Header(&[("kid", r#""ES256-1' OR '1'='1""#)]),
                "key_unknown",
                "a kid is a name in a set, and nothing else",
            ),
            (
                Make::Header(&[("kid", r#""ES256-1; DROP TABLE keys""#)]),
                "key_unknown",
                "a kid is a name in a set, and nothing else",
            ),
            (
                Make::Header(&[("kid", r#""${jndi:ldap://evil.example}""#)]),
                "key_unknown",
                "a kid is a name in a set, and nothing else",
            ),
            (
                Make::Header(&[("kid", r#""$(id)""#)]),
                "key_unknown",
                "a kid is a name in a set, and nothing else",
            ),
            (
                Make::Header(&[("kid", r#""|id""#)]),
                "key_unknown",
                "a kid is a name in a set, and nothing else",
            ),
            (
                Make::Header(&[("kid", r#""%00""#)]),
                "key_unknown",
                "a kid is a name in a set, and nothing else",
            ),
            (
                Make::Header(&[("kid", r#""0""#)]),
                "key_unknown",
                "a kid is a name in a set, and nothing else",
            ),
            (
                Make::Header(&[("kid", r#""*""#)]),
                "key_unknown",
                "a kid is a name in a set, and nothing else",
            ),
            (
                Make::Header(&[("kid", r#""ES256-1,RS256-1""#)]),
                "key_unknown",
                "a kid is a name in a set, and nothing else",
            ),
            (
                Make::Header(&[("kid", r#""\uff25S256-1""#)]),
                "key_unknown",
                "a kid is a name in a set, and nothing else",
            ),
            (
                Make::Header(&[("kid", r#""\ud83e\udd80""#)]),
                "key_unknown",
                "a kid is a name in a set, and nothing else",
            ),
            (Make::Header(&[("kid", r#"null"#)]), "token_malformed", "kid is a string"),
            (Make::Header(&[("kid", r#"1"#)]), "token_malformed", "kid is a string"),
            (Make::Header(&[("kid", r#"true"#)]), "token_malformed", "kid is a string"),
            (Make::Header(&[("kid", r#"["ES256-1"]"#)]), "token_malformed", "kid is a string"),
            (Make::Header(&[("kid", r#"{"a":"ES256-1"}"#)]), "token_malformed", "kid is a string"),
            (Make::Header(&[("kid", r#""\ud800""#)]), "token_malformed", "kid is a string"),
            (
                Make::Header(&[("crit", r#"["exp"]"#)]),
                "critical_header_unsupported",
                "an extension that is not understood (RFC 7515 section 4.1.11)",
            ),
            (
                Make::Header(&[("crit", r#"["b64"]"#)]),
                "critical_header_unsupported",
                "an extension that is not understood (RFC 7515 section 4.1.11)",
            ),
            (
                Make::Header(&[("crit", r#"[]"#)]),
                "critical_header_unsupported",
                "an extension that is not understood (RFC 7515 section 4.1.11)",
            ),
            (
                Make::Header(&[("crit", r#"null"#)]),
                "critical_header_unsupported",
                "an extension that is not understood (RFC 7515 section 4.1.11)",
            ),
            (
                Make::Header(&[("crit", r#""exp""#)]),
                "critical_header_unsupported",
                "an extension that is not understood (RFC 7515 section 4.1.11)",
            ),
            (
                Make::Header(&[("crit", r#"["alg"]"#)]),
                "critical_header_unsupported",
                "an extension that is not understood (RFC 7515 section 4.1.11)",
            ),
            (
                Make::Header(&[("crit", r#"true"#)]),
                "critical_header_unsupported",
                "an extension that is not understood (RFC 7515 section 4.1.11)",
            ),
            (
                Make::Header(&[("crit", r#"{}"#)]),
                "critical_header_unsupported",
                "an extension that is not understood (RFC 7515 section 4.1.11)",
            ),
            (
                Make::Header(&[("b64", r#"false"#)]),
                "critical_header_unsupported",
                "an unencoded payload (RFC 7797)",
            ),
            (
                Make::Header(&[("b64", r#"true"#)]),
                "critical_header_unsupported",
                "an unencoded payload (RFC 7797)",
            ),
            (
                Make::Header(&[("b64", r#"null"#)]),
                "critical_header_unsupported",
                "an unencoded payload (RFC 7797)",
            ),
            (
                Make::Header(&[("typ", r#""""#)]),
                "token_type_not_allowed",
                "a token of another kind",
            ),
            (
                Make::Header(&[("typ", r#""id+jwt""#)]),
                "token_type_not_allowed",
                "a token of another kind",
            ),
            (
                Make::Header(&[("typ", r#""ID""#)]),
                "token_type_not_allowed",
                "a token of another kind",
            ),
            (
                Make::Header(&[("typ", r#""JWS""#)]),
                "token_type_not_allowed",
                "a token of another kind",
            ),
            (
                Make::Header(&[("typ", r#""JOSE""#)]),
                "token_type_not_allowed",
                "a token of another kind",
            ),
            (
                Make::Header(&[("typ", r#""dpop+jwt""#)]),
                "token_type_not_allowed",
                "a token of another kind",
            ),
            (
                Make::Header(&[("typ", r#""logout+jwt""#)]),
                "token_type_not_allowed",
                "a token of another kind",
            ),
            (
                Make::Header(&[("typ", r#""secevent+jwt""#)]),
                "token_type_not_allowed",
                "a token of another kind",
            ),
            (
                Make::Header(&[("typ", r#""kb+jwt""#)]),
                "token_type_not_allowed",
                "a token of another kind",
            ),
            (
                Make::Header(&[("typ", r#""vc+sd-jwt""#)]),
                "token_type_not_allowed",
                "a token of another kind",
            ),
            (
                Make::Header(&[("typ", r#""oauth-authz-req+jwt""#)]),
                "token_type_not_allowed",
                "a token of another kind",
            ),
            (
                Make::Header(&[("typ", r#""at+jwt ""#)]),
                "token_type_not_allowed",
                "a token of another kind",
            ),
            (
                Make::Header(&[("typ", r#""at-jwt""#)]),
                "token_type_not_allowed",
                "a token of another kind",
            ),
            (
                Make::Header(&[("typ", r#""text/jwt""#)]),
                "token_type_not_allowed",
                "a token of another kind",
            ),
            (
                Make::Header(&[("typ", r#""application/""#)]),
                "token_type_not_allowed",
                "a token of another kind",
            ),
            (
                Make::Header(&[("typ", r#""application/application/jwt""#)]),
                "token_type_not_allowed",
                "a token of another kind",
            ),
            (
                Make::Header(&[("typ", r#""jwt/application""#)]),
                "token_type_not_allowed",
                "a token of another kind",
            ),
            (Make::Header(&[("typ", r#"null"#)]), "token_malformed", "typ is a string"),
            (Make::Header(&[("typ", r#"1"#)]), "token_malformed", "typ is a string"),
            (Make::Header(&[("typ", r#"["JWT"]"#)]), "token_malformed", "typ is a string"),
            (Make::Header(&[("typ", r#"{}"#)]), "token_malformed", "typ is a string"),
        ],
    },
    Group {
        provider: "",
        policy: "",
        rows: &[
            (
                Make::Foreign(r#"{"alg":"ES256","kid":"ES256-1"}"#),
                "signature_invalid",
                "another's key, whatever the header brings or points to",
            ),
            (
                Make::Foreign(r#"{"alg":"ES256"}"#),
                "signature_invalid",
                "another's key, whatever the header brings or points to",
            ),
            (
                Make::Foreign(
                    r#"{"alg":"ES256","kid":"ES256-1","jwk":{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}}"#,
                ),
                "signature_invalid",
                "another's key, whatever the header brings or points to",
            ),
            (
                Make::Foreign(
                    r#"{"alg":"ES256","kid":"ES256-1","jku":"https://evil.example/jwks"}"#,
                ),
                "signature_invalid",
                "another's key, whatever the header brings or points to",
            ),
            (
                Make::Foreign(
                    r#"{"alg":"ES256","kid":"ES256-1","x5u":"https://evil.example/cert"}"#,
                ),
                "signature_invalid",
                "another's key, whatever the header brings or points to",
            ),
            (
                Make::Foreign(r#"{"alg":"ES256","kid":"ES256-1","x5c":["MIIB"]}"#),
                "signature_invalid",
                "another's key, whatever the header brings or points to",
            ),
            (
                Make::Foreign(r#"{"alg":"ES256","kid":"ES256-1","x5t":"AA","x5t#S256":"AA"}"#),
                "signature_invalid",
                "another's key, whatever the header brings or points to",
            ),
            (
                Make::Foreign(
                    r#"{"alg":"ES256","kid":"ES256-1","url":"https://a.example","nonce":"x"}"#,
                ),
                "signature_invalid",
                "another's key, whatever the header brings or points to",
            ),
            (
                Make::Foreign(r#"{"alg":"ES256","kid":"ES256-1","enc":"A128GCM","zip":"DEF"}"#),
                "signature_invalid",
                "another's key, whatever the header brings or points to",
            ),
            (Make::Foreign(r#"{"alg":"ES256","kid":"evil"}"#), "key_unknown", "another's kid"),
            (
                Make::Foreign(r#"{"alg":"RS256","kid":"ES256-1"}"#),
                "algorithm_not_allowed",
                "the kid of a key of another type",
            ),
        ],
    },
];

#[tokio::test]
async fn a_token_with_a_wrong_header_or_key_is_refused_for_it() {
    check(GROUPS).await;
}
