//! One request's variables, and the evaluation of rules over them within a budget.
//!
//! It does not choose between rules (`policy/rule.rs`) and trusts that `policy/rule/source.rs`
//! bounded what it runs.

use std::{any::Any, borrow::Cow, collections::HashMap, sync::Arc};

use cel::{
    Context, Env, ExecutionError, Value,
    common::{
        types::{CelBool, CelInt, CelList, CelMap, CelString, STRING_TYPE, Type},
        value::{CowVal, StaticVal, Val},
    },
    context::VariableResolver,
};
use regex::Regex;

use crate::policy::rule::{
    Facts, Outcome, Reads, Rule, Unreadable,
    budget::Budget,
    names,
    value::{Boxed, value},
};

/// How much text a pattern reads in one step, in bytes.
const BYTES_A_STEP: u64 = 64;

/// The functions that rules may call, each one a pure function of its arguments.
pub(super) fn environment() -> Env {
    let mut env = Env::stdlib();
    // Names that are taken are none of ours: nothing can fail here, and a function that is
    // missing would only make rules fail.
    let _ = env.add_extension(cel::extensions::strings);
    let _ = env.add_overload("matches", "matches_pattern", vec![string(), pattern()], matches);
    let _ = env.add_member_overload(
        "matches",
        "string_matches_pattern",
        string(),
        vec![pattern()],
        matches,
    );
    env
}

fn string() -> Type {
    STRING_TYPE.to_owned()
}

fn pattern() -> Type {
    PATTERN_TYPE.to_owned()
}

static PATTERN_TYPE: Type = Type::new_unspecified_type("pattern");

/// A pattern that was compiled with its rule, and what is left to pay for its use.
#[derive(Debug, Clone)]
struct Pattern {
    regex: Regex,
    left: Arc<Budget>,
}

impl Val for Pattern {
    fn get_type(&self) -> &Type {
        &PATTERN_TYPE
    }

    fn cel_type() -> &'static Type {
        &PATTERN_TYPE
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v>
    where
        Self: 'v,
    {
        Box::new(self.clone())
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

impl StaticVal for Pattern {}

#[expect(clippy::needless_pass_by_value, reason = "the signature of an overload")]
fn matches<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let [text, pattern] = args.as_slice() else {
        return Err(ExecutionError::invalid_argument_count(2, args.len()));
    };
    let (Some(text), Some(pattern)) =
        (text.downcast_ref::<CelString<'_>>(), pattern.downcast_ref::<Pattern>())
    else {
        return Err(ExecutionError::missing_argument_or_target());
    };
    let text = text.inner();
    if !pattern.left.pay(1 + text.len() as u64 / BYTES_A_STEP) {
        return Err(ExecutionError::function_error("matches", "over budget"));
    }
    Ok(CowVal::owned(CelBool::from(pattern.regex.is_match(text))))
}

/// The variables of one request, each made when the first rule reads it.
pub(super) struct Variables<'f> {
    facts: &'f dyn Facts,
    claims: Claims<'f>,
    provider: CelString<'f>,
    scopes: Option<CelList<'f>>,
    now: CelInt,
    request: Option<Request<'f>>,
}

/// What the rules read of the request.
struct Request<'f> {
    members: CelMap<'f>,
    /// What is missing, or can be read in two ways.
    unreadable: Reads,
}

/// The claims that the rules read, and those of them that no rule can read.
struct Claims<'f> {
    usable: CelMap<'f>,
    unusable: Vec<&'f str>,
}

impl<'f> Variables<'f> {
    /// `reads` is what all the rules read together.
    pub(super) fn new(facts: &'f dyn Facts, reads: &'f Reads) -> Self {
        Self {
            facts,
            claims: Claims::new(facts, reads),
            provider: CelString::from(facts.provider()),
            scopes: reads.scopes.then(|| texts(facts.scopes())),
            now: CelInt::from(facts.now()),
            request: None,
        }
    }

