//! Claims that are not what they should be.

use super::{Group, Make, check};

pub(super) const GROUPS: &[Group] = &[
    Group {
        provider: "",
        policy: "",
        rows: &[
            (
                Make::Claims(&[("iss", r#""https://a.example/""#)]),
                "issuer_not_allowed",
                "the issuer is exact: a slash more",
            ),
            (
                Make::Claims(&[("iss", r#""http://a.example""#)]),
                "issuer_not_allowed",
                "the issuer is exact: another scheme",
            ),
            (
                Make::Claims(&[("iss", r#""HTTPS://a.example""#)]),
                "issuer_not_allowed",
                "the issuer is exact: upper case",
            ),
            (
                Make::Claims(&[("iss", r#""https://A.EXAMPLE""#)]),
                "issuer_not_allowed",
                "the issuer is exact: upper case in the host",
            ),
            (
                Make::Claims(&[("iss", r#""https://a.example.evil.example""#)]),
                "issuer_not_allowed",
                "the issuer is exact: a longer host",
            ),
            (
                Make::Claims(&[("iss", r#""https://a.exampl""#)]),
                "issuer_not_allowed",
                "the issuer is exact: a shorter host",
            ),
            (
                Make::Claims(&[("iss", r#""https://a.example/x""#)]),
                "issuer_not_allowed",
                "the issuer is exact: a path",
            ),
            (
                Make::Claims(&[("iss", r#""https://a.example?x""#)]),
                "issuer_not_allowed",
                "the issuer is exact: a query",
            ),
            (
                Make::Claims(&[("iss", r#""https://a.example#x""#)]),
                "issuer_not_allowed",
                "the issuer is exact: a fragment",
            ),
            (
                Make::Claims(&[("iss", r#""https://a.example:443""#)]),
                "issuer_not_allowed",
                "the issuer is exact: the default port",
            ),
            (
                Make::Claims(&[("iss", r#"" https://a.example""#)]),
                "issuer_not_allowed",
                "the issuer is exact: white space before",
            ),
            (
                Make::Claims(&[("iss", r#""https://a.example ""#)]),
                "issuer_not_allowed",
                "the issuer is exact: white space after",
            ),
            (
                Make::Claims(&[("iss", r#""https://user@a.example""#)]),
                "issuer_not_allowed",
                "the issuer is exact: a user",
            ),
            (
                Make::Claims(&[("iss", r#""""#)]),
                "issuer_not_allowed",
                "the issuer is exact: no text",
            ),
            (
                Make::Claims(&[("iss", r#""a""#)]),
                "issuer_not_allowed",
                "the issuer is exact: the provider's name",
            ),
            (
                Make::Claims(&[("iss", r#""https://xn--a.example""#)]),
                "issuer_not_allowed",
                "the issuer is exact: another name",
            ),
            (
                Make::Claims(&[("iss", r#""https://a.example\u0000""#)]),
                "issuer_not_allowed",
                "the issuer is exact: a NUL",
            ),
            (
                Make::Claims(&[("iss", r#""https://a%2Eexample""#)]),
                "issuer_not_allowed",
                "the issuer is exact: an encoded dot",
            ),
            (
                Make::Claims(&[("iss", r#""https://\u0430.example""#)]),
                "issuer_not_allowed",
                "the issuer is exact: a Cyrillic letter",
            ),
            (
                Make::Claims(&[("iss", r#""*""#)]),
                "issuer_not_allowed",
                "the issuer is exact: a wildcard",
            ),
            (Make::Claims(&[("iss", r#""#)]), "issuer_not_allowed", "no issuer"),
            (Make::Claims(&[("iss", r#"null"#)]), "issuer_not_allowed", "null is no issuer"),
            (Make::Claims(&[("iss", r#"1"#)]), "issuer_not_allowed", "a number is no issuer"),
            (Make::Claims(&[("iss", r#"true"#)]), "issuer_not_allowed", "a boolean is no issuer"),
            (
                Make::Claims(&[("iss", r#"["https://a.example"]"#)]),
                "issuer_not_allowed",
                "jsonwebtoken takes an array",
            ),
            (
                Make::Claims(&[("iss", r#"{"a":"https://a.example"}"#)]),
                "issuer_not_allowed",
                "an object is no issuer",
            ),
            (
                Make::Claims(&[("iss", r#""\ud800""#)]),
                "issuer_not_allowed",
                "a lone surrogate is no text",
            ),
        ],
    },
    Group {
        provider: "",
        policy: "",
        rows: &[
            (
                Make::Claims(&[("exp", r#""1700000000""#)]),
                "claims_malformed",
                "exp is no date: a string",
            ),
            (Make::Claims(&[("exp", r#"true"#)]), "claims_malformed", "exp is no date: a boolean"),
            (Make::Claims(&[("exp", r#"null"#)]), "claims_malformed", "exp is no date: null"),
            (Make::Claims(&[("exp", r#"[1]"#)]), "claims_malformed", "exp is no date: an array"),
            (Make::Claims(&[("exp", r#"{}"#)]), "claims_malformed", "exp is no date: an object"),
            (Make::Claims(&[("exp", r#"-1"#)]), "claims_malformed", "exp is no date: negative"),
            (Make::Claims(&[("exp", r#"-0.5"#)]), "claims_malformed", "exp is no date: negative"),
            (Make::Claims(&[("exp", r#"1e300"#)]), "claims_malformed", "exp is no date: huge"),
            (Make::Claims(&[("exp", r#"1e999"#)]), "claims_malformed", "exp is no date: infinite"),
            (
                Make::Claims(&[("exp", r#"9007199254740993"#)]),
                "claims_malformed",
                "exp is no date: beyond 2^53",
            ),
            (
                Make::Claims(&[("exp", r#"9.1e15"#)]),
                "claims_malformed",
                "exp is no date: beyond 2^53, with an exponent",
            ),
            (
                Make::Claims(&[("exp", r#"18446744073709551616"#)]),
                "claims_malformed",
                "exp is no date: beyond 64 bits",
            ),
            (
                Make::Claims(&[("nbf", r#""1700000000""#)]),
                "claims_malformed",
                "nbf is no date: a string",
            ),
            (Make::Claims(&[("nbf", r#"true"#)]), "claims_malformed", "nbf is no date: a boolean"),
            (Make::Claims(&[("nbf", r#"null"#)]), "claims_malformed", "nbf is no date: null"),
            (Make::Claims(&[("nbf", r#"[1]"#)]), "claims_malformed", "nbf is no date: an array"),
            (Make::Claims(&[("nbf", r#"{}"#)]), "claims_malformed", "nbf is no date: an object"),
            (Make::Claims(&[("nbf", r#"-1"#)]), "claims_malformed", "nbf is no date: negative"),
            (Make::Claims(&[("nbf", r#"-0.5"#)]), "claims_malformed", "nbf is no date: negative"),
            (Make::Claims(&[("nbf", r#"1e300"#)]), "claims_malformed", "nbf is no date: huge"),
            (Make::Claims(&[("nbf", r#"1e999"#)]), "claims_malformed", "nbf is no date: infinite"),
            (
                Make::Claims(&[("nbf", r#"9007199254740993"#)]),
                "claims_malformed",
                "nbf is no date: beyond 2^53",
            ),
            (
                Make::Claims(&[("nbf", r#"9.1e15"#)]),
                "claims_malformed",
                "nbf is no date: beyond 2^53, with an exponent",
            ),
            (
                Make::Claims(&[("nbf", r#"18446744073709551616"#)]),
                "claims_malformed",
                "nbf is no date: beyond 64 bits",
            ),
            (
                Make::Claims(&[("iat", r#""1700000000""#)]),
                "claims_malformed",
                "iat is no date: a string",
            ),
            (Make::Claims(&[("iat", r#"true"#)]), "claims_malformed", "iat is no date: a boolean"),
            (Make::Claims(&[("iat", r#"null"#)]), "claims_malformed", "iat is no date: null"),
            (Make::Claims(&[("iat", r#"[1]"#)]), "claims_malformed", "iat is no date: an array"),
            (Make::Claims(&[("iat", r#"{}"#)]), "claims_malformed", "iat is no date: an object"),
            (Make::Claims(&[("iat", r#"-1"#)]), "claims_malformed", "iat is no date: negative"),
            (Make::Claims(&[("iat", r#"-0.5"#)]), "claims_malformed", "iat is no date: negative"),
            (Make::Claims(&[("iat", r#"1e300"#)]), "claims_malformed", "iat is no date: huge"),
            (Make::Claims(&[("iat", r#"1e999"#)]), "claims_malformed", "iat is no date: infinite"),
            (
                Make::Claims(&[("iat", r#"9007199254740993"#)]),
                "claims_malformed",
                "iat is no date: beyond 2^53",
            ),
            (
                Make::Claims(&[("iat", r#"9.1e15"#)]),
                "claims_malformed",
                "iat is no date: beyond 2^53, with an exponent",
            ),
            (
                Make::Claims(&[("iat", r#"18446744073709551616"#)]),
                "claims_malformed",
                "iat is no date: beyond 64 bits",
            ),
            (Make::Claims(&[("exp", r#""#)]), "expiry_missing", "a token that never ends"),
            (Make::Claims(&[("exp", r#"0"#)]), "token_expired", "1970"),
            (Make::Claims(&[("exp", r#"1e3"#)]), "token_expired", "an exponent is a number"),
            (Make::Date("exp", -70), "token_expired", "past the leeway"),
            (Make::Date("exp", -864000), "token_expired", "long past"),
            (Make::Date("nbf", 70), "token_not_yet_valid", "beyond the leeway"),
            (Make::Date("iat", 70), "token_not_yet_valid", "issued in the future"),
            (Make::Date("nbf", 864000), "token_not_yet_valid", "far in the future"),
            (
                Make::Claims(&[("iat", r#"9007199254740992"#)]),
                "token_not_yet_valid",
                "the last date there is",
            ),
            (
                Make::Claims(&[("exp", r#"1"#), ("nbf", r#""x""#)]),
                "claims_malformed",
                "shape comes before time",
            ),
            (
                Make::Claims(&[("exp", r#"1"#), ("iat", r#"1e15"#)]),
                "token_expired",
                "expiry comes before start",
            ),
        ],
    },
    Group {
        provider: "",
        policy: "",
        rows: &[
            (Make::Claims(&[("aud", r#""#)]), "audience_not_allowed", "no audience"),
            (Make::Claims(&[("aud", r#""other""#)]), "audience_not_allowed", "another's token"),
            (
                Make::Claims(&[("aud", r#""TEST-API""#)]),
                "audience_not_allowed",
                "audiences are exact",
            ),
            (Make::Claims(&[("aud", r#""test-api/""#)]), "audience_not_allowed", "a slash more"),
            (Make::Claims(&[("aud", r#""test-api ""#)]), "audience_not_allowed", "a space more"),
            (Make::Claims(&[("aud", r#""test""#)]), "audience_not_allowed", "a prefix"),
            (
                Make::Claims(&[("aud", r#""test-api,other""#)]),
                "audience_not_allowed",
                "a list in a text",
            ),
            (
                Make::Claims(&[("aud", r#""test-api other""#)]),
                "audience_not_allowed",
                "a list in a text",
            ),
            (Make::Claims(&[("aud", r#""""#)]), "audience_not_allowed", "no text"),
            (Make::Claims(&[("aud", r#"[]"#)]), "audience_not_allowed", "an empty list"),
            (Make::Claims(&[("aud", r#"["other"]"#)]), "audience_not_allowed", "a list of others"),
            (
                Make::Claims(&[("aud", r#"["TEST-API","test-api2"]"#)]),
                "audience_not_allowed",
                "nearly, twice",
            ),
            (Make::Claims(&[("aud", r#""*""#)]), "audience_not_allowed", "a wildcard"),
            (
                Make::Claims(&[("aud", r#""any""#)]),
                "audience_not_allowed",
                "the word of the config",
            ),
            (Make::Claims(&[("aud", r#"1"#)]), "claims_malformed", "a number"),
            (Make::Claims(&[("aud", r#"null"#)]), "claims_malformed", "null"),
            (Make::Claims(&[("aud", r#"true"#)]), "claims_malformed", "a boolean"),
            (Make::Claims(&[("aud", r#"{}"#)]), "claims_malformed", "an object"),
            (
                Make::Claims(&[("aud", r#"{"test-api":1}"#)]),
                "claims_malformed",
                "an object with that name",
            ),
            (Make::Claims(&[("aud", r#"["test-api",1]"#)]), "claims_malformed", "not only texts"),
            (
                Make::Claims(&[("aud", r#"["test-api",null]"#)]),
                "claims_malformed",
                "not only texts",
            ),
            (Make::Claims(&[("aud", r#"[["test-api"]]"#)]), "claims_malformed", "a list in a list"),
        ],
    },
    Group {
        provider: "",
        policy: "",
        rows: &[
            (
                Make::Claims(&[("sub", r#"["a",["b"]]"#)]),
                "claims_malformed",
                "a nested list cannot be joined",
            ),
            (
                Make::Claims(&[("sub", r#"["a",{}]"#)]),
                "claims_malformed",
                "an object in a list cannot be joined",
            ),
            (
                Make::Claims(&[("sub", r#"["a",null]"#)]),
                "claims_malformed",
                "null in a list reads as absent",
            ),
            (
                Make::Claims(&[("sub", r#""\ud800""#)]),
                "claims_malformed",
                "a lone surrogate is no text",
            ),
            (
                Make::Claims(&[("sub", r#"{"a":1,"a":2}"#)]),
                "claims_malformed",
                "two readers, two values",
            ),
            (
                Make::Claims(&[("cnf", r#"{"jkt":"x"}"#)]),
                "token_type_not_allowed",
                "a DPoP-bound token",
            ),
            (
                Make::Claims(&[("cnf", r#"{"x5t#S256":"x"}"#)]),
                "token_type_not_allowed",
                "an mTLS-bound token",
            ),
            (Make::Claims(&[("cnf", r#"{}"#)]), "token_type_not_allowed", "an empty confirmation"),
            (
                Make::Claims(&[("cnf", r#"null"#)]),
                "token_type_not_allowed",
                "a confirmation that is null",
            ),
            (
                Make::Claims(&[("cnf", r#""x""#)]),
                "token_type_not_allowed",
                "a confirmation of another shape",
            ),
            (
                Make::Claims(&[("cnf", r#"false"#)]),
                "token_type_not_allowed",
                "a confirmation of another shape",
            ),
        ],
    },
];

#[tokio::test]
async fn a_token_with_a_wrong_claim_is_refused_for_it() {
    check(GROUPS).await;
}
