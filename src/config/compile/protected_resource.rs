//! `protected_resource` -> the document that claimgate serves, made once (RFC 9728 section 2).
//!
//! Under which paths it is served is settled in `policy/protected_resource.rs`.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::{
    config::{
        document::Spanned, file::policy::protected_resource::ProtectedResourceFile,
        problem::Findings,
    },
    policy::{
        protected_resource::ProtectedResource,
        token_place::{AUTHORIZATION, TokenHeader, TokenPlace},
    },
    provider::Provider,
    url::{self, Transport},
};

/// The resource of a policy whose providers are these.
pub(super) fn compile(
    written: &ProtectedResourceFile,
    providers: &[Arc<Provider>],
    places: &[TokenPlace],
    findings: &mut Findings,
) -> Option<Arc<ProtectedResource>> {
    let resource = written.resource.as_ref()?;
    let url = safe_url(resource, findings)?;
    if url.contains('?') {
        findings.refuse(&resource.place, "a query in the URL; a URL without one is accepted");
        return None;
    }
    let servers = match &written.authorization_servers {
        Some(servers) => {
            servers.iter().map(|url| safe_url(url, findings)).collect::<Option<_>>()?
        }
        None => issuers(providers),
    };
    if servers.is_empty() {
        let message = "no issuer of the policy's providers is a URL; clients find no server";
        findings.warn(&written.place, message);
    }
    let mut document = Map::new();
    let list = |texts: Vec<&str>| Value::from_iter(texts);
    document.insert("resource".into(), url.into());
    if !servers.is_empty() {
        document.insert("authorization_servers".into(), list(servers));
    }
    if let Some(scopes) = &written.scopes_supported {
        let scopes = scopes.iter().map(|scope| scope_token(scope, findings));
        document.insert("scopes_supported".into(), list(scopes.collect::<Option<_>>()?));
    }
    document.insert("bearer_methods_supported".into(), list(methods(places)));
    if let Some(name) = &written.resource_name {
        document.insert("resource_name".into(), display_name(name, findings)?.into());
    }
    let origin = url::origin(url);
    let path = url.strip_prefix(origin).unwrap_or_default();
    Some(Arc::new(ProtectedResource::new(origin, path, Value::Object(document).to_string())))
}

fn safe_url<'a>(url: &'a Spanned<String>, findings: &mut Findings) -> Option<&'a str> {
    match findings.accept(&url.place, url::parse(&url.value))? {
        Transport::Tls | Transport::PlainLoopback => Some(&url.value),
        Transport::PlainRemote => {
            findings.refuse(&url.place, "http to another host than loopback; https is accepted");
            None
        }
    }
}

/// The issuers of the enabled providers, those that are URLs (RFC 8414 section 2).
fn issuers(providers: &[Arc<Provider>]) -> Vec<&str> {
    let enabled = providers.iter().filter(|provider| provider.enabled);
    let issuers = enabled.flat_map(|provider| &provider.issuers).map(|issuer| &*issuer.0);
    issuers.filter(|issuer| url::parse(issuer).is_ok()).collect()
}

/// RFC 6749 section 3.3.
fn scope_token<'a>(scope: &'a Spanned<String>, findings: &mut Findings) -> Option<&'a str> {
    let plain = |b: u8| b.is_ascii_graphic() && b != b'"' && b != b'\\';
    if scope.value.bytes().all(plain) {
        return Some(&scope.value);
    }
    let message = "not one scope; characters 0x21-0x7E without \" and \\ are accepted";
    findings.refuse(&scope.place, message);
    None
}

fn display_name<'a>(name: &'a Spanned<String>, findings: &mut Findings) -> Option<&'a str> {
    if name.value.len() <= MAX_NAME_BYTES && !name.value.contains(char::is_control) {
        return Some(&name.value);
    }
    let message = format!("not a name; up to {MAX_NAME_BYTES} bytes of plain text are accepted");
    findings.refuse(&name.place, message);
    None
}

/// Those of RFC 6750 that the policy takes: another header, and a cookie, are none of them.
fn methods(places: &[TokenPlace]) -> Vec<&'static str> {
    let method = |place: &TokenPlace| match place {
        TokenPlace::Header(TokenHeader { name, scheme: Some(scheme), .. }) => {
            let standard = **name == *AUTHORIZATION && scheme.eq_ignore_ascii_case("bearer");
            standard.then_some("header")
        }
        TokenPlace::Query(name) if **name == *"access_token" => Some("query"),
        TokenPlace::Header(_) | TokenPlace::Query(_) | TokenPlace::Cookie(_) => None,
    };
    places.iter().filter_map(method).collect()
}

const MAX_NAME_BYTES: usize = 128;
