//! Whether a token, and the request that brought it, meet the conditions of a policy.
//!
//! It proves nothing about the token, and scopes are not its business (`check/authorize.rs`).

use std::borrow::Cow;

use crate::{
    check::{
        claims::Json,
        decision::{Denial, Reason},
        request::HttpView,
        verify::Statement,
    },
    clock::Now,
    header::{OwnedHeaders, plain_name},
    policy::{
        conditions::{ClaimCondition, Conditions, Scalar},
        rule::{self, Facts, Refusal, Unreadable},
        token_place::TokenPlace,
    },
};

/// What conditions may look at beside the token.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// What the client sent.
    pub http: &'a HttpView<'a>,
    /// The headers that only claimgate may set: rules never see what a client wrote there.
    pub owned: &'a OwnedHeaders,
    /// The time of the check.
    pub now: Now,
}

/// A condition that is not met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmet {
    /// `rule_denied`, or `request_malformed` where a rule looks at what cannot be read.
    pub reason: Reason,
    /// The rule, or the key of the policy, that says so.
    pub rule: Option<String>,
}

impl From<Reason> for Unmet {
    fn from(reason: Reason) -> Self {
        Self { reason, rule: None }
    }
}

/// Whether every condition is met: subjects, then claims, then rules.
///
/// # Errors
/// The first that is not.
pub fn check(
    statement: &Statement,
    conditions: &Conditions,
    places: &[TokenPlace],
    asked: Asked<'_>,
) -> Result<(), Unmet> {
    let denied = |rule: String| Unmet { reason: Denial::RuleDenied.into(), rule: Some(rule) };
    if !has_subject(statement, &conditions.subjects) {
        return Err(denied("subjects".to_owned()));
    }
    let unmet = conditions.claims.iter().position(|condition| !has_value(statement, condition));
    if let Some(index) = unmet {
        return Err(denied(format!("claims[{index}]")));
    }
    if conditions.rules.is_empty() {
        return Ok(());
    }
    conditions.rules.check(&Known { statement, places, asked }).map_err(|refusal| match refusal {
        Refusal::Rule(rule) => denied(rule.name.as_str().to_owned()),
        Refusal::Request(rule) => {
            let rule = Some(rule.name.as_str().to_owned());
            Unmet { reason: Denial::RequestMalformed.into(), rule }
        }
    })
}

fn has_subject(statement: &Statement, subjects: &[String]) -> bool {
    let subject = || statement.claims.member("sub").and_then(Json::string);
    subjects.is_empty() || subject().is_some_and(|own| subjects.iter().any(|one| *one == own))
}

fn has_value(statement: &Statement, condition: &ClaimCondition) -> bool {
    let Some(value) = statement.claims.find(&condition.claim) else { return false };
    match value.elements() {
        Some(mut elements) => elements.any(|one| is_one_of(one, &condition.any_of)),
        None => is_one_of(value, &condition.any_of),
    }
}

/// Numbers are compared as they were written: `5.0` is not `5`.
fn is_one_of(value: Json<'_>, accepted: &[Scalar]) -> bool {
    let text = value.string();
    let integer = value.0.parse::<i64>().ok().filter(|_| value.0 != "-0");
    accepted.iter().any(|one| match one {
        Scalar::Text(accepted) => text.as_deref() == Some(accepted.as_str()),
        Scalar::Integer(accepted) => integer == Some(*accepted),
        Scalar::Boolean(true) => value.0 == "true",
        Scalar::Boolean(false) => value.0 == "false",
    })
}

/// What a rule may know.
struct Known<'a> {
    statement: &'a Statement,
    /// Where credentials may stand.
    places: &'a [TokenPlace],
    asked: Asked<'a>,
}

impl Facts for Known<'_> {
    fn claim(&self, name: &str) -> Option<&str> {
        self.statement.claims.member(name).map(|Json(json)| json)
    }

    fn each_claim<'f>(&'f self, show: &mut dyn FnMut(&'f str, &'f str)) {
        self.statement.claims.members().for_each(|(name, Json(json))| show(name, json));
    }

    fn provider(&self) -> &str {
        self.statement.provider.name.as_str()
    }

    fn scopes(&self) -> Vec<String> {
        self.statement.scopes()
    }

    fn now(&self) -> i64 {
        #[expect(clippy::cast_possible_truncation, reason = "a float casts to the nearest integer")]
        let seconds = self.asked.now.unix.floor() as i64;
        seconds
    }

    fn method(&self) -> Result<Cow<'_, str>, Unreadable> {
        let method = self.asked.http.method;
        if method.is_empty() { Err(Unreadable) } else { Ok(method.into()) }
    }

    fn path(&self) -> Result<Cow<'_, str>, Unreadable> {
        self.asked.http.plain_path().map_err(|_| Unreadable)
    }

    fn host(&self) -> Result<Cow<'_, str>, Unreadable> {
        self.asked.http.host_name().map_err(|_| Unreadable)
    }

    /// Repeated lines are joined by `,`, as Envoy does; bytes that are no UTF-8 become U+FFFD.
    fn headers(&self) -> Vec<(Cow<'_, str>, Cow<'_, str>)> {
        let mut headers: Vec<(Cow<'_, str>, Cow<'_, str>)> = Vec::new();
        for (name, value) in &self.asked.http.headers.0 {
            let name = name.to_ascii_lowercase();
            let plain = plain_name(&name);
            let plain = plain.as_deref().unwrap_or(&name);
            let is_kept = |name: &str| rule::is_hidden(name) || self.asked.owned.contains(name);
            let carries_token = || self.places.iter().any(|place| place.is_read_as(plain));
            if is_kept(&name) || is_kept(plain) || carries_token() {
                continue;
            }
            let value = String::from_utf8_lossy(value);
            match headers.iter_mut().find(|(known, _)| *known == name) {
                Some((_, values)) => *values = format!("{values},{value}").into(),
                None => headers.push((name.into(), value)),
            }
        }
        headers
    }
}

#[cfg(test)]
mod tests;
