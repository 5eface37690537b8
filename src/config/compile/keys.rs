//! `jwks`: the keys themselves, from `file` or `inline`, or what `compile/remote.rs` fetches.
//!
//! It fetches nothing and reads no file; the content of files is handed in.

use std::{path::Path, sync::Arc};

use crate::{
    config::{
        compile::{SideFile, SideFiles, algorithms, remote},
        file::provider::{JwksFile, JwksFrom, ProviderFile},
        problem::{Findings, Place},
    },
    jwks::{
        algorithm::AlgorithmSet,
        key::Origin,
        key_set::{KeySet, Skipped},
    },
    provider::KeySource,
};

/// The key source of one provider. Without `algorithms` (they were refused) a local set is parsed
/// all the same.
pub(super) fn compile(
    written: &ProviderFile,
    algorithms: Option<AlgorithmSet>,
    side: &SideFiles,
    findings: &mut Findings,
) -> Option<KeySource> {
    let jwks = written.jwks.as_ref()?;
    match jwks.from.as_ref()? {
        JwksFrom::Uri(_) | JwksFrom::Discovery => remote::compile(written, jwks, side, findings),
        JwksFrom::File(file) => {
            refuse_remote_options(jwks, findings);
            match content(side, &file.value) {
                Ok(bytes) => local(bytes, &file.place, algorithms, findings),
                Err(reason) => {
                    let shown = file.value.display();
                    let message =
                        format!("{shown} cannot be read ({reason}); the provider is unavailable");
                    findings.warn(&file.place, message);
                    Some(KeySource::Unreadable)
                }
            }
        }
        JwksFrom::Inline(set) => {
            refuse_remote_options(jwks, findings);
            local(set.value.0.as_bytes(), &set.place, algorithms, findings)
        }
    }
}

fn local(
    set: &[u8],
    place: &Place,
    algorithms: Option<AlgorithmSet>,
    findings: &mut Findings,
) -> Option<KeySource> {
    let (keys, skipped) = findings.accept(place, KeySet::parse(set, Origin::Local))?;
    for Skipped { index, error } in skipped {
        findings.warn(place, format!("keys[{index}] is skipped: {error}"));
    }
    let algorithms = algorithms?;
    if !keys.serves(algorithms) {
        let names = algorithms::list(algorithms);
        findings.refuse(place, format!("no usable key; one for any of {names} is accepted"));
        return None;
    }
    Some(KeySource::Local(Arc::new(keys)))
}

/// The content of a file that the config names, or why there is none.
pub(super) fn content<'a>(side: &'a SideFiles, path: &Path) -> Result<&'a Arc<[u8]>, &'a str> {
    match side.get(path) {
        Some(SideFile::Content(bytes)) => Ok(bytes),
        Some(SideFile::Unreadable(reason)) => Err(reason),
        None => Err("it was not looked for"),
    }
}

fn refuse_remote_options(jwks: &JwksFile, findings: &mut Findings) {
    let JwksFile {
        from: _,
        allow_http,
        ca_file,
        skip_tls_verification,
        proxy,
        token_file,
        timeout,
        refresh_interval,
        refresh_cooldown,
        max_stale,
    } = jwks;
    let places = [
        allow_http.as_ref().map(|a| a.place.clone()),
        ca_file.as_ref().map(|c| c.place.clone()),
        skip_tls_verification.as_ref().map(|s| s.place.clone()),
        proxy.as_ref().map(|p| p.place.clone()),
        token_file.as_ref().map(|t| t.place.clone()),
        timeout.as_ref().map(|d| d.place.clone()),
        refresh_interval.as_ref().map(|d| d.place.clone()),
        refresh_cooldown.as_ref().map(|d| d.place.clone()),
        max_stale.as_ref().map(|d| d.place.clone()),
    ];
    for place in places.into_iter().flatten() {
        findings.refuse(
            &place,
            "only keys from jwks.uri are fetched, or by discovery; remove it, or file and inline",
        );
    }
}
