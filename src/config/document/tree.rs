//! YAML text -> a tree of values and where they start, from the parser's events.
//!
//! It knows YAML's core schema and nothing of the config. Aliases are unfolded, so that nobody else
//! has to know of them. How far is bounded, and so is how deeply a document nests: whoever walks,
//! clones or drops a tree recurses, and a stack overflow would end the process that serves.
//!
//! Ten thousand providers are a quarter of a million nodes, built beside the threads that answer: a
//! node is small and the text is gone through once.

use std::collections::{BTreeSet, HashMap};

use saphyr::Scalar;
use saphyr_parser::{Event, Marker, Parser, Tag};
use serde::{Serialize, Serializer, ser::Error as _};

use crate::config::problem::Mark;

/// A value and where it starts.
#[derive(Debug, Clone)]
pub(super) struct Yaml {
    pub(super) value: Value,
    pub(super) mark: Mark,
}

/// What can be written.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Null,
    Boolean(bool),
    Integer(i64),
    Float(f64),
    String(Box<str>),
    Sequence(Box<[Yaml]>),
    Mapping(Box<[(Yaml, Yaml)]>),
    /// Anything with a tag of its own.
    Tagged,
    /// A scalar that its tag does not fit, or an alias inside of what it stands for.
    Unfit,
}

/// Why there is no tree.
#[derive(Debug)]
pub(super) struct Broken {
    pub(super) mark: Mark,
    pub(super) message: String,
}

/// The one document of `text`; none if nothing is in it.
pub(super) fn parse(text: &str) -> Result<Option<Yaml>, Broken> {
    let mut builder = Builder::default();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| {
            Broken::new(error.marker().into(), format!("not YAML: {}", error.info()))
        })?;
        builder.take(event, span.start.into())?;
    }
    builder.end()
}

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    anchors: HashMap<usize, Anchored>,
    /// Nodes that aliases have stood for.
    unfolded: usize,
    root: Option<Yaml>,
    /// Where a second document starts.
    second: Option<Mark>,
}

/// A list or mapping that has not ended yet.
struct Open {
    mark: Mark,
    /// 0 where it has none; no alias names that.
    anchor: usize,
    /// Whether it has a tag of its own.
    tagged: bool,
    /// How deeply what it holds nests.
    height: usize,
    held: Held,
}

enum Held {
    Sequence(Vec<Yaml>),
    Mapping { pairs: Vec<(Yaml, Yaml)>, key: Option<Yaml> },
}

/// What an alias stands for, and how deeply it nests.
#[derive(Clone)]
struct Anchored {
    yaml: Yaml,
    height: usize,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, mark: Mark) -> Result<(), Broken> {
        match event {
            Event::SequenceStart(anchor, tag) => {
                let tagged = is_own(tag.as_deref());
                self.open(mark, anchor, tagged, Held::Sequence(Vec::new()))
            }
            Event::MappingStart(anchor, tag) => {
                let tagged = is_own(tag.as_deref());
                self.open(mark, anchor, tagged, Held::Mapping { pairs: Vec::new(), key: None })
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Scalar(_, _, anchor, tag) if is_own(tag.as_deref()) => {
                self.put(anchor, Anchored { yaml: Yaml { value: Value::Tagged, mark }, height: 0 });
                Ok(())
            }
            Event::Scalar(text, style, anchor, tag) => {
                let scalar = Scalar::parse_from_cow_and_metadata(text, style, tag.as_ref());
                let value = scalar.map_or(Value::Unfit, Value::from);
                self.put(anchor, Anchored { yaml: Yaml { value, mark }, height: 0 });
                Ok(())
            }
            Event::Alias(anchor) => {
                let unfolded = self.unfold(anchor, mark)?;
                self.put(0, unfolded);
                Ok(())
            }
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => Ok(()),
        }
    }

    fn open(&mut self, mark: Mark, anchor: usize, tagged: bool, held: Held) -> Result<(), Broken> {
        self.open.push(Open { mark, anchor, tagged, height: 0, held });
        self.bound_depth(mark, 0)
    }

    fn close(&mut self) -> Result<(), Broken> {
        let Some(Open { mark, anchor, tagged, height, held }) = self.open.pop() else {
            return Ok(());
        };
        let value = match held {
            Held::Sequence(items) => Value::Sequence(items.into()),
            Held::Mapping { pairs, key: _ } => {
                refuse_twice(&pairs)?;
                Value::Mapping(pairs.into())
            }
        };
        let value = if tagged { Value::Tagged } else { value };
        self.put(anchor, Anchored { yaml: Yaml { value, mark }, height: height + 1 });
        Ok(())
    }

    /// Puts what has ended into what has not.
    fn put(&mut self, anchor: usize, whole: Anchored) {
        if anchor != 0 {
            self.anchors.insert(anchor, whole.clone());
        }
        let Anchored { yaml, height } = whole;
        let Some(outer) = self.open.last_mut() else {
            if self.root.is_some() {
                self.second.get_or_insert(yaml.mark);
            } else {
                self.root = Some(yaml);
            }
            return;
        };
        outer.height = outer.height.max(height);
        match &mut outer.held {
            Held::Sequence(items) => items.push(yaml),
            Held::Mapping { pairs, key } => match key.take() {
                Some(key) => pairs.push((key, yaml)),
                None => *key = Some(yaml),
            },
        }
    }

    /// What an alias at `mark` stands for, as if it were written there.
    fn unfold(&mut self, anchor: usize, mark: Mark) -> Result<Anchored, Broken> {
        let Some(Anchored { yaml, height }) = self.anchors.get(&anchor) else {
            return Ok(Anchored { yaml: Yaml { value: Value::Unfit, mark }, height: 0 });
        };
        self.bound_depth(mark, *height)?;
        yaml.count(&mut self.unfolded);
        if self.unfolded > MAX_UNFOLDED {
            return Err(Broken::new(mark, TOO_MUCH));
        }
        Ok(Anchored { yaml: Yaml { value: yaml.value.clone(), mark }, height: *height })
    }

    fn bound_depth(&self, mark: Mark, height: usize) -> Result<(), Broken> {
        if self.open.len() + height > MAX_DEPTH {
            return Err(Broken::new(mark, TOO_DEEP));
        }
        Ok(())
    }

    fn end(self) -> Result<Option<Yaml>, Broken> {
        match (self.root.filter(|root| !root.is_empty()), self.second) {
            (Some(_), Some(second)) => Err(Broken::new(second, SECOND)),
            (root, _) => Ok(root),
        }
    }
}

