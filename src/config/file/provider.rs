//! One element of `providers` as written.
//!
//! It judges shape only: types, unknown keys, and which keys exclude or need each other.

mod defaulted;

use std::{
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    config::{
        document::{Spanned, mapping::Mapping, node::Node},
        file::claim_rule::ClaimToHeaderFile,
        presets::Preset,
        problem::Place,
    },
    snapshot::changes::Definition,
    url::UrlText,
};

/// A provider as written, and what its `type` stands for where nothing is written. Required values
/// that are absent have been reported.
#[derive(Debug)]
pub struct ProviderFile {
    /// Where it starts.
    pub place: Place,
    /// `name`.
    pub name: Option<Spanned<String>>,
    /// `description`.
    pub description: Option<String>,
    /// `labels`.
    pub labels: Vec<(String, String)>,
    /// `enabled`.
    pub enabled: Option<bool>,
    /// `issuer` or `issuers`.
    pub issuers: Vec<Spanned<String>>,
    /// `audiences`.
    pub audiences: Option<AudiencesFile>,
    /// `discovery_url`.
    pub discovery_url: Option<Spanned<UrlText>>,
    /// `jwks`; absent only if it was refused.
    pub jwks: Option<JwksFile>,
    /// `algorithms`.
    pub algorithms: Option<Vec<Spanned<String>>>,
    /// `token_types`.
    pub token_types: Option<Vec<Spanned<String>>>,
    /// `required_claims`.
    pub required_claims: Vec<(Spanned<String>, String)>,
    /// `accept_unbound`.
    pub accept_unbound: Option<bool>,
    /// `leeway`.
    pub leeway: Option<Spanned<Duration>>,
    /// `require_exp`.
    pub require_exp: Option<bool>,
    /// `max_lifetime`.
    pub max_lifetime: Option<Spanned<Duration>>,
    /// `audience_claim`.
    pub audience_claim: Option<Spanned<String>>,
    /// `scope_claims`.
    pub scope_claims: Option<Vec<Spanned<String>>>,
    /// `claim_to_headers`.
    pub claim_to_headers: Vec<ClaimToHeaderFile>,
    /// `payload_header`.
    pub payload_header: Option<Spanned<String>>,
    /// All of it.
    pub definition: Definition,
}

/// `audiences`.
#[derive(Debug)]
pub enum AudiencesFile {
    /// The bare word `any`.
    Any,
    /// A list.
    OneOf(Vec<String>),
}

/// `jwks`.
#[derive(Debug)]
pub struct JwksFile {
    /// Where the keys come from; absent if what says so was refused.
    pub from: Option<JwksFrom>,
    /// `allow_http`.
    pub allow_http: Option<Spanned<bool>>,
    /// `ca_file`, from the folder of the config file.
    pub ca_file: Option<Spanned<PathBuf>>,
    /// `skip_tls_verification`.
    pub skip_tls_verification: Option<Spanned<bool>>,
    /// `proxy`.
    pub proxy: Option<Spanned<String>>,
    /// `token_file`, from the folder of the config file.
    pub token_file: Option<Spanned<PathBuf>>,
    /// `timeout`.
    pub timeout: Option<Spanned<Duration>>,
    /// `refresh_interval`.
    pub refresh_interval: Option<Spanned<Duration>>,
    /// `refresh_cooldown`.
    pub refresh_cooldown: Option<Spanned<Duration>>,
    /// `max_stale`.
    pub max_stale: Option<Spanned<Duration>>,
}

/// Where a provider's keys come from.
#[derive(Debug)]
pub enum JwksFrom {
    /// None of the others: the discovery document says where.
    Discovery,
    /// `uri`.
    Uri(Spanned<UrlText>),
    /// `file`, from the folder of the config file.
    File(Spanned<PathBuf>),
    /// `inline`, as JSON.
    Inline(Spanned<InlineSet>),
}

/// The text of an inline JWK Set. It may hold symmetric keys: its `Debug` shows none of it.
pub struct InlineSet(pub String);

