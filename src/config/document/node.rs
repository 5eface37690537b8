//! Typed readers of one node: each gives the value, or notes what is accepted.
//!
//! Nothing is coerced: a number is no string, `yes` is no boolean.

use std::time::Duration;

use crate::{
    config::{
        document::{
            Document, Spanned,
            mapping::Mapping,
            tree::{Value, Yaml},
        },
        problem::Place,
    },
    duration,
    snapshot::changes::Definition,
};

/// One node of a document.
#[derive(Clone)]
pub struct Node<'d> {
    document: &'d Document,
    yaml: &'d Yaml,
    place: Place,
}

impl<'d> Node<'d> {
    pub(super) fn new(document: &'d Document, yaml: &'d Yaml, place: Place) -> Self {
        Self { document, yaml, place }
    }

    /// Where it starts.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Notes that this node is wrong. Always `None`, to end a reader with.
    pub fn refuse<T>(&self, message: impl Into<String>) -> Option<T> {
        self.document.refuse(&self.place, message);
        None
    }

    /// Whether it is a scalar string.
    #[must_use]
    pub fn is_string(&self) -> bool {
        self.str().is_some()
    }

    /// Whether it is a list without elements.
    #[must_use]
    pub fn is_empty_list(&self) -> bool {
        matches!(&self.yaml.value, Value::Sequence(items) if items.is_empty())
    }

    /// Whether it is a mapping.
    #[must_use]
    pub fn is_mapping(&self) -> bool {
        matches!(self.yaml.value, Value::Mapping(_))
    }

    /// The boolean, if it is one.
    #[must_use]
    pub fn as_boolean(&self) -> Option<bool> {
        if let Value::Boolean(value) = self.yaml.value {
            return Some(value);
        }
        None
    }

    /// The whole number, if it is one.
    #[must_use]
    pub fn as_integer(&self) -> Option<i64> {
        if let Value::Integer(value) = self.yaml.value {
            return Some(value);
        }
        None
    }

    /// A string, possibly empty.
    #[must_use]
    pub fn string(self) -> Option<Spanned<String>> {
        match self.str() {
            Some(text) => {
                let value = text.to_owned();
                Some(self.spanned(value))
            }
            None => self.wrong_type(STRING),
        }
    }

    /// A string with at least one character.
    #[must_use]
    pub fn text(self) -> Option<Spanned<String>> {
        if self.str() == Some("") {
            return self.refuse("an empty string; a non-empty string is accepted");
        }
        self.string()
    }

    /// `true` or `false`.
    #[must_use]
    pub fn boolean(self) -> Option<Spanned<bool>> {
        match self.as_boolean() {
            Some(value) => Some(self.spanned(value)),
            None => self.wrong_type("true or false"),
        }
    }

    /// A whole number.
    #[must_use]
    pub fn integer(self) -> Option<Spanned<i64>> {
        match self.as_integer() {
            Some(value) => Some(self.spanned(value)),
            None => self.wrong_type("a whole number"),
        }
    }

    /// An unsigned integer followed by `s`, `m` or `h`; at most ten years.
    #[must_use]
    pub fn duration(self) -> Option<Spanned<Duration>> {
        let Some(text) = self.str() else {
            return self.wrong_type(DURATION);
        };
        match duration::parse(text) {
            Some(value) => Some(self.spanned(value)),
            None => self.refuse(format!("not a duration; {DURATION} is accepted")),
        }
    }

    /// A list; elements that `read` refuses are left out.
    #[must_use]
    pub fn list<T>(self, read: impl Fn(Node<'d>) -> Option<T>) -> Option<Vec<T>> {
        let Value::Sequence(items) = &self.yaml.value else {
            return self.wrong_type("a list");
        };
        let mut list = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let place = self.place.item(index).at(item.mark);
            let node = Node::new(self.document, item, place);
            if node.is_null() {
                self.document.refuse(&node.place, MISSING);
            } else {
                list.extend(read(node));
            }
        }
        Some(list)
    }

