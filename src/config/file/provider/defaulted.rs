//! The members of a provider that its `type` may stand for: as written, else as documented.
//!
//! What is documented of which type is not known here (`config/presets`).

use crate::{
    config::{
        document::{Spanned, mapping::Mapping, node::Node},
        file::provider::{AudiencesFile, JwksFile, JwksFrom},
        presets::Preset,
    },
    url::UrlText,
};

/// With the address that the preset documents where nothing says another, and what its server
/// asks for. Another server never sees a pod's token.
pub(super) fn jwks(
    mut jwks: JwksFile,
    preset: &Preset,
    discovery_url: Option<&Spanned<UrlText>>,
) -> JwksFile {
    let nothing_said = matches!(jwks.from, Some(JwksFrom::Discovery)) && discovery_url.is_none();
    if let Some(uri) = preset.jwks_uri().filter(|_| nothing_said) {
        jwks.from = Some(JwksFrom::Uri(Spanned { value: UrlText(uri.value), place: uri.place }));
        if let Some((ca, token)) = preset.pod_files() {
            jwks.ca_file.get_or_insert(ca);
            jwks.token_file.get_or_insert(token);
        }
    }
    jwks
}

pub(super) fn issuers(map: &mut Mapping<'_>, preset: &Preset) -> Vec<Spanned<String>> {
    let keys = ["issuer", "issuers"];
    let one = map.optional("issuer", Node::text).map(|issuer| vec![issuer]);
    let list = map.optional("issuers", |node| node.full_list(Node::text));
    if keys.iter().any(|key| map.has(key)) {
        return map.exactly_one(&keys).and(one.or(list)).unwrap_or_default();
    }
    if let Some(missed) = preset.issuers_missed() {
        map.refuse(&map.place().field("issuer"), missed);
    } else if preset.asks_for_issuers() {
        map.exactly_one(&keys);
    }
    preset.issuers()
}

pub(super) fn required_claims(
    map: &mut Mapping<'_>,
    preset: &Preset,
    issuers: &[Spanned<String>],
) -> Vec<(Spanned<String>, String)> {
    let written = if preset.asks_for_claims() {
        map.required("required_claims", WHOM, |node| {
            let place = node.clone();
            let claims = node.string_map()?;
            let says_whom = |claim: &str| !["iss", "aud", "azp"].contains(&claim);
            if claims.iter().any(|(claim, _)| says_whom(&claim.value)) {
                return Some(claims);
            }
            place.refuse(format!("none that says whom to let in; {WHOM} is accepted"))
        })
    } else {
        map.optional("required_claims", Node::string_map)
    };
    preset.with_required_claims(written.unwrap_or_default(), issuers, map)
}

pub(super) fn audiences(map: &mut Mapping<'_>, preset: &Preset) -> Option<AudiencesFile> {
    if preset.asks_for_audiences() || map.has("audiences") {
        return map.required("audiences", AUDIENCES, read_audiences);
    }
    preset.audience().map(|audience| AudiencesFile::OneOf(vec![audience]))
}

/// The list as written; `documented` where it is absent.
pub(super) fn list(
    map: &mut Mapping<'_>,
    key: &'static str,
    documented: Option<Vec<Spanned<String>>>,
) -> Option<Vec<Spanned<String>>> {
    let written = map.optional(key, |node| node.full_list(Node::text));
    if map.has(key) { written } else { documented }
}

fn read_audiences(node: Node<'_>) -> Option<AudiencesFile> {
    if node.is_string() {
        let place = node.clone();
        return match node.string()?.value.as_str() {
            "any" => Some(AudiencesFile::Any),
            _a_bare_audience => place.refuse(format!("found a string; {AUDIENCES} is accepted")),
        };
    }
    let list = node.full_list(Node::text)?;
    Some(AudiencesFile::OneOf(list.into_iter().map(|audience| audience.value).collect()))
}

const WHOM: &str = "at least one claim, such as hd, sub or email,";
const AUDIENCES: &str = "a non-empty list of strings, or the word `any`,";