impl fmt::Debug for InlineSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InlineSet(…)")
    }
}

impl ProviderFile {
    /// Reads one element of `providers`.
    pub(super) fn read(node: Node<'_>, folder: &Path) -> Option<Self> {
        let definition = node.definition();
        let mut map = node.mapping()?;
        let preset = Preset::read(&mut map);
        let name = map.required("name", "a name of 1 to 63 characters", Node::text);
        let issuers = defaulted::issuers(&mut map, &preset);
        let required_claims = defaulted::required_claims(&mut map, &preset, &issuers);
        let discovery_url = map.optional("discovery_url", url_text);
        let jwks = JwksFile::of(&mut map, folder);
        let provider = Self {
            place: map.place().clone(),
            name,
            description: map.optional("description", Node::string).map(|d| d.value),
            labels: map.optional("labels", Node::string_map).map(plain_keys).unwrap_or_default(),
            enabled: map.optional("enabled", Node::boolean).map(|e| e.value),
            issuers,
            audiences: defaulted::audiences(&mut map, &preset),
            jwks: jwks.map(|jwks| defaulted::jwks(jwks, &preset, discovery_url.as_ref())),
            discovery_url,
            algorithms: defaulted::list(&mut map, "algorithms", preset.algorithms()),
            token_types: defaulted::list(&mut map, "token_types", preset.token_types()),
            required_claims,
            accept_unbound: map.optional("accept_unbound", Node::boolean).map(|a| a.value),
            leeway: map.optional("leeway", Node::duration),
            require_exp: map.optional("require_exp", Node::boolean).map(|r| r.value),
            max_lifetime: map.optional("max_lifetime", Node::duration),
            audience_claim: map
                .optional("audience_claim", Node::text)
                .or_else(|| preset.audience_claim()),
            scope_claims: map.optional("scope_claims", |node| node.full_list(Node::text)),
            claim_to_headers: map
                .optional("claim_to_headers", |node| node.list(ClaimToHeaderFile::read))
                .unwrap_or_default(),
            payload_header: map.optional("payload_header", Node::text),
            definition,
        };
        map.finish();
        Some(provider)
    }
}

impl JwksFile {
    /// `jwks` of a provider; where it is absent, as if it were empty.
    fn of(provider: &mut Mapping<'_>, folder: &Path) -> Option<Self> {
        let written = provider.optional("jwks", |node| Self::read(node, folder));
        if provider.has("jwks") {
            return written;
        }
        Some(Self {
            from: Some(JwksFrom::Discovery),
            allow_http: None,
            ca_file: None,
            skip_tls_verification: None,
            proxy: None,
            token_file: None,
            timeout: None,
            refresh_interval: None,
            refresh_cooldown: None,
            max_stale: None,
        })
    }

    fn read(node: Node<'_>, folder: &Path) -> Option<Self> {
        let path = |node: Node<'_>| {
            let Spanned { value, place } = node.text()?;
            Some(Spanned { value: folder.join(value), place })
        };
        let mut map = node.mapping()?;
        let keys = ["uri", "file", "inline"];
        let discovery = !keys.iter().any(|key| map.has(key));
        let only = map.at_most_one(&keys, "at most one of");
        let uri = map.optional("uri", url_text).map(JwksFrom::Uri);
        let file = map.optional("file", path).map(JwksFrom::File);
        let inline = map.optional("inline", inline).map(JwksFrom::Inline);
        let jwks = Self {
            from: if discovery {
                Some(JwksFrom::Discovery)
            } else {
                only.and(uri.or(file).or(inline))
            },
            allow_http: map.optional("allow_http", Node::boolean),
            ca_file: map.optional("ca_file", path),
            skip_tls_verification: map.optional("skip_tls_verification", Node::boolean),
            proxy: map.optional("proxy", Node::text),
            token_file: map.optional("token_file", path),
            timeout: map.optional("timeout", Node::duration),
            refresh_interval: map.optional("refresh_interval", Node::duration),
            refresh_cooldown: map.optional("refresh_cooldown", Node::duration),
            max_stale: map.optional("max_stale", Node::duration),
        };
        map.finish();
        Some(jwks)
    }

    /// The files whose content this key source needs.
    pub fn side_files(&self) -> impl Iterator<Item = &PathBuf> {
        let file = match &self.from {
            Some(JwksFrom::File(file)) => Some(&file.value),
            Some(JwksFrom::Uri(_) | JwksFrom::Inline(_) | JwksFrom::Discovery) | None => None,
        };
        file.into_iter().chain(self.ca_file.as_ref().map(|ca| &ca.value))
    }
}

