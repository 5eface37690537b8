//! YAML text as nodes with places: one document, in UTF-8.
//!
//! It knows no key of the config; `file.rs` asks for them. Once the text is YAML, reading goes on
//! after a mistake: the document collects problems.

pub mod mapping;
pub mod node;
mod tree;

use std::cell::RefCell;

use crate::config::{
    document::{node::Node, tree::Yaml},
    problem::{Mark, Place, Problem},
};

/// One parsed document and what is wrong with it so far.
pub struct Document {
    start: Place,
    root: Yaml,
    problems: RefCell<Vec<Problem>>,
}

/// A value and where it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub place: Place,
}

impl Document {
    /// Parses `bytes`; `file` is what problems call it.
    ///
    /// # Errors
    /// A [`Problem`] if it is not UTF-8, not YAML, has a key twice, or is not exactly one document
    /// with something in it.
    pub fn parse(file: &str, bytes: &[u8]) -> Result<Self, Problem> {
        let start = Place::start_of(file);
        let text = text(&start, bytes)?;
        let root = tree::parse(text)
            .map_err(|broken| Problem::new(&start.at(broken.mark), broken.message))?
            .ok_or_else(|| Problem::new(&start, EMPTY))?;
        Ok(Self { start, root, problems: RefCell::default() })
    }

    /// The outermost node.
    #[must_use]
    pub fn root(&self) -> Node<'_> {
        Node::new(self, &self.root, self.start.at(self.root.mark))
    }

    /// Every problem that reading has found.
    #[must_use]
    pub fn into_problems(self) -> Vec<Problem> {
        self.problems.into_inner()
    }

    /// Notes a problem and goes on.
    fn refuse(&self, place: &Place, message: impl Into<String>) {
        let mut problems = self.problems.borrow_mut();
        if problems.len() < MAX_PROBLEMS {
            problems.push(Problem::new(place, message));
        }
    }
}

/// The text without its byte order mark, which would shift the first line's columns.
fn text<'a>(start: &Place, bytes: &'a [u8]) -> Result<&'a str, Problem> {
    let text = str::from_utf8(bytes).map_err(|error| {
        let good = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let good = String::from_utf8_lossy(good);
        let line = good.matches('\n').count() + 1;
        let column = good.chars().rev().take_while(|c| *c != '\n').count() + 1;
        Problem::new(&start.at(Mark::new(line, column)), "not UTF-8; only UTF-8 is accepted")
    })?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// More than are ever listed.
const MAX_PROBLEMS: usize = 10_000;

const EMPTY: &str =
    "the document is empty; a mapping with at least one key is accepted, such as `providers: []`";

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], expected: &str) {
        let problem = Document::parse("c.yaml", bytes).err().map(|p| p.to_string());
        let problem = problem.unwrap_or_default();
        assert!(problem.starts_with(expected), "{problem}");
    }

    #[track_caller]
    fn root(text: &str) -> String {
        Document::parse("c.yaml", text.as_bytes()).unwrap().root().place().position()
    }

    #[test]
    fn nothing_at_all_is_a_problem() {
        for text in ["", "\n\n", "# only a comment\n", "---\n", "--- \n...\n", "~", "null", "{}"] {
            check(text.as_bytes(), "c.yaml:1:1: the document is empty");
        }
    }

    #[test]
    fn a_second_document_is_a_problem_where_it_starts() {
        check(b"a: 1\n---\nb: 2\n", "c.yaml:3:1: a second document");
    }

    #[test]
    fn broken_yaml_is_a_problem_where_it_breaks() {
        check(b"a: 1\nb: [1, 2\n", "c.yaml:3:1: not YAML: ");
        check(b"a: \"x\n", "c.yaml:1:4: not YAML: ");
        check(b"a: *nobody\n", "c.yaml:1:4: not YAML: ");
    }

    #[test]
    fn bytes_that_are_no_utf8_are_a_problem_at_the_first() {
        check("ä: 1\nöb".as_bytes().split_last().unwrap().1, "");
        check(b"a: 1\n\xc3\xa4\xff: 2\n", "c.yaml:2:2: not UTF-8");
        check(b"\xff\xfea\0", "c.yaml:1:1: not UTF-8");
    }

    #[test]
    fn a_byte_order_mark_and_json_are_fine() {
        assert_eq!(root("\u{feff}a: 1"), "c.yaml:1:1");
        assert_eq!(root("{\n\t\"a\": [\n\t\t1\n\t]\n}\n"), "c.yaml:1:1");
        assert_eq!(root("---\n# comment\na: 1\n...\n"), "c.yaml:3:1");
        assert_eq!(root("a: 1\r\nb: 2\r\n"), "c.yaml:1:1");
        assert_eq!(root(&format!("{}a: 1", " ".repeat(300))), "c.yaml:1:301");
    }
}
