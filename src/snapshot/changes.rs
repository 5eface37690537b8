//! What one config says otherwise than the one before it, by name.
//!
//! It compares what was written, not what it means, and decides nothing.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::digest::sha256;

/// A digest of one element as it was written, comments and layout left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Definition([u8; 32]);

/// The definitions of a whole config.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Definitions {
    /// The providers, with the content of the files that they name.
    pub providers: Named,
    /// The policies.
    pub policies: Named,
    /// Every other key of the outermost mapping.
    pub settings: Named,
}

/// Elements of one kind: by lower-case name, the name as written and the definition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Named(BTreeMap<String, (String, Definition)>);

/// What a reload changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Changes {
    /// Among the providers.
    pub providers: Difference,
    /// Among the policies.
    pub policies: Difference,
    /// Among the other keys of the outermost mapping.
    pub settings: Difference,
}

/// Names of one kind, each list in order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// There now.
    pub added: Vec<String>,
    /// Gone.
    pub removed: Vec<String>,
    /// Defined otherwise.
    pub changed: Vec<String>,
}

impl Definition {
    /// The digest of `text`.
    #[must_use]
    pub fn of(text: &str) -> Self {
        Self(sha256([text]))
    }

    /// This definition, which also depends on `bytes`; none where there are none to be had.
    #[must_use]
    pub fn with(self, bytes: Option<&[u8]>) -> Self {
        match bytes {
            Some(bytes) => Self(sha256([self.0.as_slice(), b"+", bytes])),
            None => Self(sha256([self.0.as_slice(), b"-"])),
        }
    }
}

impl Named {
    /// Notes one element. A name that is there already takes both definitions.
    pub fn insert(&mut self, name: &str, definition: Definition) {
        let key = name.to_ascii_lowercase();
        let entry = self.0.entry(key).or_insert_with(|| (name.to_owned(), definition));
        if entry.1 != definition {
            entry.1 = entry.1.with(Some(&definition.0));
        }
    }

    fn since(&self, before: &Self) -> Difference {
        let mut difference = Difference::default();
        for (key, (name, definition)) in &self.0 {
            match before.0.get(key) {
                None => difference.added.push(name.clone()),
                Some((_, earlier)) if earlier != definition => {
                    difference.changed.push(name.clone())
                }
                Some(_) => {}
            }
        }
        let gone = before.0.iter().filter(|(key, _)| !self.0.contains_key(*key));
        difference.removed = gone.map(|(_, (name, _))| name.clone()).collect();
        difference
    }
}

impl Definitions {
    /// What these say otherwise than `before`.
    #[must_use]
    pub fn since(&self, before: &Self) -> Changes {
        Changes {
            providers: self.providers.since(&before.providers),
            policies: self.policies.since(&before.policies),
            settings: self.settings.since(&before.settings),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(elements: &[(&str, &str)]) -> Named {
        let mut named = Named::default();
        elements.iter().for_each(|(name, text)| named.insert(name, Definition::of(text)));
        named
    }

    #[track_caller]
    fn check(before: &[(&str, &str)], after: &[(&str, &str)], expected: [&[&str]; 3]) {
        let Difference { added, removed, changed } = named(after).since(&named(before));
        assert_eq!([added, removed, changed], expected.map(<[&str]>::to_vec));
    }

    #[test]
    fn names_are_added_removed_and_changed() {
        check(&[], &[("a", "1"), ("B", "1")], [&["a", "B"], &[], &[]]);
        check(&[("a", "1"), ("B", "1")], &[("c", "1")], [&["c"], &["a", "B"], &[]]);
        check(&[("a", "1"), ("b", "1")], &[("a", "2"), ("b", "1")], [&[], &[], &["a"]]);
    }

    #[test]
    fn the_same_is_no_change_and_case_is_none_either() {
        check(&[("a", "1")], &[("a", "1")], [&[], &[], &[]]);
        check(&[("a", "1")], &[("A", "1")], [&[], &[], &[]]);
    }

    #[test]
    fn an_element_in_two_parts_changes_with_each_of_them() {
        check(&[("a", "1"), ("a", "2")], &[("a", "1"), ("a", "3")], [&[], &[], &["a"]]);
        check(&[("a", "1"), ("a", "2")], &[("a", "3"), ("a", "2")], [&[], &[], &["a"]]);
        check(&[("a", "1"), ("a", "2")], &[("a", "1"), ("a", "2")], [&[], &[], &[]]);
    }

    #[test]
    fn the_bytes_that_a_definition_depends_on_are_part_of_it() {
        let definition = Definition::of("x");
        let all = [
            definition,
            definition.with(None),
            definition.with(Some(b"")),
            definition.with(Some(b"y")),
        ];
        for (index, one) in all.iter().enumerate() {
            assert!(all.iter().skip(index + 1).all(|other| one != other), "{index}");
        }
    }
}
