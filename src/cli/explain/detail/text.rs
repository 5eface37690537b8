//! The sentences: one function a check.
//!
//! They are written for whoever has to mend the token, the provider or the config.

use std::time::{Duration, UNIX_EPOCH};

use super::{Details, issuer::issuer, read::Token, structure::structure};
use crate::{
    check::{
        decision::{Denial, Reason},
        observe::Check,
        verify::granted,
    },
    cli::explain::near::{list, miss, quoted},
    jwks::algorithm::Algorithm,
    provider::{Audiences, Binding, Provider, TokenTypes},
};

/// What `check`, which ended so, has to say.
pub(super) fn of(
    details: &Details<'_>,
    check: Check,
    failed: Option<Reason>,
    token: &Token,
) -> String {
    if check == Check::Structure {
        return structure(details.token, token, failed);
    }
    if check == Check::Issuer {
        return issuer(details, token, failed);
    }
    let Some(provider) = details.provider(token) else { return String::new() };
    match check {
        Check::Structure | Check::Issuer => String::new(),
        Check::Algorithm => algorithm(provider, token, failed),
        Check::Time => time(details, provider, token, failed),
        Check::Key => key(details, provider, token, failed),
        Check::Signature => signature(provider, token, failed),
        Check::Type => kind(provider, token),
        Check::Lifetime => lifetime(details, provider, token),
        Check::Audience => match &provider.audiences {
            Audiences::Any => "any audience is accepted".to_owned(),
            Audiences::OneOf(accepted) => audience(provider, token, accepted, failed),
        },
        Check::Claims => required(provider, token, failed),
        Check::PolicyAudience => {
            let lists = details.policy.map(|policy| policy.audiences.as_slice());
            let said = |accepted: &Vec<String>| {
                format!("of the policy: {}", audience(provider, token, accepted, failed))
            };
            lists.unwrap_or_default().iter().map(said).collect::<Vec<_>>().join("; ")
        }
        Check::Scope => scope(details, provider, token),
        Check::Rules => rules(details, failed),
        Check::Headers => headers(failed),
    }
}

fn rules(details: &Details<'_>, failed: Option<Reason>) -> String {
    let conditions = details.policy.and_then(|policy| policy.conditions.as_deref());
    match (failed, details.rule, conditions) {
        (Some(_), Some(rule), _) => format!("{} does not let it pass", quoted(rule)),
        (Some(_), None, _) => "a condition of the policy does not let it pass".to_owned(),
        (None, _, None) => "the policy has no rules".to_owned(),
        (None, _, Some(conditions)) if conditions.rules.is_empty() => {
            "the policy's subjects and claims are met".to_owned()
        }
        (None, _, Some(conditions)) => {
            let names = conditions.rules.iter().map(|rule| rule.name.as_str());
            format!("these let it pass: {}", names.collect::<Vec<_>>().join(", "))
        }
    }
}

fn algorithm(provider: &Provider, token: &Token, failed: Option<Reason>) -> String {
    let alg = token.alg();
    if failed.is_none() {
        return alg.to_owned();
    }
    let accepted = provider.algorithms.iter().map(Algorithm::name).collect::<Vec<_>>().join(", ");
    let hint = match Algorithm::parse(&alg.to_ascii_uppercase()) {
        Some(known) if known.name() != alg => "; names of algorithms are in upper case",
        Some(known) if known.is_symmetric() => {
            "; a symmetric algorithm is accepted only where `algorithms` names it"
        }
        _ => "",
    };
    format!("alg {} is not accepted; accepted: {accepted}{hint}", quoted(alg))
}

fn time(
    details: &Details<'_>,
    provider: &Provider,
    token: &Token,
    failed: Option<Reason>,
) -> String {
    let (now, leeway) = (details.now.unix, provider.leeway);
    if failed == Some(Denial::ClaimsMalformed.into()) {
        let wrong: Vec<_> = ["exp", "nbf", "iat"]
            .into_iter()
            .filter(|name| token.member(name).is_some() && token.date(name).is_none())
            .collect();
        return format!("{}: a number of seconds from 0 to 2^53 is accepted", wrong.join(", "));
    }
    if failed == Some(Denial::ExpiryMissing.into()) {
        return "exp is missing, and the provider's require_exp is on".to_owned();
    }
    let leeway = ago(leeway.as_secs_f64());
    let mut said = Vec::new();
    match token.date("exp") {
        Some(exp) if failed == Some(Denial::TokenExpired.into()) => {
            said.push(format!("expired {} ago (exp {})", ago(now - exp), when(exp)));
        }
        Some(exp) if now >= exp => {
            said.push(format!("expired {} ago, within the leeway", ago(now - exp)));
        }
        Some(exp) => said.push(format!("expires in {} (exp {})", ago(exp - now), when(exp))),
        None => said.push("does not expire".to_owned()),
    }
    for name in ["nbf", "iat"] {
        if let Some(date) = token.date(name).filter(|date| *date > now) {
            said.push(format!("{name} is {} in the future ({})", ago(date - now), when(date)));
        }
    }
    format!("{}; leeway {leeway}", said.join(", "))
}

