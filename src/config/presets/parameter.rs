//! The parameters of each preset, each with the characters that it may hold.
//!
//! A parameter is a part of a host or of a path, so none can end the part that it stands for.

use crate::config::{
    document::{Spanned, mapping::Mapping, node::Node},
    presets::documented::{self, Documented, Tenant},
    problem::Place,
};

type Read = Option<(Place, Documented)>;

/// What one parameter may be.
struct Grammar {
    fits: fn(&str) -> bool,
    accepted: &'static str,
}

impl Grammar {
    fn read(&self, node: Node<'_>) -> Option<Spanned<String>> {
        let at = node.clone();
        let text = node.text()?;
        if (self.fits)(&text.value) {
            return Some(text);
        }
        at.refuse(format!("not {0}; {0} is accepted", self.accepted))
    }

    fn required(&self, map: &mut Mapping<'_>, name: &'static str) -> Option<Spanned<String>> {
        map.required(name, self.accepted, |node| self.read(node))
    }

    /// The value under one of two names, as the provider's own pages call it.
    fn either(&self, map: &mut Mapping<'_>, names: [&'static str; 2]) -> Option<Spanned<String>> {
        let only = map.exactly_one(&names);
        let [first, second] = names.map(|name| map.optional(name, |node| self.read(node)));
        only.and(first.or(second))
    }

    /// The value, `default` where the parameter is absent, nothing where it was refused.
    fn or(&self, map: &mut Mapping<'_>, name: &'static str, default: &str) -> Option<String> {
        let written = map.optional(name, |node| self.read(node));
        if map.has(name) { written.map(|text| text.value) } else { Some(default.to_owned()) }
    }
}

pub(super) fn okta(map: &mut Mapping<'_>) -> Read {
    let domain = HOST.required(map, "domain");
    let server = ID.or(map, "authorization_server", "default");
    let Spanned { value: domain, place } = domain?;
    Some((place, documented::okta(&domain, &server?)))
}

pub(super) fn auth0(map: &mut Mapping<'_>) -> Read {
    let Spanned { value: domain, place } = HOST.required(map, "domain")?;
    Some((place, documented::auth0(&domain)))
}

pub(super) fn entra(map: &mut Mapping<'_>) -> Read {
    let Spanned { value: tenant, place } = TENANT.either(map, ["tenant", "tenant_id"])?;
    let tenant = if is_uuid(&tenant) {
        Tenant::Id(tenant.to_ascii_lowercase())
    } else {
        Tenant::Domain(tenant)
    };
    Some((place, documented::entra(&tenant)))
}

pub(super) fn google(map: &mut Mapping<'_>) -> Read {
    Some((map.place().clone(), documented::google()))
}

pub(super) fn firebase(map: &mut Mapping<'_>) -> Read {
    let Spanned { value: project, place } = PROJECT.either(map, ["project", "project_id"])?;
    Some((place, documented::firebase(&project)))
}

pub(super) fn keycloak(map: &mut Mapping<'_>) -> Read {
    let url = URL.required(map, "url");
    let realm = REALM.required(map, "realm");
    let Spanned { value: url, place } = url?;
    let url = url.strip_suffix('/').unwrap_or(&url);
    Some((place, documented::keycloak(url, &realm?.value)))
}

pub(super) fn cognito(map: &mut Mapping<'_>) -> Read {
    let region = REGION.required(map, "region");
    let pool = POOL.required(map, "user_pool_id");
    let (Spanned { value: region, .. }, Spanned { value: pool, place }) = (region?, pool?);
    if pool.rsplit_once('_').is_none_or(|(of, _)| of != region) {
        map.refuse(&place, "a user pool of another region; REGION_ID of `region` is accepted");
        return None;
    }
    Some((place, documented::cognito(&region, &pool)))
}

pub(super) fn asgardeo(map: &mut Mapping<'_>) -> Read {
    let Spanned { value: organization, place } = ID.required(map, "organization")?;
    Some((place, documented::asgardeo(&organization)))
}

