//! What a rule may cost on one request: the interpreter itself has no bound.
//!
//! It evaluates nothing; it places tolls where a rule repeats itself, and keeps the purse.

use std::sync::atomic::{AtomicU64, Ordering};

use cel::{
    IdedExpr as Expression,
    common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, LiteralValue, operators},
};

use crate::policy::rule::names;

/// What one rule may cost on one request, in steps: a round of a loop costs one for each part of
/// its expression, a pattern one for every 64 bytes of the text.
pub const BUDGET: u64 = 20_000;

/// What is left of [`BUDGET`]; once it is overdrawn it stays so.
#[derive(Debug)]
pub(super) struct Budget(AtomicU64);

const OVERDRAWN: u64 = u64::MAX;

impl Budget {
    pub(super) fn full() -> Self {
        Self(AtomicU64::new(BUDGET))
    }

    /// Takes `steps` off; false, now and ever after, where there is less.
    pub(super) fn pay(&self, steps: u64) -> bool {
        let left = self.0.load(Ordering::Relaxed);
        let paid = left != OVERDRAWN && left >= steps;
        self.0.store(if paid { left - steps } else { OVERDRAWN }, Ordering::Relaxed);
        paid
    }

    /// Whether more was asked for than there was.
    pub(super) fn is_overdrawn(&self) -> bool {
        self.0.load(Ordering::Relaxed) == OVERDRAWN
    }
}

/// Lets every round of a loop pay for itself: the interpreter has no budget. The place matters: it
/// appends in place only where the condition of `map` and `filter` stays the literal it is.
pub(super) fn charge(comprehension: &mut ComprehensionExpr) {
    let cost = size(&comprehension.loop_cond) + size(&comprehension.loop_step);
    let appends = matches!(comprehension.loop_cond.expr, Expr::Literal(_));
    if let Expr::Call(CallExpr { func_name, args, .. }) = &mut comprehension.loop_step.expr
        && appends
    {
        if func_name == operators::CONDITIONAL
            && let Some(guard) = args.first_mut()
        {
            return toll(guard, cost);
        }
        if func_name == operators::ADD
            && let Some(Expr::List(list)) = args.last_mut().map(|list| &mut list.expr)
            && let [element] = list.elements.as_mut_slice()
        {
            return toll(element, cost);
        }
    }
    toll(&mut comprehension.loop_cond, cost);
}

/// `TOLL ? expression : false`. Reading an unpaid toll is an error, and `?:` passes errors on.
fn toll(expression: &mut Expression, cost: u64) {
    let id = expression.id;
    let paid = std::mem::take(expression);
    let toll = Expression { id, expr: Expr::Ident(names::toll(cost)) };
    let never = Expression { id, expr: Expr::Literal(LiteralValue::Boolean(false.into())) };
    let args = vec![toll, paid, never];
    let func_name = operators::CONDITIONAL.to_owned();
    *expression = Expression { id, expr: Expr::Call(CallExpr { func_name, target: None, args }) };
}

/// Whether a macro stands in it, at any depth.
pub(super) fn contains_loop(expression: &Expression) -> bool {
    matches!(expression.expr, Expr::Comprehension(_)) || parts(expression).any(contains_loop)
}

/// The number of parts.
fn size(expression: &Expression) -> u64 {
    1 + parts(expression).map(size).sum::<u64>()
}

fn parts(expression: &Expression) -> impl Iterator<Item = &Expression> {
    let mut parts: Vec<&Expression> = Vec::new();
    match &expression.expr {
        Expr::Unspecified | Expr::Literal(_) | Expr::Ident(_) | Expr::Struct(_) => {}
        Expr::Select(select) => parts.push(&select.operand),
        Expr::Call(call) => parts.extend(call.target.as_deref().into_iter().chain(&call.args)),
        Expr::List(list) => parts.extend(&list.elements),
        Expr::Map(map) => {
            for entry in &map.entries {
                if let EntryExpr::MapEntry(entry) = &entry.expr {
                    parts.extend([&entry.key, &entry.value]);
                }
            }
        }
        Expr::Comprehension(inner) => parts.extend([
            &inner.iter_range,
            &inner.accu_init,
            &inner.loop_cond,
            &inner.loop_step,
            &inner.result,
        ]),
    }
    parts.into_iter()
}
