//! What is said of a token's issuer.
//!
//! It chooses no provider: it says which one the token may have meant.

use super::{Details, read::Token};
use crate::{
    check::decision::Reason,
    cli::explain::near::{list, miss, quoted},
    provider::Name,
};

pub(super) fn issuer(details: &Details<'_>, token: &Token, failed: Option<Reason>) -> String {
    let Some(got) = token.issuer() else {
        let wrong = "iss is missing, or no string";
        return format!("{wrong}{}", going_on(details));
    };
    let provider = details.provider(token);
    if let (None, Some(provider)) = (failed, provider) {
        return format!("iss {} is provider {}'s", quoted(&got), provider.name);
    }
    let accepts = details.policy.map(|policy| policy.accepts.members()).unwrap_or_default();
    let known = |name: &Name| details.snapshot.provider(name.as_str());
    let accepted: Vec<_> = accepts
        .iter()
        .filter_map(known)
        .flat_map(|provider| provider.issuers.iter().map(|issuer| issuer.0.to_string()))
        .collect();
    let near = accepted.iter().find_map(|wanted| Some((wanted, miss(&got, wanted)?)));
    let hint = match near {
        Some((wanted, how)) => format!("it {how} (compared with {})", quoted(wanted)),
        None => match elsewhere(details, &got) {
            Some(other) => other,
            None => format!("accepted: {}", list(&accepted)),
        },
    };
    format!("iss {} is not accepted; {hint}{}", quoted(&got), going_on(details))
}

/// The provider outside of the policy, or switched off, that has this issuer.
fn elsewhere(details: &Details<'_>, issuer: &str) -> Option<String> {
    let mut owners = details.snapshot.providers.values();
    let owner = owners.find(|owner| owner.issuers.iter().any(|i| &*i.0 == issuer))?;
    Some(if owner.enabled {
        format!("it is provider {}'s, which is not accepted here", owner.name)
    } else {
        format!("it is provider {}'s, which is disabled", owner.name)
    })
}

fn going_on(details: &Details<'_>) -> String {
    match details.assumed {
        Some(assumed) => format!("; the other checks are those of provider {}", assumed.name),
        None => String::new(),
    }
}
