//! `jwks`: a place to fetch keys from, or the keys themselves.
//!
//! It fetches nothing and reads no file; the content of files is handed in.

use std::{path::Path, sync::Arc, time::Duration};

use crate::{
    config::{
        compile::{SideFile, SideFiles, algorithms},
        document::Spanned,
        file::provider::{JwksFile, JwksFrom},
        problem::{Findings, Place},
    },
    jwks::{
        algorithm::AlgorithmSet,
        key::Origin,
        key_set::{KeySet, Skipped},
    },
    provider::{CaFile, JwksPlace, KeySource, RemoteKeys},
    url::{self, Transport},
};

/// The key source of one provider. Without `algorithms` (they were refused) a local set is parsed
/// all the same.
pub(super) fn compile(
    jwks: &JwksFile,
    algorithms: Option<AlgorithmSet>,
    side: &SideFiles,
    findings: &mut Findings,
) -> Option<KeySource> {
    match jwks.from.as_ref()? {
        JwksFrom::Uri(uri) => remote(jwks, uri, side, findings),
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

fn remote(
    jwks: &JwksFile,
    uri: &Spanned<String>,
    side: &SideFiles,
    findings: &mut Findings,
) -> Option<KeySource> {
    let uri_is_good = check_uri(jwks, uri, findings);
    let verify_tls = !jwks.skip_tls_verification.as_ref().is_some_and(|skip| skip.value);
    if let (false, Some(skip)) = (verify_tls, &jwks.skip_tls_verification) {
        let message = "the server of the keys is not verified: who is on the way to it can forge \
                       tokens of this provider";
        findings.warn(&skip.place, message);
    }
    let ca = ca(jwks, side, findings);
    let timeout = bounded(jwks.timeout.as_ref(), &TIMEOUT, findings);
    let refresh_interval = bounded(jwks.refresh_interval.as_ref(), &INTERVAL, findings);
    let refresh_cooldown = bounded(jwks.refresh_cooldown.as_ref(), &COOLDOWN, findings);
    let max_stale = max_stale(jwks, refresh_interval, findings);
    Some(KeySource::Remote(Arc::new(RemoteKeys {
        place: JwksPlace { uri: uri_is_good.then(|| uri.value.clone())?, ca: ca?, verify_tls },
        timeout: timeout?,
        refresh_interval: refresh_interval?,
        refresh_cooldown: refresh_cooldown?,
        max_stale: max_stale?,
    })))
}

fn check_uri(jwks: &JwksFile, uri: &Spanned<String>, findings: &mut Findings) -> bool {
    let permitted = jwks.allow_http.as_ref().is_some_and(|allow| allow.value);
    match findings.accept(&uri.place, url::parse(&uri.value)) {
        None => false,
        Some(Transport::PlainRemote) if !permitted => {
            let message = "http to another host than loopback; https, http to localhost, \
                           127.0.0.0/8 or [::1], or allow_http: true is accepted";
            findings.refuse(&uri.place, message);
            false
        }
        Some(Transport::Tls | Transport::PlainLoopback | Transport::PlainRemote) => true,
    }
}

fn ca(jwks: &JwksFile, side: &SideFiles, findings: &mut Findings) -> Option<CaFile> {
    let Some(file) = &jwks.ca_file else {
        return Some(CaFile::None);
    };
    match content(side, &file.value) {
        Ok(pem) if pem.windows(PEM.len()).any(|window| window == PEM) => {
            Some(CaFile::Pem(pem.clone()))
        }
        Ok(_no_certificate) => {
            let shown = file.value.display();
            findings.refuse(&file.place, format!("{shown} holds no certificate; PEM is accepted"));
            None
        }
        Err(reason) => {
            let shown = file.value.display();
            let message = format!("{shown} cannot be read ({reason}); the keys are not fetched");
            findings.warn(&file.place, message);
            Some(CaFile::Unreadable)
        }
    }
}

fn content<'a>(side: &'a SideFiles, path: &Path) -> Result<&'a Arc<[u8]>, &'a str> {
    match side.get(path) {
        Some(SideFile::Content(bytes)) => Ok(bytes),
        Some(SideFile::Unreadable(reason)) => Err(reason),
        None => Err("it was not looked for"),
    }
}

/// A default and the bounds of a duration, in seconds, with the bounds for a message.
struct Bounds {
    default: u64,
    least: u64,
    most: u64,
    accepted: &'static str,
}

fn bounded(
    written: Option<&Spanned<Duration>>,
    bounds: &Bounds,
    findings: &mut Findings,
) -> Option<Duration> {
    let Bounds { default, least, most, accepted } = *bounds;
    let Some(Spanned { value, place }) = written else {
        return Some(Duration::from_secs(default));
    };
    if (least..=most).contains(&value.as_secs()) {
        return Some(*value);
    }
    findings.refuse(place, format!("out of range; {accepted} is accepted"));
    None
}

fn max_stale(
    jwks: &JwksFile,
    refresh_interval: Option<Duration>,
    findings: &mut Findings,
) -> Option<Duration> {
    let interval = refresh_interval?;
    match (&jwks.max_stale, &jwks.refresh_interval) {
        (Some(max_stale), _) if max_stale.value < interval => {
            let message = format!("shorter than refresh_interval ({}s)", interval.as_secs());
            findings.refuse(&max_stale.place, message + "; at least that is accepted");
            None
        }
        (Some(max_stale), _) => Some(max_stale.value),
        (None, Some(written)) if interval > MAX_STALE => {
            let message = "longer than max_stale (24h where it is not set); set max_stale too";
            findings.refuse(&written.place, message);
            None
        }
        (None, _) => Some(MAX_STALE),
    }
}

fn refuse_remote_options(jwks: &JwksFile, findings: &mut Findings) {
    let JwksFile {
        from: _,
        allow_http,
        ca_file,
        skip_tls_verification,
        timeout,
        refresh_interval,
        refresh_cooldown,
        max_stale,
    } = jwks;
    let place = |duration: &Option<Spanned<Duration>>| duration.as_ref().map(|d| d.place.clone());
    let places = [
        allow_http.as_ref().map(|a| a.place.clone()),
        ca_file.as_ref().map(|c| c.place.clone()),
        skip_tls_verification.as_ref().map(|s| s.place.clone()),
        place(timeout),
        place(refresh_interval),
        place(refresh_cooldown),
        place(max_stale),
    ];
    for place in places.into_iter().flatten() {
        findings.refuse(&place, "only keys from jwks.uri are fetched; remove it or give a uri");
    }
}

const TIMEOUT: Bounds = Bounds { default: 5, least: 1, most: 60, accepted: "1s to 60s" };
const INTERVAL: Bounds =
    Bounds { default: 600, least: 30, most: u64::MAX, accepted: "30s or more" };
const COOLDOWN: Bounds = Bounds { default: 30, least: 1, most: u64::MAX, accepted: "1s or more" };
const MAX_STALE: Duration = Duration::from_secs(24 * 3600);
const PEM: &[u8] = b"-----BEGIN CERTIFICATE-----";
