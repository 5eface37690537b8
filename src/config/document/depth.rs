//! How deeply a document nests, aliases unfolded: told from the parser's events, before a tree is
//! built.
//!
//! Building, comparing and dropping a tree recurse, and a stack overflow would end the process
//! that serves. An alias is as deep as what it stands for.

use std::collections::HashMap;

use saphyr_parser::{Event, Marker, Parser};

/// Where `text` nests deeper than `limit`, if it does. Text that is no YAML is left to the loader,
/// up to where it breaks.
pub(super) fn deeper_than(text: &str, limit: usize) -> Option<Marker> {
    let mut open: Vec<Open> = Vec::new();
    let mut anchors: HashMap<usize, usize> = HashMap::new();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.ok()?;
        let height = match event {
            Event::SequenceStart(anchor, _) | Event::MappingStart(anchor, _) => {
                open.push(Open { anchor, height: 0 });
                0
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(Open { anchor, height }) = open.pop() else { continue };
                anchors.insert(anchor, height + 1);
                height + 1
            }
            Event::Alias(anchor) => anchors.get(&anchor).copied().unwrap_or_default(),
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd
            | Event::Scalar(..) => continue,
        };
        if open.len() + height > limit {
            return Some(span.start);
        }
        if let Some(outer) = open.last_mut() {
            outer.height = outer.height.max(height);
        }
    }
    None
}

/// A collection that has not ended yet.
struct Open {
    /// 0 where it has none; no alias names that.
    anchor: usize,
    /// How deeply what it holds nests.
    height: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, limit: usize, expected: Option<usize>) {
        assert_eq!(deeper_than(text, limit).map(|marker| marker.line()), expected, "{text}");
    }

    #[test]
    fn collections_are_counted_however_they_are_written() {
        check("a", 0, None);
        check("[]", 1, None);
        check("[]", 0, Some(1));
        check("a:\n  b:\n    c: 1", 3, None);
        check("a:\n  b:\n    c: 1", 2, Some(3));
        check("- - - 1", 2, Some(1));
        check("a: [{b: [1]}]\nc: 1", 4, None);
        check("a: [{b: [1]}]\nc: 1", 3, Some(1));
    }

    #[test]
    fn an_alias_is_as_deep_as_what_it_stands_for() {
        let text = "a: &a [[1]]\nb: &b [*a]\nc: [*b]";
        check(text, 5, None);
        check(text, 4, Some(3));
        check("a: &a 1\nb: *a", 1, None);
    }

    #[test]
    fn aliases_of_aliases_and_lone_carriage_returns_hide_no_depth() {
        let mut folded = String::from("a0: &a0 [x]\n");
        for n in 1..40 {
            folded += &format!("a{n}: &a{n} [[[[*a{}]]]]\n", n - 1);
        }
        check(&folded, 64, Some(17));
        let returns: String = (0..1000).map(|n| format!("{}a:\r", " ".repeat(n))).collect();
        assert!(deeper_than(&returns, 64).is_some());
    }
}
