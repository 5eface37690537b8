//! From the text of a rule to an expression whose cost is bounded and whose names all exist.
//!
//! It evaluates nothing (`policy/rule/run.rs`). What it refuses would else be found by a request.

use std::thread;

use cel::{
    Env, IdedExpr as Expression,
    common::ast::{
        CallExpr, ComprehensionExpr, EntryExpr, Expr, LiteralValue, SelectExpr, operators,
    },
};
use regex::{Regex, RegexBuilder};
use thiserror::Error;

use crate::policy::rule::{
    Reads, budget,
    names::{self, Function},
};

/// Upper bound on the text of one rule, in bytes.
pub const MAX_SOURCE_BYTES: usize = 4096;
/// Upper bound on how deep a rule may nest, in brackets and in parts of parts: the interpreter
/// recurses on the stack of the thread that checks a request.
pub const MAX_DEPTH: usize = 20;
/// Upper bound on the memory of one compiled pattern, in bytes.
const MAX_PATTERN_BYTES: usize = 2 * 1024 * 1024;
/// The parser recurses where operators follow each other, so there is a bound on these.
const MAX_OPERATORS: usize = 512;
/// Expressions within expressions that the parser follows.
const MAX_RECURSION: u16 = 64;
/// Four times what the deepest accepted text takes in a build without optimization.
const PARSER_STACK_BYTES: usize = 32 * 1024 * 1024;
/// Doubles beyond it skip integers.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

/// Why a text is no rule.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RuleError {
    /// Over [`MAX_SOURCE_BYTES`].
    #[error("longer than {MAX_SOURCE_BYTES} bytes; split it into several rules")]
    TooLong,
    /// Over [`MAX_DEPTH`] or too many operators.
    #[error("nested too deep; {MAX_DEPTH} levels and {MAX_OPERATORS} operators are accepted")]
    TooDeep,
    /// No CEL.
    #[error("not a CEL expression: {0}")]
    Syntax(String),
    /// A variable, or a member of `request`, that does not exist.
    #[error("unknown name {name}{hint}; accepted are {accepted}")]
    UnknownName {
        /// As it was written.
        name: String,
        /// What may have been meant, as a clause.
        hint: String,
        /// What there is.
        accepted: &'static str,
    },
    /// A function that does not exist.
    #[error("unknown function {0}; accepted are {accepted}", accepted = names::FUNCTIONS_TEXT)]
    UnknownFunction(String),
    /// A pattern that is computed.
    #[error("matches() with a pattern that is no string literal; one such as \"^a+$\" is accepted")]
    PatternNotLiteral,
    /// A pattern that is no regular expression, or one too large.
    #[error("not a pattern: {0}")]
    Pattern(String),
    /// A macro inside or on top of another.
    #[error(
        "all, exists, exists_one, filter or map inside or after another; one level is accepted"
    )]
    NestedComprehension,
    /// A loop variable with the name of something else.
    #[error("{0} is taken; another name for the variable is accepted")]
    Shadows(String),
    /// A header that rules never see.
    #[error("header {0} is never there: credentials and the request line are kept from rules")]
    HiddenHeader(String),
    /// A header name that no request has.
    #[error("header {0} is never there; names in lower case are accepted")]
    HeaderCase(String),
    /// A double that stands for several integers.
    #[error("{0} is no exact number; whole numbers without a point or exponent are accepted")]
    InexactNumber(String),
    /// A message literal.
    #[error("{0} {{…}} is no type that rules know")]
    Struct(String),
    /// Something that can be no boolean.
    #[error("not a condition; an expression that is true or false is accepted")]
    NotBoolean,
}

/// An expression that is safe to run.
#[derive(Debug)]
pub(super) struct Compiled {
    pub(super) expression: Expression,
    pub(super) reads: Reads,
    pub(super) patterns: Vec<Regex>,
}

/// Parses and checks the text of one rule.
///
/// The parser takes up to 250 KiB of stack for each bracket, so it gets a thread of its own; one
/// that panics does not take the server along either.
pub(super) fn compile(source: &str, env: &Env) -> Result<Compiled, RuleError> {
    bound(source)?;
    thread::scope(|scope| {
        let builder = thread::Builder::new().stack_size(PARSER_STACK_BYTES);
        let parser = builder.spawn_scoped(scope, || parse(source, env));
        let parsed = parser.ok().and_then(|parser| parser.join().ok());
        parsed.unwrap_or_else(|| Err(RuleError::Syntax("the parser gave up".to_owned())))
    })
}

