//! Who listens to the checks: stop at the first failure, or record them all.
//!
//! It does not run checks; each step announces its own, in the order of [`Check`].

use crate::check::decision::Reason;

/// The checks, in the order in which they run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Check {
    Structure,
    Issuer,
    Algorithm,
    Time,
    Key,
    Signature,
    Type,
    Lifetime,
    Audience,
    Claims,
    PolicyAudience,
    Scope,
}

/// Listens to each check's result.
pub trait Observer {
    /// Called once for each check that ran, in order.
    ///
    /// # Errors
    /// An error ends the run with that reason. An observer that records may return `Ok` for a
    /// failed check; the step then goes on where it still can, and its verdict stays refused.
    fn observe(&mut self, check: Check, result: Result<(), Reason>) -> Result<(), Reason>;
}

/// Stops at the first failure: what `serve` runs.
#[derive(Debug, Clone, Copy, Default)]
pub struct FirstFailure;

impl Observer for FirstFailure {
    #[inline]
    fn observe(&mut self, _: Check, result: Result<(), Reason>) -> Result<(), Reason> {
        result
    }
}
