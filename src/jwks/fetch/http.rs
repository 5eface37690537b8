//! [`FetchJwks`] over HTTP/1.1, with rustls.
//!
//! It keeps no connection between two fetches: sets are fetched minutes apart, so none is worth
//! keeping, and a new client sees changed DNS and proxies.

use std::{fs::File, io::Read as _, path::Path, sync::Arc};

use hyper_util::client::proxy::matcher::Matcher;
use reqwest::{
    Client, Proxy, Response, StatusCode, Url,
    header::{
        ACCEPT, AUTHORIZATION, ETAG, HeaderMap, HeaderName, HeaderValue, IF_MODIFIED_SINCE,
        IF_NONE_MATCH, LAST_MODIFIED,
    },
    redirect,
};

use super::{
    Body, FetchError, FetchJwks, FetchRequest, Fetched, Fetching, Validators, cause,
    dial::{Names, Resolver, System},
    freshness, trust, way,
};
use crate::{
    jwks::key_set::{KeySetError, MAX_SET_BYTES},
    provider::CaFile,
};

/// Fetches over HTTP/1.1.
#[derive(Debug, Default, Clone, Copy)]
pub struct HttpFetch;

/// What a fetch is told by the machine that it runs on.
struct Machine {
    names: Arc<dyn Names>,
    /// What `HTTPS_PROXY` and its kin say.
    environment: Matcher,
}

impl FetchJwks for HttpFetch {
    fn fetch(&self, request: FetchRequest) -> Fetching {
        Box::pin(async move {
            let machine = Machine { names: Arc::new(System), environment: Matcher::from_env() };
            // The bound covers everything: name resolution, TLS, headers and body.
            match tokio::time::timeout(request.timeout, get(&request, machine)).await {
                Ok(result) => result,
                Err(_) => Err(FetchError::Timeout),
            }
        })
    }
}

async fn get(request: &FetchRequest, machine: Machine) -> Result<Fetched, FetchError> {
    let url: Url = request.url.parse().map_err(|_| FetchError::Connect)?;
    let proxy = way::proxy(request, &url, &machine.environment)?;
    let forbidden =
        if proxy.is_some() { FetchError::ForbiddenProxy } else { FetchError::Forbidden };
    let (asked, to, names) = (request.clone(), url.clone(), machine.names);
    // Files and the system's roots are read, which takes milliseconds that checks must not wait for.
    let prepared = tokio::task::spawn_blocking(move || {
        let headers = headers(&asked, &to)?;
        Ok((headers, client(&asked, proxy, names)?))
    });
    let (headers, client) = prepared.await.unwrap_or(Err(FetchError::TlsSetup))?;
    let sent = client.get(url).headers(headers).send().await;
    let response = sent.map_err(|error| cause::category(&error, forbidden))?;
    let status = response.status();
    let answered = response.headers();
    let validators = validators(answered);
    let fresh_for = freshness::fresh_for(answered);
    let body = match status {
        StatusCode::NOT_MODIFIED if request.known.is_some() => Body::Unchanged,
        StatusCode::OK => Body::New(body(response).await?),
        _ if status.is_redirection() && status != StatusCode::NOT_MODIFIED => {
            return Err(FetchError::Redirect);
        }
        _ => return Err(FetchError::Status(status.as_u16())),
    };
    Ok(Fetched { body, validators, fresh_for })
}

async fn body(mut response: Response) -> Result<Vec<u8>, FetchError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|_| FetchError::Interrupted)? {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_SET_BYTES {
            return Err(KeySetError::TooLarge.into());
        }
    }
    Ok(body)
}

fn headers(request: &FetchRequest, url: &Url) -> Result<HeaderMap, FetchError> {
    let mut headers = HeaderMap::new();
    let accept = HeaderValue::from_static("application/json, application/jwk-set+json");
    headers.insert(ACCEPT, accept);
    let known = request.known.as_ref();
    let conditions = [
        (IF_NONE_MATCH, known.and_then(|known| known.etag.as_ref())),
        (IF_MODIFIED_SINCE, known.and_then(|known| known.last_modified.as_ref())),
    ];
    for (name, value) in conditions {
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
            headers.insert(name, value);
        }
    }
    if let Some(file) = &request.place.token_file {
        let token = bearer(file)?;
        // A document may name a set on another server: what that is told, its owner knows.
        let first: Option<Url> = request.place.url().parse().ok();
        if first.is_some_and(|first| first.origin() == url.origin()) {
            headers.insert(AUTHORIZATION, token);
        }
    }
    Ok(headers)
}

/// The bearer token in `file`. It is a token68 (RFC 6750 section 2.1), with white space around it.
fn bearer(file: &Path) -> Result<HeaderValue, FetchError> {
    let failed = |_| FetchError::TokenFile;
    // A pipe or a device could block or never end.
    if !file.metadata().map_err(failed)?.is_file() {
        return Err(FetchError::TokenFile);
    }
    let mut text = String::new();
    let opened = File::open(file).map_err(failed)?;
    opened.take(MAX_TOKEN_BYTES + 1).read_to_string(&mut text).map_err(failed)?;
    let token = text.trim_ascii();
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"-._~+/=".contains(&b);
    if token.is_empty() || text.len() as u64 > MAX_TOKEN_BYTES || !token.bytes().all(fits) {
        return Err(FetchError::TokenFile);
    }
    let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
        .map_err(|_not_visible| FetchError::TokenFile)?;
    value.set_sensitive(true);
    Ok(value)
}

fn validators(answered: &HeaderMap) -> Validators {
    let text = |name: HeaderName| {
        let value = answered.get(name)?.to_str().ok()?;
        (value.len() <= MAX_VALIDATOR_BYTES).then(|| value.to_owned())
    };
    Validators { etag: text(ETAG), last_modified: text(LAST_MODIFIED) }
}

fn client(
    request: &FetchRequest,
    proxy: Option<Proxy>,
    names: Arc<dyn Names>,
) -> Result<Client, FetchError> {
    let FetchRequest { url, place, .. } = request;
    let mut builder = Client::builder()
        .redirect(redirect::Policy::custom(same_origin))
        .dns_resolver(Arc::new(Resolver(names)))
        .no_proxy()
        .user_agent(concat!("claimgate/", env!("CARGO_PKG_VERSION")));
    let is_plain = url.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("http:"));
    let is_direct = proxy.is_none();
    if let Some(proxy) = proxy {
        builder = builder.proxy(proxy);
    }
    builder = match place.verify_tls {
        // A redirect changes no scheme, so nobody's certificate is asked for.
        true if is_plain && is_direct && place.ca == CaFile::None => builder.tls_certs_only([]),
        true => builder.tls_backend_preconfigured(trust::verifying(&place.ca)?),
        false => builder.tls_certs_only([]).tls_danger_accept_invalid_certs(true),
    };
    builder.build().map_err(|_| FetchError::TlsSetup)
}

/// Follows a redirect only where scheme, host and port stay, and three times at most.
fn same_origin(attempt: redirect::Attempt<'_>) -> redirect::Action {
    let stays =
        attempt.previous().last().is_some_and(|from| from.origin() == attempt.url().origin());
    if stays && attempt.previous().len() <= 3 { attempt.follow() } else { attempt.stop() }
}

const MAX_TOKEN_BYTES: u64 = 64 * 1024;
const MAX_VALIDATOR_BYTES: usize = 1024;

#[cfg(test)]
mod tests;
