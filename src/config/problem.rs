//! What is wrong with a config, and where.
//!
//! It decides nothing: the other files of `config` find the problems.

use std::{
    fmt::{self, Write as _},
    sync::Arc,
};

use thiserror::Error;

/// Where something stands in a config file.
///
/// One word where it is kept: a large config has a hundred thousand places, and few are ever shown.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place(Arc<Spot>);

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Spot {
    /// The file, as the operator's `--config` leads to it.
    file: Arc<str>,
    mark: Mark,
    /// Such as `providers[2].jwks.uri`; empty for the document as a whole.
    path: Arc<str>,
}

/// A position in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mark {
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
}

impl Mark {
    /// The `column`th character of the `line`th line, both from 1.
    #[must_use]
    pub fn new(line: usize, column: usize) -> Self {
        let narrow = |count| u32::try_from(count).unwrap_or(u32::MAX);
        Self { line: narrow(line), column: narrow(column) }
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

impl Place {
    /// The very start of a file.
    #[must_use]
    pub fn start_of(file: &str) -> Self {
        Self(Arc::new(Spot { file: file.into(), mark: Mark::new(1, 1), path: "".into() }))
    }

    /// The same position, for the member `key` of what stands there.
    #[must_use]
    pub fn field(&self, key: &str) -> Self {
        let dot = if self.0.path.is_empty() { "" } else { "." };
        self.with_path([&self.0.path, dot, key].concat())
    }

    /// The same position, for the element `index` (from 0) of what stands there.
    #[must_use]
    pub fn item(&self, index: usize) -> Self {
        self.with_path(format!("{}[{index}]", self.0.path))
    }

    /// The same path at another position of the file.
    #[must_use]
    pub fn at(&self, mark: Mark) -> Self {
        let Spot { file, path, mark: _ } = &*self.0;
        Self(Arc::new(Spot { file: file.clone(), mark, path: path.clone() }))
    }

    /// `FILE:LINE:COLUMN`, to point at it from another problem.
    #[must_use]
    pub fn position(&self) -> String {
        format!("{}:{}", self.0.file, self.0.mark)
    }

    fn with_path(&self, path: String) -> Self {
        let Spot { file, mark, path: _ } = &*self.0;
        Self(Arc::new(Spot { file: file.clone(), mark: *mark, path: path.into() }))
    }
}

/// One thing that is wrong, or that the operator should know, with its place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Error)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// What is wrong and what is accepted.
    pub message: String,
}

impl Problem {
    /// A problem at `place`.
    #[must_use]
    pub fn new(place: &Place, message: impl Into<String>) -> Self {
        Self { place: place.clone(), message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = OneLine(f);
        write!(line, "{}: ", self.place.position())?;
        if !self.place.0.path.is_empty() {
            write!(line, "{}: ", self.place.0.path)?;
        }
        line.write_str(&self.message)
    }
}

/// Every problem of a config, ordered by file, line and column.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub struct Problems {
    listed: Vec<Problem>,
    omitted: usize,
}

/// A file that is no config at all would otherwise fill memory, the log and `/status`.
const MAX_LISTED: usize = 1000;

impl Problems {
    /// Orders `problems`; of equal ones the first stays, of very many the first thousand.
    #[must_use]
    pub fn new(mut problems: Vec<Problem>) -> Self {
        problems.sort();
        problems.dedup();
        let omitted = problems.len().saturating_sub(MAX_LISTED);
        problems.truncate(MAX_LISTED);
        Self { listed: problems, omitted }
    }

    /// The problems in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Problem> {
        self.listed.iter()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.listed.iter().enumerate() {
            if index > 0 {
                f.write_char('\n')?;
            }
            write!(f, "{problem}")?;
        }
        if self.omitted > 0 {
            write!(f, "\n… and {} more", self.omitted)?;
        }
        Ok(())
    }
}

/// What one pass over a config has found so far.
#[derive(Debug, Default)]
pub struct Findings {
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
}

impl Findings {
    /// Notes what keeps the config from being served.
    pub fn refuse(&mut self, place: &Place, message: impl Into<String>) {
        self.problems.push(Problem::new(place, message));
    }

    /// Notes what the operator should know; the config stands.
    pub fn warn(&mut self, place: &Place, message: impl Into<String>) {
        self.warnings.push(Problem::new(place, message));
    }

    /// Takes over problems that an earlier pass found.
    pub fn extend(&mut self, problems: impl IntoIterator<Item = Problem>) {
        self.problems.extend(problems);
    }

    /// The value of `result`; an error is noted as a problem at `place`.
    pub fn accept<T, E: fmt::Display>(&mut self, place: &Place, result: Result<T, E>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                self.refuse(place, error.to_string());
                None
            }
        }
    }

    /// The warnings, one line each and in order.
    ///
    /// # Errors
    /// Every problem, if there is any.
    pub fn into_warnings(self) -> Result<Vec<String>, Problems> {
        if self.problems.is_empty() {
            Ok(Problems::new(self.warnings).iter().map(Problem::to_string).collect())
        } else {
            Err(Problems::new(self.problems))
        }
    }
}

/// Keeps a problem on one line, whatever the config's keys and file names hold.
struct OneLine<'a, 'f>(&'a mut fmt::Formatter<'f>);

impl fmt::Write for OneLine<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            if c.is_control() {
                write!(self.0, "{}", c.escape_default())?;
            } else {
                self.0.write_char(c)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(file: &str, line: usize, column: usize) -> Place {
        Place::start_of(file).at(Mark::new(line, column))
    }

    #[track_caller]
    fn check(place: &Place, message: &str, expected: &str) {
        assert_eq!(Problem::new(place, message).to_string(), expected);
    }

    #[test]
    fn a_problem_names_file_line_column_and_path() {
        let uri = place("c.yaml", 3, 7).field("providers").item(2).field("jwks").field("uri");
        check(&uri, "no host", "c.yaml:3:7: providers[2].jwks.uri: no host");
    }

    #[test]
    fn a_problem_of_the_whole_document_has_no_path() {
        check(&place("c.yaml", 1, 1), "empty", "c.yaml:1:1: empty");
    }

    #[test]
    fn control_characters_cannot_forge_a_second_line() {
        check(&place("a\nb", 1, 1), "x\r\ny\u{1b}[0m", "a\\nb:1:1: x\\r\\ny\\u{1b}[0m");
    }

    #[test]
    fn problems_are_ordered_by_file_line_and_column_as_numbers() {
        let all = [place("b", 1, 1), place("a", 10, 1), place("a", 9, 12), place("a", 9, 2)];
        let problems = Problems::new(all.iter().map(|p| Problem::new(p, "x")).collect());
        assert_eq!(problems.to_string(), "a:9:2: x\na:9:12: x\na:10:1: x\nb:1:1: x");
    }

    #[test]
    fn a_warning_alone_does_not_refuse() {
        let mut findings = Findings::default();
        findings.warn(&place("a", 1, 1), "w");
        assert_eq!(findings.into_warnings(), Ok(vec!["a:1:1: w".to_owned()]));
    }

    #[test]
    fn one_problem_refuses_whatever_the_warnings() {
        let mut findings = Findings::default();
        findings.warn(&place("a", 1, 1), "w");
        findings.refuse(&place("a", 2, 1), "p");
        assert_eq!(findings.into_warnings().unwrap_err().to_string(), "a:2:1: p");
    }
}
