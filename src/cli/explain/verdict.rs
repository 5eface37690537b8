//! A verdict as it is printed: one line, as text or as JSON.
//!
//! It decides nothing, and never shows the token.

use std::{collections::BTreeMap, fmt};

use serde::Serialize;

use crate::check::decision::{Allow, Decision, Reason};

/// All that is said of one token.
#[derive(Debug, Serialize)]
pub(super) struct Verdict {
    verdict: &'static str,
    reason: Option<&'static str>,
    provider: Option<String>,
    checks: Vec<Explained>,
    headers: BTreeMap<String, String>,
}

/// How one check ended.
#[derive(Debug, Serialize)]
pub(super) struct Explained {
    pub(super) check: &'static str,
    pub(super) result: Outcome,
    pub(super) reason: Option<&'static str>,
    pub(super) detail: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Outcome {
    Pass,
    Fail,
    Skipped,
}

impl Verdict {
    pub(super) fn new(token: &str, decision: &Decision<'_>, checks: Vec<Explained>) -> Self {
        let headers = match decision {
            Decision::Allow(Allow { set, .. }) => set
                .iter()
                .map(|(name, value)| (name.as_str().to_owned(), value.replace(token, "<token>")))
                .collect(),
            Decision::Refuse(_) | Decision::Answer(_) => BTreeMap::new(),
        };
        Self {
            verdict: decision.outcome(),
            reason: decision.reason().map(|reason: Reason| reason.row().label),
            provider: decision.provider().map(|provider| provider.name.to_string()),
            checks,
            headers,
        }
    }

    pub(super) fn is_allowed(&self) -> bool {
        self.verdict == "allowed"
    }

    pub(super) fn json(&self) -> String {
        // Text and lists of text can always be written.
        serde_json::to_string(self).unwrap_or_default()
    }

    fn named(&self, outcome: Outcome) -> Vec<&'static str> {
        self.checks.iter().filter(|c| c.result == outcome).map(|c| c.check).collect()
    }
}

impl fmt::Display for Verdict {
    /// `denied token_expired provider=okta; time: expired 5m ago; passed: structure, …`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.verdict)?;
        if let Some(reason) = self.reason {
            write!(f, " {reason}")?;
        }
        if let Some(provider) = &self.provider {
            write!(f, " provider={provider}")?;
        }
        for check in self.checks.iter().filter(|check| check.result == Outcome::Fail) {
            let Explained { check, reason, detail, .. } = check;
            write!(f, "; {check} {}: {detail}", reason.unwrap_or_default())?;
        }
        for (name, outcome) in [("passed", Outcome::Pass), ("skipped", Outcome::Skipped)] {
            let checks = self.named(outcome);
            if !checks.is_empty() {
                write!(f, "; {name}: {}", checks.join(", "))?;
            }
        }
        for (index, (name, value)) in self.headers.iter().enumerate() {
            let lead = if index == 0 { "; headers:" } else { "," };
            write!(f, "{lead} {name}={value}")?;
        }
        Ok(())
    }
}
