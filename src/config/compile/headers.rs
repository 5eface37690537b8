//! The header names of the whole config: parsed, counted, owned.
//!
//! Which names are reserved is settled in `header.rs`.

use std::{collections::HashSet, sync::Arc};

use crate::{
    config::{
        document::Spanned,
        problem::{Findings, Place},
    },
    header::{HeaderTarget, HeaderTargetError, OwnedHeaders, plain},
};

/// Every header that the config names, in the order of its files.
#[derive(Default)]
pub(super) struct Targets {
    distinct: HashSet<HeaderTarget>,
    one_too_many: Option<Place>,
    /// Headers from which tokens are read.
    tokens: Vec<(Arc<str>, Place)>,
}

impl Targets {
    /// A name that any option may set.
    pub(super) fn target(
        &mut self,
        name: &Spanned<String>,
        findings: &mut Findings,
    ) -> Option<HeaderTarget> {
        self.own(name, HeaderTarget::parse(&name.value), findings)
    }

    /// A name for `forward_token.header`.
    pub(super) fn forward(
        &mut self,
        name: &Spanned<String>,
        findings: &mut Findings,
    ) -> Option<HeaderTarget> {
        self.own(name, HeaderTarget::parse_forward(&name.value), findings)
    }

    /// Notes a header from which a policy reads the token.
    pub(super) fn token(&mut self, name: &Arc<str>, place: &Place) {
        self.tokens.push((name.clone(), place.clone()));
    }

    /// All of them, if they are not too many and no token is read from one: they are taken off
    /// every request.
    pub(super) fn owned(&self, findings: &mut Findings) -> OwnedHeaders {
        let owned: HashSet<_> = self.distinct.iter().map(|t| plain(t.as_str())).collect();
        for (_, place) in self.tokens.iter().filter(|(name, _)| owned.contains(&plain(name))) {
            findings.refuse(place, "a header that this config sets or strips; choose another");
        }
        if let Some(place) = &self.one_too_many {
            let message = format!(
                "one header too many; {MAX_TARGETS} different ones in the whole config are accepted"
            );
            findings.refuse(place, message);
        }
        OwnedHeaders::new(&self.distinct)
    }

    fn own(
        &mut self,
        name: &Spanned<String>,
        parsed: Result<HeaderTarget, HeaderTargetError>,
        findings: &mut Findings,
    ) -> Option<HeaderTarget> {
        let target = findings.accept(&name.place, parsed)?;
        if self.distinct.insert(target.clone())
            && self.distinct.len() > MAX_TARGETS
            && self.one_too_many.is_none()
        {
            self.one_too_many = Some(name.place.clone());
        }
        Some(target)
    }
}

/// The headers that one provider sets, each from one source.
#[derive(Default)]
pub(super) struct Distinct(Vec<(String, Place)>);

impl Distinct {
    /// Notes `target`; a name that is taken is a problem at `place`.
    ///
    /// Hyphen, underscore and what else is no letter or digit count as one: many backends read them so.
    pub(super) fn claim(&mut self, target: &HeaderTarget, place: &Place, findings: &mut Findings) {
        let name = plain(target.as_str()).into_owned();
        if let Some((_, first)) = self.0.iter().find(|(taken, _)| *taken == name) {
            let first = first.position();
            findings.refuse(place, format!("{name} is already set at {first}; choose another"));
        } else {
            self.0.push((name, place.clone()));
        }
    }
}

/// Bound on distinct targets: each one that is not set is a header to remove in every answer.
const MAX_TARGETS: usize = 128;
