//! One mapping and which of its keys were asked for: the rest is unknown, and unknown is wrong.
//!
//! It has no list of keys of its own; what readers ask for is the list.

use crate::{
    config::{
        document::{
            Document, Spanned,
            node::{MISSING, Node},
            tree::Yaml,
        },
        problem::{Mark, Place},
    },
    snapshot::changes::Definition,
};

/// A mapping that is being read. End with [`Mapping::finish`], or unknown keys go unnoticed.
#[must_use]
pub struct Mapping<'d> {
    document: &'d Document,
    place: Place,
    pairs: &'d [(Yaml, Yaml)],
    known: Vec<&'static str>,
}

#[derive(Clone, Copy)]
struct Entry<'d> {
    key: &'d str,
    key_mark: Mark,
    value: &'d Yaml,
}

impl<'d> Mapping<'d> {
    pub(super) fn new(document: &'d Document, place: Place, pairs: &'d [(Yaml, Yaml)]) -> Self {
        Self { document, place, pairs, known: Vec::new() }
    }

    /// Where it starts.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Whether `key` is there, with whatever value.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.entry(key).is_some()
    }

    /// What is written under each key that is `wanted`.
    #[must_use]
    pub fn definitions(&self, wanted: impl Fn(&str) -> bool) -> Vec<(String, Definition)> {
        let entries = self.entries().filter(|entry| wanted(entry.key));
        entries.map(|entry| (entry.key.to_owned(), self.value(entry).definition())).collect()
    }

    /// The value of `key`, if it is there and `read` takes it.
    pub fn optional<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(Node<'d>) -> Option<T>,
    ) -> Option<T> {
        self.known.push(key);
        let entry = self.entry(key)?;
        let value = self.value(entry);
        if value.is_null() {
            self.document.refuse(&self.key_place(entry), MISSING);
            return None;
        }
        read(value)
    }

    /// The value of `key`; that it is absent is a problem, which says what is `accepted`.
    pub fn required<T>(
        &mut self,
        key: &'static str,
        accepted: &str,
        read: impl FnOnce(Node<'d>) -> Option<T>,
    ) -> Option<T> {
        if !self.has(key) {
            self.document
                .refuse(&self.place.field(key), format!("missing; {accepted} is accepted"));
        }
        self.optional(key, read)
    }

    /// The one of `keys` that is there; none and several are problems.
    pub fn exactly_one(&self, keys: &[&'static str]) -> Option<&'static str> {
        if keys.iter().any(|key| self.has(key)) {
            return self.at_most_one(keys, "exactly one of");
        }
        let place = keys.first().map_or(self.place.clone(), |key| self.place.field(key));
        let accepted = keys.join(", ");
        self.document.refuse(&place, format!("missing; exactly one of {accepted} is accepted"));
        None
    }

    /// The one of `keys` that is there, if there is one and no other; several are problems, which
    /// say that `how_many` of them are accepted.
    pub fn at_most_one(&self, keys: &[&'static str], how_many: &str) -> Option<&'static str> {
        let mut there = keys.iter().filter(|key| self.has(key));
        let first = there.next()?;
        let mut only = Some(*first);
        let accepted = keys.join(", ");
        for entry in there.filter_map(|key| self.entry(key)) {
            let message = format!("stands beside `{first}`; {how_many} {accepted} is accepted");
            self.document.refuse(&self.key_place(entry), message);
            only = None;
        }
        only
    }

    /// The mapping that `key`, which is absent, would have if it were empty.
    pub fn empty(&self, key: &str) -> Mapping<'d> {
        Mapping::new(self.document, self.place.field(key), &[])
    }

    /// Notes that what stands at `place` is wrong.
    pub fn refuse(&self, place: &Place, message: &str) {
        self.document.refuse(place, message);
    }

    /// Reports every key that nobody asked for.
    pub fn finish(self) {
        for entry in self.entries() {
            if !self.known.contains(&entry.key) {
                let message = match nearest(entry.key, &self.known) {
                    Some(near) => format!("unknown key; did you mean `{near}`?"),
                    None => format!("unknown key; accepted are {}", self.known.join(", ")),
                };
                self.document.refuse(&self.key_place(entry), message);
            }
        }
    }

    /// Every entry, read with `read`; so every key is known.
    pub(super) fn into_pairs<T>(
        self,
        read: impl Fn(Node<'d>) -> Option<T>,
    ) -> Vec<(Spanned<String>, T)> {
        let mut pairs = Vec::with_capacity(self.pairs.len());
        for entry in self.entries() {
            let (place, value) = (self.key_place(entry), self.value(entry));
            if entry.key.is_empty() {
                self.document.refuse(&place, "an empty key; a non-empty key is accepted");
            } else if value.is_null() {
                self.document.refuse(&place, MISSING);
            } else if let Some(value) = read(value) {
                pairs.push((Spanned { value: entry.key.to_owned(), place }, value));
            }
        }
        pairs
    }

    /// What has a string as its key; the rest has been refused.
    fn entries(&self) -> impl Iterator<Item = Entry<'d>> + use<'d> {
        let named = |(yaml, value): &'d (Yaml, Yaml)| {
            Some(Entry { key: yaml.as_str()?, key_mark: yaml.mark, value })
        };
        self.pairs.iter().filter_map(named)
    }

    fn entry(&self, key: &str) -> Option<Entry<'d>> {
        self.entries().find(|entry| entry.key == key)
    }

    fn key_place(&self, entry: Entry<'d>) -> Place {
        self.place.field(entry.key).at(entry.key_mark)
    }

    fn value(&self, Entry { key, key_mark: _, value }: Entry<'d>) -> Node<'d> {
        Node::new(self.document, value, self.place.field(key).at(value.mark))
    }
}

/// The known name that is at most two edits away, and at most a third of the key.
fn nearest(key: &str, known: &[&'static str]) -> Option<&'static str> {
    let simple = |name: &str| name.to_ascii_lowercase().replace('-', "_");
    if key.len() > MAX_HINTED {
        return None;
    }
    let (distance, name) =
        known.iter().map(|name| (edits(&simple(key), name), *name)).min_by_key(|(d, _)| *d)?;
    (distance <= 2.min(name.len().div_ceil(3))).then_some(name)
}

/// The Levenshtein distance in bytes, one row at a time.
fn edits(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut left = i + 1;
        let mut next = vec![left];
        for ((y, diagonal), above) in b.bytes().zip(&row).zip(row.iter().skip(1)) {
            left = (diagonal + usize::from(x != y)).min(left + 1).min(above + 1);
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

/// Longer keys get the list of accepted ones.
const MAX_HINTED: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let document = Document::parse("c", text.as_bytes()).unwrap();
        let mut mapping = document.root().mapping().unwrap();
        let _ = mapping.required("issuer", "a string", Node::text);
        let _ = mapping.exactly_one(&["uri", "file", "inline"]);
        for key in ["uri", "file", "inline", "max_stale"] {
            let _ = mapping.optional(key, Node::text);
        }
        mapping.finish();
        let problems: Vec<_> = document.into_problems().iter().map(ToString::to_string).collect();
        assert_eq!(problems, expected);
    }

    #[test]
    fn known_keys_are_fine() {
        check("{issuer: a, uri: b, max_stale: c}", &[]);
    }

    #[test]
    fn an_unknown_key_is_a_problem_at_the_key_with_the_nearest_name() {
        let hint = |place: &str, key: &str, near: &str| {
            format!("c:{place}: {key}: unknown key; did you mean `{near}`?")
        };
        check("issuer: a\nfile: b\n  \n\nmax-stale: c", &[&hint("5:1", "max-stale", "max_stale")]);
        check("{issuer: a, file: b, isuer: c}", &[&hint("1:22", "isuer", "issuer")]);
        check("{issuer: a, file: b, URI: c}", &[&hint("1:22", "URI", "uri")]);
    }

    #[test]
    fn an_unknown_key_unlike_any_other_gets_the_list() {
        let list = "c:1:22: proxy: unknown key; accepted are issuer, uri, file, inline, max_stale";
        check("{issuer: a, file: b, proxy: c}", &[list]);
        let merge = "c:1:22: <<: unknown key; accepted are issuer, uri, file, inline, max_stale";
        check("{issuer: a, file: b, <<: c}", &[merge]);
    }

    #[test]
    fn a_missing_key_is_a_problem_at_the_mapping() {
        check("\nuri: b", &["c:2:1: issuer: missing; a string is accepted"]);
    }

    #[test]
    fn a_key_that_is_no_string_is_a_problem() {
        check("issuer: a\nuri: b\n5: c", &["c:3:1: a key that is no string; quote it"]);
        check("issuer: a\nuri: b\n? [x]\n: c", &["c:3:3: a key that is no string; quote it"]);
    }

    #[test]
    fn exactly_one_means_neither_none_nor_two() {
        let one = "exactly one of uri, file, inline is accepted";
        check("issuer: a", &[&format!("c:1:1: uri: missing; {one}")]);
        check("issuer: a\nfile: b\nuri: c", &[&format!("c:2:1: file: stands beside `uri`; {one}")]);
    }
}
