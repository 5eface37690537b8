//! `algorithms`: the names, and where the symmetric ones may stand.
//!
//! It does not look at keys.

use crate::{
    config::{
        document::Spanned,
        file::provider::{JwksFile, JwksFrom, ProviderFile},
        problem::Findings,
    },
    jwks::algorithm::{Algorithm, AlgorithmSet},
};

/// The algorithms of one provider; none if one of them is refused.
pub(super) fn compile(written: &ProviderFile, findings: &mut Findings) -> Option<AlgorithmSet> {
    let Some(names) = &written.algorithms else {
        return Some(AlgorithmSet::asymmetric());
    };
    let from_network = is_remote(written.jwks.as_ref());
    let algorithms: Vec<Option<Algorithm>> =
        names.iter().map(|name| one(name, from_network, findings)).collect();
    algorithms.into_iter().collect()
}

/// The names of `set`, for a message.
pub(super) fn list(set: AlgorithmSet) -> String {
    set.iter().map(Algorithm::name).collect::<Vec<_>>().join(", ")
}

fn one(name: &Spanned<String>, from_network: bool, findings: &mut Findings) -> Option<Algorithm> {
    let Some(algorithm) = Algorithm::parse(&name.value) else {
        let all = list(Algorithm::ALL.into_iter().collect());
        findings.refuse(&name.place, format!("unknown algorithm; accepted are {all}"));
        return None;
    };
    if algorithm.is_symmetric() && from_network {
        let message = "a symmetric algorithm with jwks.uri or discovery; it is accepted only with \
                       jwks.file or jwks.inline, since whoever can read the set could forge tokens";
        findings.refuse(&name.place, message);
        return None;
    }
    Some(algorithm)
}

fn is_remote(jwks: Option<&JwksFile>) -> bool {
    match jwks.and_then(|jwks| jwks.from.as_ref()) {
        Some(JwksFrom::Uri(_) | JwksFrom::Discovery) => true,
        Some(JwksFrom::File(_) | JwksFrom::Inline(_)) | None => false,
    }
}