fn parse(source: &str, env: &Env) -> Result<Compiled, RuleError> {
    let parser = env.parser().max_recursion_depth(MAX_RECURSION);
    let parsed = parser.parse(source);
    let mut expression = parsed.map_err(|errors| RuleError::Syntax(first_line(&errors)))?;
    if never_boolean(&expression.expr) {
        return Err(RuleError::NotBoolean);
    }
    let mut walk = Walk { reads: Reads::default(), patterns: Vec::new(), loops: Vec::new() };
    walk.expression(&mut expression, 0)?;
    Ok(Compiled { expression, reads: walk.reads, patterns: walk.patterns })
}

/// Keeps the parser's recursion within its stack: brackets and operators outside of
/// strings are counted first.
fn bound(source: &str) -> Result<(), RuleError> {
    if source.len() > MAX_SOURCE_BYTES {
        return Err(RuleError::TooLong);
    }
    let (mut depth, mut operators, mut quote, mut escaped) = (0_usize, 0_usize, None, false);
    for byte in source.bytes() {
        if let Some(end) = quote {
            if !escaped && byte == end {
                quote = None;
            }
            escaped = !escaped && byte == b'\\';
            continue;
        }
        match byte {
            b'"' | b'\'' => quote = Some(byte),
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            b'+' | b'-' | b'*' | b'/' | b'%' | b'!' | b'.' | b'?' | b'<' | b'>' | b'=' => {
                operators += 1;
            }
            _ => {}
        }
        if depth > MAX_DEPTH || operators > MAX_OPERATORS {
            return Err(RuleError::TooDeep);
        }
    }
    Ok(())
}

fn first_line(errors: &cel::ParseErrors) -> String {
    let Some(error) = errors.errors.first() else { return "unknown".to_owned() };
    let text: String = error.msg.lines().next().unwrap_or_default().chars().take(160).collect();
    format!("line {}, character {}: {text}", error.pos.0.max(1), error.pos.1.max(1))
}

/// Whether it is plain that the value is no boolean.
fn never_boolean(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(literal) => !matches!(literal, LiteralValue::Boolean(_)),
        Expr::List(_) | Expr::Map(_) | Expr::Struct(_) | Expr::Unspecified => true,
        Expr::Call(call) => names::NUMERIC.contains(&call.func_name.as_str()),
        Expr::Comprehension(_) | Expr::Ident(_) | Expr::Select(_) => false,
    }
}

struct Walk {
    reads: Reads,
    patterns: Vec<Regex>,
    /// The variables of the macro that is being walked.
    loops: Vec<String>,
}

impl Walk {
    fn expression(&mut self, expression: &mut Expression, depth: usize) -> Result<(), RuleError> {
        if depth > MAX_DEPTH {
            return Err(RuleError::TooDeep);
        }
        let depth = depth + 1;
        match &mut expression.expr {
            Expr::Unspecified => Err(RuleError::NotBoolean),
            Expr::Literal(literal) => exact(literal),
            Expr::Ident(name) => self.identifier(name),
            Expr::Select(select) => self.select(select, depth),
            Expr::Call(call) => self.call(call, depth),
            Expr::List(list) => {
                list.elements.iter_mut().try_for_each(|element| self.expression(element, depth))
            }
            Expr::Map(map) => map.entries.iter_mut().try_for_each(|entry| match &mut entry.expr {
                EntryExpr::StructField(field) => Err(RuleError::Struct(field.field.clone())),
                EntryExpr::MapEntry(entry) => {
                    self.expression(&mut entry.key, depth)?;
                    self.expression(&mut entry.value, depth)
                }
            }),
            Expr::Struct(message) => Err(RuleError::Struct(message.type_name.clone())),
            Expr::Comprehension(comprehension) => self.comprehension(comprehension, depth),
        }
    }

    fn identifier(&mut self, name: &str) -> Result<(), RuleError> {
        if self.loops.iter().any(|own| own == name) || names::TYPES.contains(&name) {
            return Ok(());
        }
        match name {
            "claims" => self.reads.all_claims = true,
            "provider" | "now" => {}
            "scopes" => self.reads.scopes = true,
            _unknown => return Err(names::unknown(name)),
        }
        Ok(())
    }

    fn select(&mut self, select: &mut SelectExpr, depth: usize) -> Result<(), RuleError> {
        if self.member(&select.operand.expr, &select.field)? {
            return Ok(());
        }
        if let Expr::Ident(name) = &select.operand.expr
            && !self.loops.iter().any(|own| own == name)
            && let Some(error) = names::unknown_member(name, &select.field)
        {
            return Err(error);
        }
        self.expression(&mut select.operand, depth)
    }

