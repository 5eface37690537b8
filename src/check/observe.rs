//! Who listens to the checks: stop at the first failure, or record them all.
//!
//! It does not run checks; each step announces its own, in the order of [`Check`].

use std::sync::Arc;

use crate::{check::decision::Reason, provider::Provider};

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
    Rules,
    Headers,
}

/// Listens to each check's result.
pub trait Observer {
    /// Called once for each check that ran, in order.
    ///
    /// # Errors
    /// An error ends the run with that reason. An observer that records may return `Ok` for a
    /// failed check; the step then goes on where it still can, and its verdict stays refused.
    fn observe(&mut self, check: Check, result: Result<(), Reason>) -> Result<(), Reason>;

    /// The provider to go on with where the token names none that is accepted: never one that
    /// could make the token pass.
    fn assumed(&self) -> Option<&Arc<Provider>> {
        None
    }
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

/// Records every check and goes on: what `explain` runs.
#[derive(Debug, Default)]
pub struct Report {
    results: Vec<(Check, Result<(), Reason>)>,
    assumed: Option<Arc<Provider>>,
}

impl Report {
    /// A report without results; `assumed` is the provider to go on with where the token names
    /// none that is accepted.
    #[must_use]
    pub fn assuming(assumed: Option<Arc<Provider>>) -> Self {
        Self { results: Vec::new(), assumed }
    }

    /// How a check ended; none where it could not be run.
    #[must_use]
    pub fn result(&self, check: Check) -> Option<Result<(), Reason>> {
        self.results.iter().find(|(ran, _)| *ran == check).map(|(_, result)| *result)
    }
}

impl Observer for Report {
    fn observe(&mut self, check: Check, result: Result<(), Reason>) -> Result<(), Reason> {
        self.results.push((check, result));
        Ok(())
    }

    fn assumed(&self) -> Option<&Arc<Provider>> {
        self.assumed.as_ref()
    }
}
