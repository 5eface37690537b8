//! What is said of each check, besides whether it passed.
//!
//! It decides nothing: how a check ended is the observer's report. It never shows the token.

mod issuer;
mod read;
mod structure;
mod text;

use crate::{
    check::{
        decision::Reason,
        observe::{Check, Report},
    },
    cli::explain::{
        keys::Fetched,
        verdict::{Explained, Outcome},
    },
    clock::Now,
    policy::{Mode, Policy},
    provider::Provider,
    snapshot::Snapshot,
};

use self::read::Token;

/// What the details are made of.
pub(super) struct Details<'a> {
    pub(super) token: &'a str,
    pub(super) policy: Option<&'a Policy>,
    /// The provider to go on with where the token names none.
    pub(super) assumed: Option<&'a Provider>,
    pub(super) snapshot: &'a Snapshot,
    pub(super) keys: &'a Fetched,
    pub(super) now: Now,
    pub(super) report: &'a Report,
    /// The policy's rules that were left out, for people; empty where there is none.
    pub(super) left_out: Option<String>,
    /// The rule that denied.
    pub(super) rule: Option<&'a str>,
}

/// The checks as they are shown, and which of the observer's each stands for.
const SHOWN: [(&str, &[Check]); 10] = [
    ("structure", &[Check::Structure]),
    ("issuer", &[Check::Issuer]),
    ("algorithm", &[Check::Algorithm]),
    ("time", &[Check::Time]),
    ("key", &[Check::Key]),
    ("signature", &[Check::Signature]),
    ("type", &[Check::Type, Check::Lifetime]),
    ("audience", &[Check::Audience, Check::Claims, Check::PolicyAudience]),
    ("scope", &[Check::Scope]),
    ("rules", &[Check::Rules, Check::Headers]),
];

impl Details<'_> {
    /// Every check. `fault` is why there is no policy.
    pub(super) fn all(&self, fault: Option<&'static str>) -> Vec<Explained> {
        let token = Token::read(self.token);
        let one = |&(name, parts): &(&'static str, &[Check])| {
            let (result, reason) = self.outcome(parts);
            let left_out = self.left_out.as_deref().filter(|out| {
                parts.contains(&Check::Rules) && result == Outcome::Pass && !out.is_empty()
            });
            if let Some(rules) = left_out {
                let detail = format!("not run, for want of what they read: {rules}");
                return Explained { check: name, result: Outcome::Skipped, reason, detail };
            }
            let detail = match result {
                Outcome::Skipped => self.why_skipped(fault),
                Outcome::Pass | Outcome::Fail => self.text(parts, &token),
            };
            Explained { check: name, result, reason, detail }
        };
        SHOWN.iter().map(one).collect()
    }

    /// The first of `parts` that failed; else whether any was run.
    fn outcome(&self, parts: &[Check]) -> (Outcome, Option<&'static str>) {
        let ran = parts.iter().filter_map(|part| self.report.result(*part));
        let results: Vec<Result<(), Reason>> = ran.collect();
        match results.iter().find_map(|result| result.err()) {
            Some(reason) => (Outcome::Fail, Some(reason.row().label)),
            None if results.is_empty() => (Outcome::Skipped, None),
            None => (Outcome::Pass, None),
        }
    }

    fn why_skipped(&self, fault: Option<&'static str>) -> String {
        match (fault, self.policy.map(|policy| policy.mode)) {
            (Some(fault), _) => format!("not run: no policy to check against ({fault})"),
            (None, Some(Mode::Anonymous)) => {
                "not run: the policy is anonymous, so nothing is looked at".to_owned()
            }
            (None, _) => "not run: what it needs is not to be had, see what failed".to_owned(),
        }
    }

    /// What each of the parts that were run has to say.
    fn text(&self, parts: &[Check], token: &Token) -> String {
        let ran = parts.iter().filter_map(|part| Some((*part, self.report.result(*part)?)));
        let said: Vec<String> = ran
            .map(|(part, result)| text::of(self, part, result.err(), token))
            .filter(|text| !text.is_empty())
            .collect();
        said.join("; ")
    }

    /// The provider whose settings the checks ran with.
    fn provider(&self, token: &Token) -> Option<&Provider> {
        let owner = token.issuer().and_then(|issuer| self.policy?.accepts.owner_of(&issuer));
        owner.map(|owner| &**owner).or(self.assumed)
    }
}