    /// Notes a read of `operand.field`, where the operand is one of the variables.
    fn member(&mut self, operand: &Expr, field: &str) -> Result<bool, RuleError> {
        if let Expr::Ident(name) = operand
            && !self.loops.contains(name)
        {
            match (name.as_str(), field) {
                ("claims", _) => self.reads.claims.push(field.to_owned()),
                ("request", "method") => self.reads.method = true,
                ("request", "path") => self.reads.path = true,
                ("request", "host") => self.reads.host = true,
                ("request", "headers") => self.reads.headers = true,
                ("request", _) => return Err(names::unknown_attribute(field)),
                _another => return Ok(false),
            }
            return Ok(true);
        }
        let Expr::Select(select) = operand else { return Ok(false) };
        let of_request = select.field == "headers"
            && matches!(&select.operand.expr, Expr::Ident(name)
                if name == "request" && !self.loops.contains(name));
        if of_request {
            names::header(field)?;
            self.reads.headers = true;
        }
        Ok(of_request)
    }

    fn call(&mut self, call: &mut CallExpr, depth: usize) -> Result<(), RuleError> {
        let function = call.func_name.as_str();
        // `a["b"]`, `a.?b`, `a[?"b"]` and `"b" in a` read one member.
        let (container, key) = match function {
            operators::INDEX | operators::OPT_INDEX | operators::OPT_SELECT => (0, 1),
            operators::IN => (1, 0),
            _other => (usize::MAX, usize::MAX),
        };
        if let (Some(container), Some(key)) = (call.args.get(container), call.args.get(key))
            && let Expr::Literal(LiteralValue::String(text)) = &key.expr
        {
            let is_request = matches!(&container.expr, Expr::Ident(name) if name == "request");
            if !is_request && self.member(&container.expr, text.inner())? {
                return Ok(());
            }
        }
        match Function::of(function) {
            Some(Function::Matches) => self.pattern(call)?,
            Some(Function::Plain) => {}
            None => return Err(RuleError::UnknownFunction(function.to_owned())),
        }
        if let Some(target) = &mut call.target {
            self.expression(target, depth)?;
        }
        let args = call.args.iter_mut().filter(|arg| !is_pattern(arg));
        args.into_iter().try_for_each(|arg| self.expression(arg, depth))
    }

    /// Takes the literal pattern out of a call of `matches`, and puts its number in its place.
    fn pattern(&mut self, call: &mut CallExpr) -> Result<(), RuleError> {
        let Some(last) = call.args.last_mut() else { return Err(RuleError::PatternNotLiteral) };
        let Expr::Literal(LiteralValue::String(text)) = &last.expr else {
            return Err(RuleError::PatternNotLiteral);
        };
        let pattern = RegexBuilder::new(text.inner()).size_limit(MAX_PATTERN_BYTES).build();
        let pattern = pattern.map_err(|error| {
            let text = error.to_string();
            RuleError::Pattern(text.lines().last().unwrap_or_default().trim().to_owned())
        })?;
        last.expr = Expr::Ident(names::pattern(self.patterns.len()));
        self.patterns.push(pattern);
        Ok(())
    }

    fn comprehension(
        &mut self,
        comprehension: &mut ComprehensionExpr,
        depth: usize,
    ) -> Result<(), RuleError> {
        if !self.loops.is_empty() || budget::contains_loop(&comprehension.iter_range) {
            return Err(RuleError::NestedComprehension);
        }
        self.expression(&mut comprehension.iter_range, depth)?;
        let variables = [Some(&comprehension.iter_var), comprehension.iter_var2.as_ref()];
        for name in variables.into_iter().flatten() {
            if names::is_taken(name) {
                return Err(RuleError::Shadows(name.clone()));
            }
            self.loops.push(name.clone());
        }
        self.loops.push(comprehension.accu_var.clone());
        let ComprehensionExpr { accu_init, loop_cond, loop_step, result, .. } = comprehension;
        for part in [accu_init, loop_cond, loop_step, result] {
            self.expression(part, depth)?;
        }
        self.loops.clear();
        budget::charge(comprehension);
        Ok(())
    }
}

fn is_pattern(expression: &Expression) -> bool {
    matches!(&expression.expr, Expr::Ident(name) if names::pattern_number(name).is_some())
}

/// The interpreter compares a double with an integer as doubles, so only those stay that are one.
fn exact(literal: &LiteralValue) -> Result<(), RuleError> {
    match literal {
        LiteralValue::Double(number) if number.inner().abs() >= MAX_EXACT => {
            Err(RuleError::InexactNumber(number.inner().to_string()))
        }
        LiteralValue::Double(_)
        | LiteralValue::Boolean(_)
        | LiteralValue::Bytes(_)
        | LiteralValue::Int(_)
        | LiteralValue::Null
        | LiteralValue::String(_)
        | LiteralValue::UInt(_) => Ok(()),
    }
}