fn url_text(node: Node<'_>) -> Option<Spanned<UrlText>> {
    let Spanned { value, place } = node.text()?;
    Some(Spanned { value: UrlText(value), place })
}

fn inline(node: Node<'_>) -> Option<Spanned<InlineSet>> {
    let place = node.place().clone();
    let text = if node.is_string() { node.text()?.value } else { node.json()? };
    Some(Spanned { value: InlineSet(text), place })
}

fn plain_keys(pairs: Vec<(Spanned<String>, String)>) -> Vec<(String, String)> {
    pairs.into_iter().map(|(key, value)| (key.value, value)).collect()
}

#[cfg(test)]
mod tests {
    use crate::config::file::ConfigFile;

    use super::*;

    #[track_caller]
    fn check(provider: &str, expected: &[&str]) {
        let text = format!("providers:\n- {}", provider.replace('\n', "\n  "));
        let file = ConfigFile::read(Path::new("d/c"), text.as_bytes());
        let problems: Vec<_> = file.problems.iter().map(ToString::to_string).collect();
        assert_eq!(problems.len(), expected.len(), "{problems:#?}");
        for (problem, expected) in problems.iter().zip(expected) {
            let expected = format!("d/c:{expected}");
            assert!(problem.starts_with(&expected), "{problem} does not start with {expected}");
        }
    }

    #[track_caller]
    fn check_line(line: &str, expected: &[&str]) {
        check(&format!("{GOOD}\n{line}"), expected);
    }

    const GOOD: &str = "name: a\nissuer: i\naudiences: any\njwks: {uri: 'https://i/'}";

    #[test]
    fn the_smallest_provider_has_three_keys() {
        check(GOOD, &[]);
        check("name: a\nissuer: i\naudiences: any", &[]);
    }

    #[test]
    fn each_required_key_is_missed_on_its_own() {
        check(
            "{enabled: true}",
            &[
                "2:3: providers[0].name: missing; a name",
                "2:3: providers[0].issuer: missing; exactly one of issuer, issuers is accepted",
                "2:3: providers[0].audiences: missing; a non-empty list of strings, or the word `any`",
            ],
        );
        check(
            "{}",
            &["2:3: providers[0].name", "2:3: providers[0].issuer", "2:3: providers[0].audiences"],
        );
    }

    #[test]
    fn wrong_types_are_never_coerced() {
        check_line("description: 5", &["6:16: providers[0].description: found a number"]);
        check_line("labels: {a: true}", &["6:15: providers[0].labels.a: found a boolean"]);
        check_line("labels: [a]", &["6:11: providers[0].labels: found a list; a mapping"]);
        check_line("enabled: yes", &["6:12: providers[0].enabled: found a string; true or false"]);
        check_line("leeway: 60", &["6:11: providers[0].leeway: found a number; a whole number w"]);
        check_line("algorithms: RS256", &["6:15: providers[0].algorithms: found a string; a list"]);
        check_line("algorithms: []", &["6:15: providers[0].algorithms: an empty list"]);
        check_line("token_types: []", &["6:16: providers[0].token_types: an empty list"]);
        check_line("scope_claims: []", &["6:17: providers[0].scope_claims: an empty list"]);
        check_line("required_claims: {hd: 5}", &["6:25: providers[0].required_claims.hd: found a"]);
        check_line("required_claims: {hd: ''}", &["6:25: providers[0].required_claims.hd: an e"]);
        check_line("payload_header:", &["6:3: providers[0].payload_header: a value is missing"]);
        check_line("audience_claim: ''", &["6:19: providers[0].audience_claim: an empty string"]);
    }