    /// A list with at least one element.
    #[must_use]
    pub fn full_list<T>(self, read: impl Fn(Node<'d>) -> Option<T>) -> Option<Vec<T>> {
        if self.is_empty_list() {
            return self.refuse("an empty list; at least one element is accepted");
        }
        self.list(read)
    }

    /// A mapping whose keys are strings.
    #[must_use]
    pub fn mapping(self) -> Option<Mapping<'d>> {
        let Value::Mapping(pairs) = &self.yaml.value else {
            return self.wrong_type("a mapping");
        };
        for (key, _) in pairs.iter().filter(|(key, _)| key.as_str().is_none()) {
            let place = self.place.at(key.mark);
            self.document.refuse(&place, "a key that is no string; quote it");
        }
        Some(Mapping::new(self.document, self.place, pairs))
    }

    /// A mapping from strings to non-empty strings, keys with their places.
    #[must_use]
    pub fn string_map(self) -> Option<Vec<(Spanned<String>, String)>> {
        Some(self.mapping()?.into_pairs(|value| Some(value.text()?.value)))
    }

    /// Anything, as JSON text.
    #[must_use]
    pub fn json(self) -> Option<String> {
        match serde_json::to_string(self.yaml) {
            Ok(text) => Some(text),
            Err(_) => self.refuse("not JSON; string keys and finite numbers are accepted"),
        }
    }

    /// What is written here, apart from comments, layout and the order of keys.
    #[must_use]
    pub fn definition(&self) -> Definition {
        // What is no JSON is refused by whoever reads it, so that its digest is never looked at.
        Definition::of(&serde_json::to_string(self.yaml).unwrap_or_default())
    }

    pub(super) fn is_null(&self) -> bool {
        matches!(self.yaml.value, Value::Null)
    }

    fn str(&self) -> Option<&'d str> {
        self.yaml.as_str()
    }

    fn spanned<T>(self, value: T) -> Spanned<T> {
        Spanned { value, place: self.place }
    }

    fn wrong_type<T>(&self, accepted: &str) -> Option<T> {
        let scalar = matches!(
            self.yaml.value,
            Value::Null | Value::Boolean(_) | Value::Integer(_) | Value::Float(_)
        );
        let hint = if scalar && accepted == STRING { " (quote it)" } else { "" };
        self.refuse(format!("found {}; {accepted} is accepted{hint}", kind(self.yaml)))
    }
}

fn kind(yaml: &Yaml) -> &'static str {
    match &yaml.value {
        Value::Null => "nothing",
        Value::Boolean(_) => "a boolean",
        Value::Integer(_) | Value::Float(_) => "a number",
        Value::String(_) => "a string",
        Value::Sequence(_) => "a list",
        Value::Mapping(_) => "a mapping",
        Value::Tagged => "a value with a tag of its own",
        Value::Unfit => "a value that its tag does not fit",
    }
}

