//! Keys that are fetched: where from, whom to trust on the way, and how often.
//!
//! It fetches nothing; what a discovery document says is read by `jwks/discovery.rs`.

use std::{sync::Arc, time::Duration};

use crate::{
    config::{
        compile::{SideFiles, keys},
        document::Spanned,
        file::provider::{JwksFile, JwksFrom, ProviderFile},
        problem::Findings,
    },
    provider::{CaFile, Issuer, JwksPlace, KeySource, KeysAt, PlainHttp, RemoteKeys, pem::Pem},
    url::{self, UrlText},
};

/// The keys of a provider whose `jwks` has a `uri`, or nothing that says where they are.
pub(super) fn compile(
    written: &ProviderFile,
    jwks: &JwksFile,
    side: &SideFiles,
    findings: &mut Findings,
) -> Option<KeySource> {
    let plain = match &jwks.allow_http {
        Some(allow) if allow.value => PlainHttp::Anywhere,
        Some(_) | None => PlainHttp::Loopback,
    };
    let at = at(written, jwks, plain, findings);
    let verify_tls = verify_tls(jwks, findings);
    let ca = ca(jwks, side, findings);
    let proxy = proxy(jwks, findings);
    let timeout = bounded(jwks.timeout.as_ref(), &TIMEOUT, findings);
    let refresh_interval = bounded(jwks.refresh_interval.as_ref(), &INTERVAL, findings);
    let refresh_cooldown = bounded(jwks.refresh_cooldown.as_ref(), &COOLDOWN, findings);
    let max_stale = max_stale(jwks, refresh_interval, findings);
    let token_file = jwks.token_file.as_ref().map(|file| file.value.clone());
    Some(KeySource::Remote(Arc::new(RemoteKeys {
        place: JwksPlace { at: at?, ca: ca?, verify_tls, proxy: proxy?, token_file },
        timeout: timeout?,
        refresh_interval: refresh_interval?,
        refresh_cooldown: refresh_cooldown?,
        max_stale: max_stale?,
    })))
}

/// `jwks.uri`; else `discovery_url`; else the issuer with the well-known path.
fn at(
    written: &ProviderFile,
    jwks: &JwksFile,
    plain: PlainHttp,
    findings: &mut Findings,
) -> Option<KeysAt> {
    let discovery_url = written.discovery_url.as_ref().map(|url| reachable(url, plain, findings));
    if let Some(JwksFrom::Uri(uri)) = &jwks.from {
        return Some(KeysAt::Set { uri: reachable(uri, plain, findings)? });
    }
    // That there is none has been reported.
    let issuer = written.issuers.first()?;
    let url = match discovery_url {
        Some(url) => url?,
        None => well_known(issuer, plain, findings)?,
    };
    Some(KeysAt::Discovery { url, issuer: Issuer(issuer.value.as_str().into()), plain })
}

/// OpenID Connect Discovery 1.0 section 4: a slash at the issuer's end is left out.
fn well_known(
    issuer: &Spanned<String>,
    plain: PlainHttp,
    findings: &mut Findings,
) -> Option<UrlText> {
    let (text, place) = (&issuer.value, &issuer.place);
    match url::parse(text) {
        Ok(transport) if plain.accepts(transport) && !text.contains('?') => {
            Some(UrlText(format!("{}{WELL_KNOWN}", text.strip_suffix('/').unwrap_or(text))))
        }
        Ok(_) | Err(_) => {
            let message = "without jwks the keys are found by discovery, and this issuer is no URL \
                           to find them at; an https URL, discovery_url or jwks is accepted";
            findings.refuse(place, message);
            None
        }
    }
}

fn reachable(url: &Spanned<UrlText>, plain: PlainHttp, findings: &mut Findings) -> Option<UrlText> {
    let transport = findings.accept(&url.place, url::parse(&url.value.0))?;
    if plain.accepts(transport) {
        return Some(url.value.clone());
    }
    let message = "http to another host than loopback; https, http to localhost, 127.0.0.0/8 or \
                   [::1], or allow_http: true is accepted";
    findings.refuse(&url.place, message);
    None
}

fn verify_tls(jwks: &JwksFile, findings: &mut Findings) -> bool {
    let Some(skip) = jwks.skip_tls_verification.as_ref().filter(|skip| skip.value) else {
        return true;
    };
    let message = "the server of the keys is not verified: who is on the way to it can forge \
                   tokens of this provider";
    findings.warn(&skip.place, message);
    if let Some(file) = &jwks.token_file {
        findings.warn(&file.place, "this token goes to a server that is not verified");
    }
    false
}

/// The proxy: a URL of scheme, host and port. Outer `None`: it was refused.
fn proxy(jwks: &JwksFile, findings: &mut Findings) -> Option<Option<String>> {
    let Some(Spanned { value, place }) = &jwks.proxy else {
        return Some(None);
    };
    findings.accept(place, url::parse(value))?;
    let path = value.split_once("://").and_then(|(_, rest)| rest.split_once(['/', '?']));
    if path.is_some_and(|(_, path)| !path.is_empty()) || value.ends_with('?') {
        findings.refuse(place, "a path in the URL of a proxy; http://HOST:PORT is accepted");
        return None;
    }
    Some(Some(value.clone()))
}

fn ca(jwks: &JwksFile, side: &SideFiles, findings: &mut Findings) -> Option<CaFile> {
    let Some(file) = &jwks.ca_file else {
        return Some(CaFile::None);
    };
    match keys::content(side, &file.value) {
        Ok(pem) if pem.windows(PEM.len()).any(|window| window == PEM) => {
            Some(CaFile::Pem(Pem::new(pem.clone())))
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

const WELL_KNOWN: &str = "/.well-known/openid-configuration";
const TIMEOUT: Bounds = Bounds { default: 5, least: 1, most: 60, accepted: "1s to 60s" };
const INTERVAL: Bounds =
    Bounds { default: 600, least: 30, most: u64::MAX, accepted: "30s or more" };
const COOLDOWN: Bounds = Bounds { default: 30, least: 1, most: u64::MAX, accepted: "1s or more" };
const MAX_STALE: Duration = Duration::from_secs(24 * 3600);
const PEM: &[u8] = b"-----BEGIN CERTIFICATE-----";
