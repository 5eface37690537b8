//! The names that rules may use, and what a wrong one may have meant.
//!
//! It holds no values; those are filled in per request.

use crate::policy::rule::RuleError;

/// The variables.
const VARIABLES: &str = "claims, provider, scopes, now, request";
/// The members of `request`.
const ATTRIBUTES: &str = "request.method, request.path, request.host, request.headers";
/// Types, for `type(claims.x) == int`.
pub(super) const TYPES: [&str; 9] =
    ["bool", "bytes", "double", "int", "list", "map", "null_type", "string", "uint"];

/// Operators and functions whose value is never a boolean.
pub(super) const NUMERIC: [&str; 16] = [
    "_+_",
    "_-_",
    "_*_",
    "_/_",
    "_%_",
    "-_",
    "size",
    "string",
    "int",
    "uint",
    "double",
    "bytes",
    "type",
    "lowerAscii",
    "upperAscii",
    "_?._",
];

const OPERATORS: [&str; 20] = [
    "_?_:_", "_&&_", "_||_", "!_", "_-_", "_+_", "_*_", "_/_", "_%_", "_==_", "_!=_", "_>=_",
    "_<=_", "_>_", "_<_", "-_", "_[_]", "_[?_]", "_?._", "@in",
];
const FUNCTIONS: [&str; 18] = [
    "@not_strictly_false",
    "size",
    "contains",
    "startsWith",
    "endsWith",
    "lowerAscii",
    "upperAscii",
    "string",
    "int",
    "uint",
    "double",
    "bool",
    "bytes",
    "type",
    "dyn",
    "orValue",
    "hasValue",
    "value",
];
/// The same, for a message.
pub(super) const FUNCTIONS_TEXT: &str = "has, all, exists, exists_one, filter, map, size, contains, startsWith, endsWith, matches, \
     lowerAscii, upperAscii, string, int, uint, double, bool, bytes, type, dyn, orValue, hasValue, value";

/// How others call the token's claims.
const OTHERS: [&str; 8] =
    ["jwt", "auth", "token", "claim", "payload", "jwt_claims", "identity", "user"];

const PATTERN: &str = "@pattern:";
const TOLL: &str = "@toll:";

/// A function that rules may call.
pub(super) enum Function {
    /// Its last argument is a pattern.
    Matches,
    /// Any other.
    Plain,
}

impl Function {
    pub(super) fn of(name: &str) -> Option<Self> {
        if name == "matches" {
            return Some(Self::Matches);
        }
        let known = OPERATORS.contains(&name) || FUNCTIONS.contains(&name);
        known.then_some(Self::Plain)
    }
}

/// The variable that stands for the pattern of this number.
pub(super) fn pattern(number: usize) -> String {
    format!("{PATTERN}{number}")
}

/// Which pattern a variable stands for.
pub(super) fn pattern_number(name: &str) -> Option<usize> {
    name.strip_prefix(PATTERN)?.parse().ok()
}

/// The variable whose reading costs this many steps.
pub(super) fn toll(steps: u64) -> String {
    format!("{TOLL}{steps}")
}

/// What reading a variable costs.
pub(super) fn toll_of(name: &str) -> Option<u64> {
    name.strip_prefix(TOLL)?.parse().ok()
}

/// Whether a loop variable would hide something.
pub(super) fn is_taken(name: &str) -> bool {
    VARIABLES.split(", ").any(|taken| taken == name) || TYPES.contains(&name)
}

/// A variable that does not exist.
pub(super) fn unknown(name: &str) -> RuleError {
    if name == "request" {
        return unknown_attribute("");
    }
    let hint = match name {
        _ if OTHERS.contains(&name) => "; did you mean `claims.`?",
        "iss" | "sub" | "aud" | "groups" | "roles" | "email" => "; a claim is read as claims.NAME",
        "scope" | "scp" => "; did you mean `scopes`?",
        "issuer" => "; did you mean `claims.iss` or `provider`?",
        "headers" | "path" | "method" | "host" | "http" | "req" => "; did you mean `request.`?",
        _other => "",
    };
    RuleError::UnknownName { name: name.to_owned(), hint: hint.to_owned(), accepted: VARIABLES }
}

/// A member of a variable that does not exist, where the two together tell what was meant.
pub(super) fn unknown_member(variable: &str, member: &str) -> Option<RuleError> {
    if !OTHERS.contains(&variable) {
        return None;
    }
    let name = format!("{variable}.{member}");
    let hint = match member {
        "claims" | "payload" => "; did you mean `claims.`?".to_owned(),
        _a_claim => format!("; did you mean `claims.{member}`?"),
    };
    Some(RuleError::UnknownName { name, hint, accepted: VARIABLES })
}

/// A member of `request` that does not exist.
pub(super) fn unknown_attribute(member: &str) -> RuleError {
    let (name, hint) = match member {
        "" => ("request alone".to_owned(), ""),
        "url" | "uri" | "url_path" | "query" => {
            (format!("request.{member}"), "; did you mean `request.path`?")
        }
        "header" => (format!("request.{member}"), "; did you mean `request.headers`?"),
        _other => (format!("request.{member}"), ""),
    };
    RuleError::UnknownName { name, hint: hint.to_owned(), accepted: ATTRIBUTES }
}

/// Refuses a header that no rule ever sees.
pub(super) fn header(name: &str) -> Result<(), RuleError> {
    if is_hidden(name) {
        return Err(RuleError::HiddenHeader(name.to_owned()));
    }
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err(RuleError::HeaderCase(name.to_owned()));
    }
    Ok(())
}

/// Whether rules never see the header of this name: credentials, and what `request.host` and
/// `request.path` give in one spelling.
#[must_use]
pub fn is_hidden(name: &str) -> bool {
    let hidden = ["authorization", "proxy-authorization", "cookie", "host"];
    name.starts_with(':') || hidden.iter().any(|hidden| name.eq_ignore_ascii_case(hidden))
}