    /// Evaluates one rule.
    pub(super) fn evaluate(
        &mut self,
        rule: &Rule,
        all: &Reads,
        env: &Arc<Env>,
    ) -> Result<Outcome, Unreadable> {
        if rule.reads.request() {
            let facts = self.facts;
            let request = self.request.get_or_insert_with(|| Request::new(facts, all));
            if request.misleads(&rule.reads) {
                return Err(Unreadable);
            }
        }
        let reads_it =
            |name: &&str| rule.reads.all_claims || rule.reads.claims.iter().any(|c| c == name);
        if self.claims.unusable.iter().any(reads_it) {
            return Ok(Outcome::Failed);
        }
        let left = Arc::new(Budget::full());
        let scope = Scope { variables: self, patterns: &rule.patterns, left: left.clone() };
        let mut context = Context::with_env(env.clone());
        context.set_variable_resolver(&scope);
        let value = Value::resolve_val(&rule.expression, &context);
        let holds =
            value.ok().and_then(|value| value.downcast_ref::<CelBool>().map(|b| *b.inner()));
        // `||` may have passed over the error that an empty budget is.
        match holds.filter(|_| !left.is_overdrawn()) {
            Some(true) => Ok(Outcome::True),
            Some(false) => Ok(Outcome::False),
            None => Ok(Outcome::Failed),
        }
    }
}

impl<'f> Claims<'f> {
    fn new(facts: &'f dyn Facts, reads: &'f Reads) -> Self {
        let mut usable = HashMap::new();
        let mut unusable = Vec::new();
        let mut put = |name: &'f str, json: &'f str| match value(json) {
            Ok(value) => drop(usable.insert(name.into(), value)),
            Err(_) => unusable.push(name),
        };
        if reads.all_claims {
            facts.each_claim(&mut put);
        } else {
            for name in &reads.claims {
                if let Some(json) = facts.claim(name) {
                    put(name, json);
                }
            }
        }
        Self { usable: CelMap::from(usable), unusable }
    }
}

impl<'f> Request<'f> {
    fn new(facts: &'f dyn Facts, reads: &Reads) -> Self {
        let mut members: HashMap<_, Boxed<'f>> = HashMap::new();
        let mut unreadable = Reads::default();
        if reads.headers {
            let headers = facts.headers().into_iter();
            let headers: HashMap<_, Boxed<'f>> = headers
                .map(|(name, value)| {
                    (name.into_owned().into(), Box::new(CelString::from(value)) as Boxed<'f>)
                })
                .collect();
            members.insert("headers".into(), Box::new(CelMap::from(headers)));
        }
        let mut put = |name: &'static str, text: Result<Cow<'f, str>, Unreadable>| match text {
            Ok(text) => {
                members.insert(name.into(), Box::new(CelString::from(text)));
                false
            }
            Err(Unreadable) => true,
        };
        unreadable.method = reads.method && put("method", facts.method());
        unreadable.path = reads.path && put("path", facts.path());
        unreadable.host = reads.host && put("host", facts.host());
        Self { members: CelMap::from(members), unreadable }
    }

    /// Whether a rule looks at what cannot be read.
    fn misleads(&self, reads: &Reads) -> bool {
        let Reads { method, path, host, .. } = self.unreadable;
        (method && reads.method) || (path && reads.path) || (host && reads.host)
    }
}

fn texts<'f>(texts: Vec<String>) -> CelList<'f> {
    let boxed = |text: String| Box::new(CelString::from(text)) as Boxed<'f>;
    CelList::from(texts.into_iter().map(boxed).collect::<Vec<_>>())
}

/// What the names of one rule stand for.
struct Scope<'s, 'f> {
    variables: &'s Variables<'f>,
    patterns: &'s [Regex],
    left: Arc<Budget>,
}

impl VariableResolver for Scope<'_, '_> {
    fn resolve<'b>(&'b self, name: &str) -> Option<CowVal<'b, 'b>> {
        let variables = self.variables;
        match name {
            "claims" => Some(CowVal::Borrowed(&variables.claims.usable)),
            "provider" => Some(CowVal::Borrowed(&variables.provider)),
            "scopes" => {
                variables.scopes.as_ref().map(|scopes| CowVal::Borrowed(scopes as &dyn Val))
            }
            "now" => Some(CowVal::Borrowed(&variables.now)),
            "request" => variables
                .request
                .as_ref()
                .map(|request| CowVal::Borrowed(&request.members as &dyn Val)),
            own => {
                if let Some(steps) = names::toll_of(own) {
                    return self.left.pay(steps).then(|| CowVal::owned(CelBool::from(true)));
                }
                let regex = self.patterns.get(names::pattern_number(own)?)?.clone();
                Some(CowVal::owned(Pattern { regex, left: self.left.clone() }))
            }
        }
    }
}