/// A null where a value belongs.
pub(super) const MISSING: &str = "a value is missing; give one or remove the key";
const STRING: &str = "a string";
const DURATION: &str = "a whole number with a unit, such as 30s, 10m or 24h (at most 87600h),";

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use super::*;

    #[track_caller]
    fn check<T: Debug>(
        text: &str,
        read: impl Fn(Node<'_>) -> Option<T>,
        expected: Result<&str, &str>,
    ) {
        let document = Document::parse("c", format!("k: {text}").as_bytes()).unwrap();
        let mut mapping = document.root().mapping().unwrap();
        let value = mapping.optional("k", read).map(|value| format!("{value:?}"));
        mapping.finish();
        let problems = document.into_problems();
        match expected {
            Ok(expected) => assert_eq!((value.as_deref(), problems.len()), (Some(expected), 0)),
            Err(expected) => {
                let problem = problems.iter().map(ToString::to_string).collect::<String>();
                assert!(problem.starts_with(expected), "{text}: {value:?} {problem}");
            }
        }
    }

    #[test]
    fn only_strings_are_strings() {
        let read = |node: Node<'_>| Some(node.text()?.value);
        check("okta", read, Ok("\"okta\""));
        check("'5'", read, Ok("\"5\""));
        check("yes", read, Ok("\"yes\""));
        check("|-\n  two\n  lines", read, Ok("\"two\\nlines\""));
        for bad in
            ["5", "1.5", "true", "[a]", "{a: b}", "!!int a", "!!int 5", "!x a", "!x [a]", "!x {}"]
        {
            check(bad, read, Err("c:1:4: k: found a"));
        }
        check("''", read, Err("c:1:4: k: an empty string"));
        check("", read, Err("c:1:1: k: a value is missing"));
        check("~", read, Err("c:1:1: k: a value is missing"));
    }

    #[test]
    fn columns_count_characters() {
        let document = Document::parse("c", "äöü: {ß: 5}".as_bytes()).unwrap();
        let mut outer = document.root().mapping().unwrap();
        let mut inner = outer.optional("äöü", Node::mapping).unwrap();
        assert!(inner.optional("ß", Node::text).is_none());
        let problem = document.into_problems()[0].to_string();
        assert!(problem.starts_with("c:1:10: äöü.ß: found a number"), "{problem}");
    }

    #[test]
    fn durations_are_a_whole_number_and_one_unit() {
        let read = |node: Node<'_>| Some(node.duration()?.value);
        check("30s", read, Ok("30s"));
        check("\"10m\"", read, Ok("600s"));
        check("24h", read, Ok("86400s"));
        check("0s", read, Ok("0ns"));
        check("87600h", read, Ok("315360000s"));
        for bad in [
            "s",
            "+5s",
            "-5s",
            "1.5h",
            "5 s",
            "5S",
            "5d",
            "5ms",
            "1h30m",
            "87601h",
            "''",
            "'５s'",
            "99999999999999999999s",
            "18446744073709551615h",
            "5µs",
        ] {
            check(bad, read, Err("c:1:4: k: not a duration; a whole number with a unit"));
        }
        check("30", read, Err("c:1:4: k: found a number"));
        check("1e3", read, Err("c:1:4: k: found a number"));
    }

    #[test]
    fn booleans_and_integers_are_not_guessed() {
        check("true", |node| Some(node.boolean()?.value), Ok("true"));
        for bad in ["yes", "on", "1", "'true'", "[]"] {
            check(bad, |node| node.boolean(), Err("c:1:4: k: found a"));
        }
        check("1", |node| Some(node.integer()?.value), Ok("1"));
        for bad in ["'1'", "1.0", "true", "one"] {
            check(bad, |node| node.integer(), Err("c:1:4: k: found a"));
        }
    }

    #[test]
    fn every_bad_element_of_a_list_is_reported_with_its_index() {
        check("[a, b]", |n| n.list(|n| Some(n.text()?.value)), Ok("[\"a\", \"b\"]"));
        check("[]", |n| n.list(Node::text), Ok("[]"));
        check("[]", |n| n.full_list(Node::text), Err("c:1:4: k: an empty list"));
        check("a", |n| n.list(Node::text), Err("c:1:4: k: found a string; a list"));
        check("[a, 5]", |n| n.list(Node::text), Err("c:1:8: k[1]: found a number"));
        check("\n- a\n-\n", |n| n.list(Node::text), Err("c:3:2: k[1]: a value is missing"));
    }

    #[test]
    fn a_yaml_tree_becomes_json() {
        check("{keys: [{kty: RSA, n: 5, x: true}]}", |node| node.json(), {
            Ok("\"{\\\"keys\\\":[{\\\"kty\\\":\\\"RSA\\\",\\\"n\\\":5,\\\"x\\\":true}]}\"")
        });
        check("{keys: .inf}", |node| node.json(), Err("c:1:4: k: not JSON"));
        check("{5: a}", |node| node.json(), Err("c:1:4: k: not JSON"));
    }
}
