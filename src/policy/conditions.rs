//! What a policy asks of a verified token beside scopes: subjects, claims and rules.
//!
//! It reads no token; `check/conditions.rs` does.

use crate::{policy::rule::Rules, provider::ClaimPath};

/// Every one of these must hold.
#[derive(Debug, Default)]
pub struct Conditions {
    /// `sub` must be one of these, exactly; empty where any will do.
    pub subjects: Vec<String>,
    /// Each of these claims must have one of its values.
    pub claims: Vec<ClaimCondition>,
    /// The rules.
    pub rules: Rules,
}

/// A claim and the values that it may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimCondition {
    /// Where the claim is.
    pub claim: ClaimPath,
    /// The claim, or one of its elements, must be one of these; never empty.
    pub any_of: Vec<Scalar>,
}

/// A value that a claim is compared with; of another type, nothing is equal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scalar {
    /// A string.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// `true` or `false`.
    Boolean(bool),
}

impl Conditions {
    /// Whether nothing is asked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.subjects.is_empty() && self.claims.is_empty() && self.rules.is_empty()
    }
}
