//! Which way a fetch goes out: through the place's proxy, through the environment's, or directly.
//!
//! It dials nothing and resolves no name (`jwks/fetch/dial.rs`).

use hyper_util::client::proxy::matcher::Matcher;
use reqwest::{Proxy, Url};

use super::{FetchError, FetchRequest, dial};
use crate::url;

/// The proxy on the way to `to`, the parsed `request.url`, if there is one. `environment` is what
/// `HTTPS_PROXY` and its kin say.
///
/// # Errors
/// If either end must not be dialled: a literal address never comes to the resolver, and a proxy
/// resolves names on its own.
pub(super) fn proxy(
    request: &FetchRequest,
    to: &Url,
    environment: &Matcher,
) -> Result<Option<Proxy>, FetchError> {
    permit(to, FetchError::Forbidden)?;
    let (address, credentials) = match &request.place.proxy {
        Some(own) => (own.clone(), None),
        // The environment's proxies are for what is outside of this machine.
        None if url::is_loopback(&request.url) => return Ok(None),
        None => {
            let uri = to.as_str().parse().map_err(|_| FetchError::Connect)?;
            let Some(ambient) = environment.intercept(&uri) else { return Ok(None) };
            (ambient.uri().to_string(), ambient.basic_auth().cloned())
        }
    };
    // A URL reads 2852039166 as an address, as the system's resolver would.
    let address: Url = address.parse().map_err(|_| FetchError::Connect)?;
    permit(&address, FetchError::ForbiddenProxy)?;
    let proxy = Proxy::all(address).map_err(|_| FetchError::Connect)?;
    Ok(Some(match credentials {
        Some(credentials) => proxy.custom_http_auth(credentials),
        None => proxy,
    }))
}

fn permit(url: &Url, otherwise: FetchError) -> Result<(), FetchError> {
    dial::permit(url.host_str().unwrap_or_default()).map_err(|_| otherwise)
}
