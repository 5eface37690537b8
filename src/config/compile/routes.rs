//! `routes`, `route_policies` and `route_annotations` -> [`Routes`].
//!
//! Which entry a request gets is settled in `routes.rs` and `check/route.rs`.

use std::{collections::HashMap, sync::Arc};

use crate::{
    check::target,
    config::{
        compile::{Policies, all_names_are_known},
        document::Spanned,
        file::{ConfigFile, route::RouteByFile},
        problem::{Findings, Place},
    },
    policy::Policy,
    routes::{Annotations, HostMatch, InlinePolicies, RouteMatch, Routes},
};

/// The routes of all files together.
pub(super) fn compile(
    files: &[ConfigFile],
    policies: &Policies,
    findings: &mut Findings,
) -> Routes {
    let inline = once(files.iter().filter_map(|file| file.route_policies.as_ref()), findings);
    let inline = match inline.map(|inline| (inline.value.as_str(), &inline.place)) {
        None | Some(("any", _)) => InlinePolicies::Accept,
        Some(("named", _)) => InlinePolicies::Refuse,
        Some((_, place)) => {
            findings.refuse(place, "unknown; any or named is accepted");
            InlinePolicies::Refuse
        }
    };
    let read = once(files.iter().filter_map(|file| file.route_annotations.as_ref()), findings);
    let annotations = match read.map(|read| read.value) {
        Some(true) => Annotations::Read,
        Some(false) | None => Annotations::Ignore,
    };
    let mut places: HashMap<RouteMatch, Place> = HashMap::new();
    let mut entries = Vec::new();
    for route in files.iter().flat_map(|file| file.routes.iter().flatten()) {
        let policy = route.policy.as_ref();
        let policy = policy.and_then(|name| named(name, files, policies, findings));
        let Some(matching) = route.by.as_ref().and_then(|by| matching(by, findings)) else {
            continue;
        };
        if let RouteMatch::Target(..) = matching {
            let message = "goes by what the client sends; safe only where the proxy binds each \
                           virtual host to its host";
            findings.warn(&route.place, message);
        }
        if let Some(first) = places.get(&matching) {
            let first = first.position();
            findings.refuse(&route.place, format!("{matching} has its route at {first}"));
            continue;
        }
        places.insert(matching.clone(), route.place.clone());
        entries.extend(policy.map(|policy| (matching, policy)));
    }
    Routes::new(inline, annotations, entries)
}

/// The value, which one file may set.
fn once<'a, T>(
    mut written: impl Iterator<Item = &'a Spanned<T>>,
    findings: &mut Findings,
) -> Option<&'a Spanned<T>> {
    let first = written.next()?;
    for second in written {
        let first = first.place.position();
        findings.refuse(&second.place, format!("already set at {first}; one is accepted"));
    }
    Some(first)
}

fn named(
    name: &Spanned<String>,
    files: &[ConfigFile],
    policies: &Policies,
    findings: &mut Findings,
) -> Option<Arc<Policy>> {
    let key = name.value.to_ascii_lowercase();
    if !policies.names.first.contains_key(&key) && all_names_are_known(files) {
        let names = policies.names.list();
        findings.refuse(&name.place, format!("no policy has this name; accepted are {names}"));
    }
    policies.compiled.get(&key).cloned()
}

fn matching(by: &RouteByFile, findings: &mut Findings) -> Option<RouteMatch> {
    match by {
        RouteByFile::Authority(name) => {
            Some(RouteMatch::Authority(host(name, &name.value, findings)?))
        }
        RouteByFile::Workload(name) => Some(RouteMatch::Workload(pair(name, findings)?)),
        RouteByFile::Istio(name) => Some(RouteMatch::Istio(pair(name, findings)?)),
        RouteByFile::Target { host: name, path_prefix } => {
            let hosts = name.as_ref().map_or(Some(HostMatch::Any), |name| hosts(name, findings));
            let prefix = path_prefix.as_ref();
            let prefix = prefix.map_or(Some("/".to_owned()), |path| prefix_of(path, findings));
            Some(RouteMatch::Target(hosts?, prefix?))
        }
    }
}

fn hosts(name: &Spanned<String>, findings: &mut Findings) -> Option<HostMatch> {
    match name.value.strip_prefix("*.") {
        Some(rest) => Some(HostMatch::Suffix(format!(".{}", host(name, rest, findings)?))),
        None => Some(HostMatch::Exact(host(name, &name.value, findings)?)),
    }
}

/// A host as requests are compared with it. A port would be taken off theirs.
fn host(at: &Spanned<String>, text: &str, findings: &mut Findings) -> Option<String> {
    let plain = target::host(text);
    match plain {
        Some(plain) if plain.len() == text.len() => Some(plain.into_owned()),
        Some(_) | None => {
            let accepted = "a host without port and trailing dot is accepted";
            findings.refuse(&at.place, format!("not a host; {accepted}"));
            None
        }
    }
}

fn pair(name: &Spanned<String>, findings: &mut Findings) -> Option<String> {
    let plain = |part: &str| {
        let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b);
        !part.is_empty() && part.bytes().all(inner)
    };
    let sound = name.value.split_once('/').is_some_and(|(a, b)| plain(a) && plain(b));
    if !sound {
        findings.refuse(&name.place, "not two Kubernetes names; NAMESPACE/NAME is accepted");
    }
    sound.then(|| name.value.clone())
}

/// A trailing slash says nothing, since prefixes end at whole segments.
fn prefix_of(path: &Spanned<String>, findings: &mut Findings) -> Option<String> {
    let Some(plain) = target::path(&path.value) else {
        let message = "not a plain path; one that starts with / is accepted, without query, \
                       //, ;, . and .. segments and encoded slashes";
        findings.refuse(&path.place, message);
        return None;
    };
    let trimmed = plain.strip_suffix('/').unwrap_or(&plain);
    Some(if trimmed.is_empty() { "/".to_owned() } else { trimmed.to_owned() })
}
