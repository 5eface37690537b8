//! Names that routes use and the config does not have: counted, logged, shown in `/status`.
//!
//! It decides nothing; `check/route.rs` finds them.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use serde::Serialize;

use crate::{
    check::route::{ReferenceKind, UnknownReference},
    clock::Mono,
};

/// At most this many names are kept; later ones are counted nowhere but in the metric.
const MAX_NAMES: usize = 1000;
/// A name is logged at most once in this time.
const LOG_EVERY: Duration = Duration::from_secs(60);
/// A name is kept in at most this many characters.
const MAX_NAME_CHARS: usize = 128;

/// What was not found since the process began.
#[derive(Debug, Default)]
pub struct References {
    /// When each kind of fault of a route was last logged.
    faults: Mutex<HashMap<&'static str, Mono>>,
    seen: Mutex<HashMap<(ReferenceKind, String), Seen>>,
}

#[derive(Debug)]
struct Seen {
    count: u64,
    logged: Mono,
}

/// One line of `/status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Counted {
    /// `policy` or `provider`.
    pub kind: &'static str,
    /// As the route spells it.
    pub name: String,
    /// How many checks met it.
    pub count: u64,
}

impl References {
    /// Counts references that one check met.
    pub fn note(&self, unknown: Vec<UnknownReference>, now: Mono) {
        if unknown.is_empty() {
            return;
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        for UnknownReference { kind, name } in unknown {
            let name: String = name.chars().take(MAX_NAME_CHARS).collect();
            let full = seen.len() >= MAX_NAMES;
            let key = (kind, name);
            if full && !seen.contains_key(&key) {
                continue;
            }
            let first = !seen.contains_key(&key);
            let entry = seen.entry(key.clone()).or_insert(Seen { count: 0, logged: now });
            entry.count += 1;
            if first || now.since(entry.logged) >= LOG_EVERY {
                entry.logged = now;
                let (kind, name) = (kind.label(), key.1.escape_debug().to_string());
                tracing::warn!(
                    kind,
                    name,
                    count = entry.count,
                    "a route names what the config lacks"
                );
            }
        }
    }

    /// Logs that a route's policy cannot be followed, each kind once in a while.
    pub fn note_fault(&self, reason: &'static str, now: Mono) {
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        if faults.get(reason).is_none_or(|logged| now.since(*logged) >= LOG_EVERY) {
            faults.insert(reason, now);
            tracing::warn!(reason, "a route's policy cannot be followed; its requests are denied");
        }
    }

    /// All of them, in order.
    #[must_use]
    pub fn counted(&self) -> Vec<Counted> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<Counted> = seen
            .iter()
            .map(|((kind, name), seen)| Counted {
                kind: kind.label(),
                name: name.clone(),
                count: seen.count,
            })
            .collect();
        all.sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Mono = Mono(Duration::ZERO);

    fn provider(name: &str) -> UnknownReference {
        UnknownReference { kind: ReferenceKind::Provider, name: name.to_owned() }
    }

    fn policy(name: &str) -> UnknownReference {
        UnknownReference { kind: ReferenceKind::Policy, name: name.to_owned() }
    }

    #[track_caller]
    fn check(notes: Vec<Vec<UnknownReference>>, expected: &[(&str, &str, u64)]) {
        let references = References::default();
        notes.into_iter().for_each(|note| references.note(note, NOW));
        let counted = references.counted();
        let counted: Vec<_> = counted.iter().map(|c| (c.kind, &*c.name, c.count)).collect();
        assert_eq!(counted, expected);
    }

    #[test]
    fn each_name_is_counted_by_its_kind() {
        check(vec![vec![]], &[]);
        check(
            vec![vec![provider("b"), provider("a")], vec![provider("a")], vec![policy("a")]],
            &[("policy", "a", 1), ("provider", "a", 2), ("provider", "b", 1)],
        );
    }

    #[test]
    fn a_long_name_is_cut_at_whole_characters() {
        let (long, kept) = ("é".repeat(200), "é".repeat(MAX_NAME_CHARS));
        check(vec![vec![provider(&long)], vec![provider(&kept)]], &[("provider", &kept, 2)]);
    }

    #[test]
    fn once_there_are_too_many_names_only_known_ones_are_counted() {
        let references = References::default();
        let names = (0..MAX_NAMES).map(|index| provider(&index.to_string()));
        references.note(names.collect(), NOW);
        references.note(vec![provider("late"), provider("0")], NOW);
        let counted = references.counted();
        assert_eq!(counted.len(), MAX_NAMES);
        assert!(counted.iter().all(|c| c.name != "late"));
        assert_eq!(counted.first().map(|c| (&*c.name, c.count)), Some(("0", 2)));
    }
}