fn key(
    details: &Details<'_>,
    provider: &Provider,
    token: &Token,
    failed: Option<Reason>,
) -> String {
    let kid = token.kid().map_or("no kid".to_owned(), |kid| format!("kid {}", quoted(kid)));
    let Some(failed) = failed else { return format!("{kid}, a key of provider {}", provider.name) };
    let set = match details.keys.set(provider) {
        Ok(set) => set,
        Err(why) => return format!("provider {} has no keys: {why}", provider.name),
    };
    let known = |key: &std::sync::Arc<crate::jwks::key::Key>| {
        key.kid.clone().unwrap_or_else(|| format!("({} without kid)", key.kind.name()))
    };
    let kids = list(set.iter().map(known));
    if failed == Denial::AlgorithmNotAllowed.into() {
        return format!(
            "{kid} is a key of provider {}, but not for {}",
            provider.name,
            token.alg()
        );
    }
    match token.kid() {
        Some(_) => format!("{kid} is none of provider {}'s keys: {kids}", provider.name),
        None => format!(
            "no kid, and none or more than four of provider {}'s keys would fit: {kids}",
            provider.name
        ),
    }
}

fn signature(provider: &Provider, token: &Token, failed: Option<Reason>) -> String {
    match failed {
        None => format!("made by a key of provider {}", provider.name),
        Some(_) => format!(
            "not made by that key of provider {} with {} over this header and payload: the token \
             was changed, or is another signer's",
            provider.name,
            token.alg()
        ),
    }
}

fn kind(provider: &Provider, token: &Token) -> String {
    let typ = token.header.as_ref().and_then(|header| header.typ.as_deref());
    let accepted = match &provider.token_types {
        TokenTypes::Default => "absent, JWT, at+jwt".to_owned(),
        TokenTypes::OneOf(types) => types.join(", "),
    };
    let mut said = match typ {
        Some(typ) => format!("typ {}", quoted(typ)),
        None => "no typ".to_owned(),
    };
    said.push_str(&format!("; accepted: {accepted}"));
    if token.member("cnf").is_some() {
        said.push_str(match provider.cnf {
            Binding::Refuse => "; cnf binds it to a key of the client, which is not checked here",
            Binding::Ignore => "; cnf is passed over (accept_unbound)",
        });
    }
    if token.member("nonce").is_some() || token.member("at_hash").is_some() {
        said.push_str("; it looks like an ID token");
    }
    said
}

fn lifetime(details: &Details<'_>, provider: &Provider, token: &Token) -> String {
    let Some(exp) = token.date("exp") else { return "no lifetime: exp is missing".to_owned() };
    let lives = ago(exp - token.date("iat").unwrap_or(details.now.unix));
    match provider.max_lifetime {
        Some(max) => format!("lifetime {lives}, at most {}", ago(max.as_secs_f64())),
        None => format!("lifetime {lives}"),
    }
}

fn audience(
    provider: &Provider,
    token: &Token,
    accepted: &[String],
    failed: Option<Reason>,
) -> String {
    let claim = &provider.audience_claim;
    let Some(got) = token.strings(claim) else {
        let shape = "missing, or neither a string nor an array of strings";
        return format!("{} is {shape}; accepted: {}", claim.name, list(accepted));
    };
    let matches = got.iter().any(|audience| accepted.contains(audience));
    if matches || failed.is_none() {
        return format!("{} {}", claim.name, list(&got));
    }
    let near = got.iter().find_map(|got| accepted.iter().find_map(|wanted| miss(got, wanted)));
    let hint = near.map_or(String::new(), |how| format!("; it {how}"));
    format!("{} {} is not accepted; accepted: {}{hint}", claim.name, list(&got), list(accepted))
}

fn required(provider: &Provider, token: &Token, failed: Option<Reason>) -> String {
    if failed.is_none() {
        return String::new();
    }
    let claim = |path| token.claims.as_ref().and_then(|claims| claims.string(path));
    let differs = provider
        .required_claims
        .iter()
        .filter(|(path, value)| claim(path).is_none_or(|got| got != *value));
    let said = differs.map(|(path, value)| match claim(path) {
        Some(got) => format!("{} is {}, not {}", path.name, quoted(&got), quoted(value)),
        None => format!("{} is no string; required is {}", path.name, quoted(value)),
    });
    said.collect::<Vec<_>>().join("; ")
}

fn scope(details: &Details<'_>, provider: &Provider, token: &Token) -> String {
    let Some(rule) = details.policy.map(|policy| &policy.scopes) else { return String::new() };
    if rule.all_of.is_empty() && rule.any_of.is_empty() {
        return "the policy asks for no scope".to_owned();
    }
    let granted = token.claims.as_ref().map(|claims| granted(provider, claims)).unwrap_or_default();
    let missing: Vec<_> = rule.all_of.iter().filter(|scope| !granted.contains(scope)).collect();
    let mut said = format!("the token has {}", list(&granted));
    if !missing.is_empty() {
        said.push_str(&format!("; missing: {}", list(missing)));
    }
    if !rule.any_of.is_empty() {
        said.push_str(&format!("; one is enough of {}", list(&rule.any_of)));
    }
    said
}

fn headers(failed: Option<Reason>) -> String {
    match failed {
        None => String::new(),
        Some(_) => "a claim cannot be written into its header, or is too large for one".to_owned(),
    }
}

/// `5m`, `1d3h`: the two largest units.
fn ago(seconds: f64) -> String {
    let Ok(duration) = Duration::try_from_secs_f64(seconds.max(0.0)) else { return "ages".into() };
    let whole = Duration::from_secs(duration.as_secs());
    let text = humantime::format_duration(whole).to_string();
    text.split(' ').take(2).collect()
}

fn when(unix: f64) -> String {
    // Beyond the year 9999 there is no RFC 3339.
    let whole = Duration::from_secs(unix as u64);
    match UNIX_EPOCH.checked_add(whole).filter(|_| unix < 253_402_300_800.0) {
        Some(time) => humantime::format_rfc3339_seconds(time).to_string(),
        None => format!("{unix}"),
    }
}