pub(super) fn kubernetes(map: &mut Mapping<'_>) -> Read {
    let server = URL.or(map, "api_server", documented::KUBERNETES_API)?;
    let server = server.strip_suffix('/').unwrap_or(&server);
    Some((map.place().clone(), documented::kubernetes(server)))
}

pub(super) fn generic(map: &mut Mapping<'_>) -> Read {
    Some((map.place().clone(), documented::generic()))
}

/// At least two labels (RFC 1123 section 2.1), lower-case: it becomes a part of the issuer, which
/// is compared byte by byte.
fn is_host(text: &str) -> bool {
    let label = |label: &str| {
        let ends = |c: char| c == '-';
        (1..=63).contains(&label.len())
            && !label.starts_with(ends)
            && !label.ends_with(ends)
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    let top = text.rsplit('.').next().unwrap_or_default();
    text.len() <= 253
        && text.contains('.')
        && text.split('.').all(label)
        && top.bytes().any(|b| b.is_ascii_lowercase())
}

fn is_id(text: &str) -> bool {
    text.len() <= 128 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b))
}

/// RFC 9562 section 4, in hexadecimal of either case.
fn is_uuid(text: &str) -> bool {
    let mut lengths = text.split('-').map(str::len);
    [8, 4, 4, 4, 12].into_iter().all(|length| lengths.next() == Some(length))
        && lengths.next().is_none()
        && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
}

/// A tenant of its own. `common`, `organizations` and `consumers` stand for everybody's, and so
/// does the tenant of all personal accounts.
fn is_tenant(text: &str) -> bool {
    let personal = text.eq_ignore_ascii_case(documented::ENTRA_PERSONAL_ACCOUNTS);
    !personal && (is_uuid(text) || is_host(text))
}

/// 6 to 30 of a-z 0-9 and -, starting with a letter, not ending with -.
fn is_project(text: &str) -> bool {
    (6..=30).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && !text.ends_with('-')
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// What is said of a URL (its scheme, its host) is said when the keys' address is read; here only
/// what would make two different texts one address, or end the path.
fn is_url(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else { return false };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    (scheme == "https" || scheme == "http")
        && rest.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
        && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~/:[]".contains(&b))
}

fn is_realm(text: &str) -> bool {
    text.len() <= 255
        && !text.starts_with('.')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

fn is_region(text: &str) -> bool {
    let mut parts = text.split('-');
    let area = parts.next().unwrap_or_default();
    let number = parts.next_back().unwrap_or_default();
    let lower = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase());
    text.len() <= 32
        && lower(area)
        && (1..=2).contains(&parts.clone().count())
        && parts.all(lower)
        && number.len() == 1
        && number.bytes().all(|b| b.is_ascii_digit())
}

fn is_pool(text: &str) -> bool {
    text.rsplit_once('_').is_some_and(|(region, id)| {
        is_region(region)
            && (1..=64).contains(&id.len())
            && id.bytes().all(|b| b.is_ascii_alphanumeric())
    })
}

const HOST: Grammar =
    Grammar { fits: is_host, accepted: "a host name in lower case, such as your-org.okta.com," };
const ID: Grammar = Grammar { fits: is_id, accepted: "a name of 1 to 128 of A-Za-z0-9 _ -" };
const TENANT: Grammar = Grammar {
    fits: is_tenant,
    accepted: "a tenant of its own (an id such as 8eaef023-2b34-4da1-9baa-8bc8c9d6a490, or a \
               verified domain; never common, organizations or consumers)",
};
const PROJECT: Grammar =
    Grammar { fits: is_project, accepted: "a project id of 6 to 30 of a-z 0-9 -" };
const URL: Grammar = Grammar {
    fits: is_url,
    accepted: "a URL such as https://idp.example.com/auth, without user, query and fragment,",
};
const REALM: Grammar =
    Grammar { fits: is_realm, accepted: "a realm of A-Za-z0-9 . _ -, not starting with a dot," };
const REGION: Grammar = Grammar { fits: is_region, accepted: "a region such as eu-west-1" };
const POOL: Grammar =
    Grammar { fits: is_pool, accepted: "a user pool such as eu-west-1_A1b2C3d4E" };
