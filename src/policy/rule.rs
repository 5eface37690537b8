//! Rules in CEL: conditions that a policy sets on a verified token and on the request.
//!
//! It knows neither tokens nor requests; what a rule may read is lent to it as [`Facts`].

mod budget;
mod names;
mod run;
mod source;
mod value;

use std::{
    borrow::Cow,
    fmt,
    sync::{Arc, LazyLock},
};

use cel::{Env, IdedExpr as Expression};
use regex::Regex;

pub use budget::BUDGET;
pub use names::is_hidden;
pub use source::{MAX_DEPTH, MAX_SOURCE_BYTES, RuleError};

use crate::provider::Name;

/// One rule, ready to run.
#[derive(Clone)]
pub struct Rule {
    /// Its name, unique within its policy.
    pub name: Name,
    /// What it does when it holds or does not.
    pub effect: Effect,
    expression: Expression,
    reads: Reads,
    patterns: Vec<Regex>,
}

/// A part of a request that a rule may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of `request.…`")]
pub enum Part {
    Method,
    Host,
    Path,
    Headers,
}

/// What a rule decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// Denies where it holds.
    Deny,
    /// Denies where it does not hold.
    Require,
    /// Of all of these, one must hold.
    Allow,
}

/// What a rule may know of one request and its verified token.
pub trait Facts: Sync {
    /// A top-level claim, as JSON.
    fn claim(&self, name: &str) -> Option<&str>;
    /// Shows every top-level claim, as JSON.
    fn each_claim<'f>(&'f self, show: &mut dyn FnMut(&'f str, &'f str));
    /// The name of the provider that vouches for the token.
    fn provider(&self) -> &str;
    /// The token's scopes.
    fn scopes(&self) -> Vec<String>;
    /// Seconds since 1970.
    fn now(&self) -> i64;
    /// The request's method.
    ///
    /// # Errors
    /// [`Unreadable`] where there is none.
    fn method(&self) -> Result<Cow<'_, str>, Unreadable>;
    /// The path in one spelling, without query.
    ///
    /// # Errors
    /// [`Unreadable`] where it could be read in two ways.
    fn path(&self) -> Result<Cow<'_, str>, Unreadable>;
    /// The host in one spelling, without port.
    ///
    /// # Errors
    /// [`Unreadable`] where there is none, or it is no host.
    fn host(&self) -> Result<Cow<'_, str>, Unreadable>;
    /// The headers by lower-case name, without those that rules never see.
    fn headers(&self) -> Vec<(Cow<'_, str>, Cow<'_, str>)>;
}

/// What of a request is missing, or could be read in two ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreadable;

/// What came of one rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    True,
    False,
    /// It could not be evaluated, is no boolean, or went over its budget.
    Failed,
}

/// Why the rules refuse a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal<'r> {
    /// This rule denies; where no allow holds, the first of them.
    Rule(&'r Rule),
    /// This rule reads a method, host or path that is missing or can be read in two ways.
    Request(&'r Rule),
}

/// What a rule, or some of them together, reads.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Reads {
    claims: Vec<String>,
    all_claims: bool,
    scopes: bool,
    method: bool,
    path: bool,
    host: bool,
    headers: bool,
}

impl Reads {
    fn request(&self) -> bool {
        self.method || self.path || self.host || self.headers
    }

    fn add(&mut self, other: &Self) {
        self.claims.extend_from_slice(&other.claims);
        self.claims.sort();
        self.claims.dedup();
        self.all_claims |= other.all_claims;
        self.scopes |= other.scopes;
        self.method |= other.method;
        self.path |= other.path;
        self.host |= other.host;
        self.headers |= other.headers;
    }
}

static ENVIRONMENT: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(run::environment()));

impl Rule {
    /// Compiles the text of a rule.
    ///
    /// # Errors
    /// [`RuleError`] if it is no CEL, reads what does not exist, or could cost too much.
    pub fn compile(name: Name, effect: Effect, source: &str) -> Result<Self, RuleError> {
        let source::Compiled { expression, reads, patterns } =
            source::compile(source, &ENVIRONMENT)?;
        Ok(Self { name, effect, expression, reads, patterns })
    }

    /// Whether it reads anything of the request.
    #[must_use]
    pub fn reads_request(&self) -> bool {
        self.reads.request()
    }

    /// The parts of the request that it reads.
    pub fn parts(&self) -> impl Iterator<Item = Part> {
        let Reads { method, path, host, headers, .. } = self.reads;
        let parts = [
            (Part::Method, method),
            (Part::Host, host),
            (Part::Path, path),
            (Part::Headers, headers),
        ];
        parts.into_iter().filter_map(|(part, read)| read.then_some(part))
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}({})", self.effect, self.name)
    }
}

impl PartialEq for Rule {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.effect == other.effect
    }
}

impl Eq for Rule {}

/// The rules of one policy, in the order in which they run.
#[derive(Debug, Default)]
pub struct Rules {
    rules: Vec<Rule>,
    reads: Reads,
}

impl Rules {
    /// Orders them: deny, then require, then allow.
    #[must_use]
    pub fn new(mut rules: Vec<Rule>) -> Self {
        rules.sort_by_key(|rule| rule.effect);
        let mut reads = Reads::default();
        rules.iter().for_each(|rule| reads.add(&rule.reads));
        Self { rules, reads }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The rules in their order.
    pub fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter()
    }

    /// Whether the rules let a request pass: no deny holds, every require does, and one allow
    /// does if there is any. A rule that cannot be evaluated denies, also where another allows.
    ///
    /// # Errors
    /// The first [`Refusal`].
    pub fn check(&self, facts: &dyn Facts) -> Result<(), Refusal<'_>> {
        let mut variables = run::Variables::new(facts, &self.reads);
        let mut allows = None;
        for rule in &self.rules {
            let outcome = variables
                .evaluate(rule, &self.reads, &ENVIRONMENT)
                .map_err(|Unreadable| Refusal::Request(rule))?;
            let passes = match (rule.effect, outcome) {
                (Effect::Deny, Outcome::False) | (Effect::Require, Outcome::True) => true,
                (Effect::Allow, Outcome::True | Outcome::False) => {
                    let (_, any) = allows.get_or_insert((rule, false));
                    *any |= outcome == Outcome::True;
                    true
                }
                (Effect::Deny, Outcome::True)
                | (Effect::Require, Outcome::False)
                | (_, Outcome::Failed) => false,
            };
            if !passes {
                return Err(Refusal::Rule(rule));
            }
        }
        match allows {
            Some((first, false)) => Err(Refusal::Rule(first)),
            Some((_, true)) | None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
