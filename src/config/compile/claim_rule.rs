//! One line of `claim_to_headers`, of a provider or a policy -> [`ClaimRule`]; and claim names.
//!
//! Which headers may be filled is settled in `header.rs` and `config/compile/headers.rs`.

use crate::{
    config::{
        compile::headers::{Distinct, Targets},
        document::Spanned,
        file::claim_rule::{ClaimFromFile, ClaimToHeaderFile},
        problem::Findings,
    },
    provider::{ClaimFrom, ClaimPath, ClaimRule, Format, Overflow},
};

/// One line, whose header no other line of `distinct` fills.
pub(super) fn compile(
    written: &ClaimToHeaderFile,
    targets: &mut Targets,
    distinct: &mut Distinct,
    findings: &mut Findings,
) -> Option<ClaimRule> {
    let from = written.from.as_ref().and_then(|from| claim_from(from, findings));
    let header = written.header.as_ref().and_then(|header| {
        let target = targets.target(header, findings)?;
        distinct.claim(&target, &header.place, findings);
        Some(target)
    });
    let format = format(written, findings);
    let overflow = overflow(written.on_overflow.as_ref(), findings);
    Some(ClaimRule { from: from?, header: header?, format: format?, overflow: overflow? })
}

fn claim_from(written: &ClaimFromFile, findings: &mut Findings) -> Option<ClaimFrom> {
    match written {
        ClaimFromFile::Claim(claim) => claim_path(claim, findings).map(ClaimFrom::Claim),
        ClaimFromFile::Value(value) => match value.value.as_str() {
            "provider" => Some(ClaimFrom::Provider),
            "issuer" => Some(ClaimFrom::Issuer),
            _unknown => {
                findings.refuse(&value.place, "unknown value; provider or issuer is accepted");
                None
            }
        },
    }
}

fn format(written: &ClaimToHeaderFile, findings: &mut Findings) -> Option<Format> {
    let Some(Spanned { value, place }) = &written.format else {
        return Some(Format::Text);
    };
    if let Some(ClaimFromFile::Value(_)) = written.from {
        findings.refuse(place, "a format beside `value`; it is accepted only beside `claim`");
        return None;
    }
    match value.as_str() {
        "text" => Some(Format::Text),
        "json" => Some(Format::Json),
        "base64url" => Some(Format::Base64Url),
        _unknown => {
            findings.refuse(place, "unknown format; text, json or base64url is accepted");
            None
        }
    }
}

fn overflow(written: Option<&Spanned<String>>, findings: &mut Findings) -> Option<Overflow> {
    match written.map(|overflow| overflow.value.as_str()) {
        None | Some("deny") => Some(Overflow::Deny),
        Some("omit") => Some(Overflow::Omit),
        Some(_unknown) => {
            if let Some(Spanned { place, .. }) = written {
                findings.refuse(place, "unknown; omit or deny is accepted");
            }
            None
        }
    }
}

/// RFC 6901 section 3: in a JSON Pointer `~` stands only before 0 or 1.
pub(super) fn claim_path(written: &Spanned<String>, findings: &mut Findings) -> Option<ClaimPath> {
    let is_pointer = written.value.starts_with('/');
    let mut after_tilde = written.value.split('~').skip(1);
    if is_pointer && after_tilde.any(|rest| !rest.starts_with(['0', '1'])) {
        findings.refuse(&written.place, "not a JSON Pointer; `~` is written ~0, and `/` ~1");
        return None;
    }
    Some(ClaimPath::parse(&written.value))
}