/// Whether it is none of the core schema's tags.
fn is_own(tag: Option<&Tag>) -> bool {
    tag.is_some_and(|tag| !tag.is_yaml_core_schema())
}

/// Refuses the second of two keys that are the same string. What is no string is no key at all.
fn refuse_twice(pairs: &[(Yaml, Yaml)]) -> Result<(), Broken> {
    let mut seen = BTreeSet::new();
    for (key, _) in pairs {
        if key.as_str().is_some_and(|name| !seen.insert(name)) {
            return Err(Broken::new(key.mark, "not YAML: duplicated key in mapping"));
        }
    }
    Ok(())
}

impl Yaml {
    /// The string, if it is one.
    pub(super) fn as_str(&self) -> Option<&str> {
        if let Value::String(text) = &self.value {
            return Some(text);
        }
        None
    }

    /// Whether nothing is said.
    fn is_empty(&self) -> bool {
        match &self.value {
            Value::Null | Value::Unfit => true,
            Value::Mapping(pairs) => pairs.is_empty(),
            Value::Boolean(_)
            | Value::Integer(_)
            | Value::Float(_)
            | Value::String(_)
            | Value::Sequence(_)
            | Value::Tagged => false,
        }
    }

    /// Adds its nodes to `count`, until they are too many.
    fn count(&self, count: &mut usize) {
        *count += 1;
        if *count > MAX_UNFOLDED {
            return;
        }
        match &self.value {
            Value::Sequence(items) => items.iter().for_each(|item| item.count(count)),
            Value::Mapping(pairs) => pairs.iter().for_each(|(key, value)| {
                key.count(count);
                value.count(count);
            }),
            Value::Null
            | Value::Boolean(_)
            | Value::Integer(_)
            | Value::Float(_)
            | Value::String(_)
            | Value::Tagged
            | Value::Unfit => {}
        }
    }
}

/// As JSON, keys in order. An error where a key is no string, or a value none that JSON has.
impl Serialize for Yaml {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.value {
            Value::Null => serializer.serialize_unit(),
            Value::Boolean(value) => serializer.serialize_bool(*value),
            Value::Integer(value) => serializer.serialize_i64(*value),
            Value::Float(value) if value.is_finite() => serializer.serialize_f64(*value),
            Value::String(value) => serializer.serialize_str(value),
            Value::Sequence(items) => serializer.collect_seq(items),
            Value::Mapping(pairs) => {
                let named = pairs.iter().map(|(key, value)| Some((key.as_str()?, value)));
                let named: Option<Vec<_>> = named.collect();
                let mut named = named.ok_or_else(|| S::Error::custom("a key is no string"))?;
                named.sort_unstable_by_key(|(key, _)| *key);
                serializer.collect_map(named)
            }
            Value::Float(_) | Value::Tagged | Value::Unfit => Err(S::Error::custom("no JSON")),
        }
    }
}

impl From<Scalar<'_>> for Value {
    fn from(scalar: Scalar<'_>) -> Self {
        match scalar {
            Scalar::Null => Self::Null,
            Scalar::Boolean(value) => Self::Boolean(value),
            Scalar::Integer(value) => Self::Integer(value),
            Scalar::FloatingPoint(value) => Self::Float(value.0),
            Scalar::String(value) => Self::String(value.into()),
        }
    }
}

/// The parser counts lines from 1 and columns from 0.
impl From<Marker> for Mark {
    fn from(marker: Marker) -> Self {
        Self::new(marker.line().max(1), marker.col() + 1)
    }
}

impl From<&Marker> for Mark {
    fn from(marker: &Marker) -> Self {
        (*marker).into()
    }
}

impl Broken {
    pub(super) fn new(mark: Mark, message: impl Into<String>) -> Self {
        Self { mark, message: message.into() }
    }
}

/// Of lists and mappings.
const MAX_DEPTH: usize = 64;
/// A few anchors within each other can stand for more nodes than fit into memory.
const MAX_UNFOLDED: usize = 100_000;

const TOO_DEEP: &str = "nested too deeply; 64 levels are accepted, aliases unfolded";
const TOO_MUCH: &str = "the aliases up to here stand for too much; 100,000 values are accepted";
const SECOND: &str = "a second document; exactly one is accepted";

#[cfg(test)]
mod tests;