    #[test]
    fn issuer_and_issuers_exclude_each_other() {
        check_line(
            "issuers: [b]",
            &["6:3: providers[0].issuers: stands beside `issuer`; exactly one of issuer, issuers"],
        );
        let with = |issuer: &str| GOOD.replace("issuer: i", issuer);
        check(&with("issuers: []"), &["3:12: providers[0].issuers: an empty list"]);
        check(&with("issuers: i"), &["3:12: providers[0].issuers: found a string; a list"]);
        check(&with("issuers: [i, '']"), &["3:16: providers[0].issuers[1]: an empty string"]);
        check(&with("issuer: 5"), &["3:11: providers[0].issuer: found a number"]);
        check(&with("issuer: [i]"), &["3:11: providers[0].issuer: found a list; a string"]);
        check(&with("issuer:"), &["3:3: providers[0].issuer: a value is missing"]);
    }

    #[test]
    fn audiences_are_a_list_or_the_word_any() {
        let with = |value: &str| GOOD.replace("audiences: any", &format!("audiences: {value}"));
        check(&with("[any]"), &[]);
        for bad in ["orders", "Any", "''", "[]", "5", "{any: true}"] {
            check(&with(bad), &["4:14: providers[0].audiences: "]);
        }
        check(&with("[a, '']"), &["4:18: providers[0].audiences[1]: an empty string"]);
        check(&with("[5]"), &["4:15: providers[0].audiences[0]: found a number"]);
    }

    #[test]
    fn jwks_has_at_most_one_source() {
        let with = |value: &str| GOOD.replace("{uri: 'https://i/'}", value);
        check(&with("{timeout: 5s}"), &[]);
        check(&with("{}"), &[]);
        check(&with(""), &["5:3: providers[0].jwks: a value is missing"]);
        check(
            &with("{inline: x, file: y, uri: z}"),
            &[
                "5:21: providers[0].jwks.file: stands beside `uri`; at most one of uri, file, inline",
                "5:10: providers[0].jwks.inline: stands beside `uri`",
            ],
        );
        check(&with("{file: ''}"), &["5:16: providers[0].jwks.file: an empty string"]);
        check(&with("{inline: {5: x}}"), &["5:18: providers[0].jwks.inline: not JSON"]);
        check(&with("https://i/"), &["5:9: providers[0].jwks: found a string; a mapping"]);
        check(&with("{uri: a, proxies: b}"), &["5:18: providers[0].jwks.proxies: unknown key"]);
        check(&with("{proxy: 1}"), &["5:17: providers[0].jwks.proxy: found a number"]);
        check(&with("{token_file: ''}"), &["5:22: providers[0].jwks.token_file: an empty string"]);
    }

    #[test]
    fn a_claim_to_headers_line_has_one_source_and_a_header() {
        let rule = |rule: &str| format!("claim_to_headers:\n- {rule}");
        check_line(&rule("{claim: a, header: x}"), &[]);
        check_line("claim_to_headers: []", &[]);
        check_line(&rule("{header: x}"), &["7:5: providers[0].claim_to_headers[0].claim: missing"]);
        check_line(
            &rule("{claim: a, value: issuer, header: x}"),
            &["7:16: providers[0].claim_to_headers[0].value: stands beside `claim`"],
        );
        check_line(&rule("{claim: a}"), &["7:5: providers[0].claim_to_headers[0].header: missing"]);
        check_line(
            &rule("{claim: a, header: x, overflow: omit}"),
            &["7:27: providers[0].claim_to_headers[0].overflow: unknown key; accepted are claim"],
        );
    }

    #[test]
    fn keys_of_later_versions_are_unknown() {
        check_line("token_from: x", &["6:3: providers[0].token_from: unknown key"]);
    }

    #[test]
    fn inline_sets_never_show_in_debug_output() {
        assert_eq!(format!("{:?}", InlineSet("secret".into())), "InlineSet(…)");
    }
}
