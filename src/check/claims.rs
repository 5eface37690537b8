//! The payload of a token: its members as they were written, and what a header may carry of them.
//!
//! It verifies nothing. Numbers keep their text, so that no claim is rounded on its way.

mod text;
mod value;

use std::{borrow::Cow, fmt, ops::Range};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::{
    check::{plain_json::each_member, strict_json::MemberName},
    provider::{ClaimPath, Format},
};

/// A JSON object, with its top-level members found.
pub struct Claims {
    json: String,
    /// With distinct unescaped names, and in order where there are more than [`FEW`].
    members: Box<[Member]>,
    unescaped: Unescaped,
}

/// The text of names that were written with escapes.
type Unescaped = Box<[Box<str>]>;

/// The members of a payload whose names have no escapes, in one pass.
fn plain_members(json: &str) -> Option<Box<[Member]>> {
    let mut members = Vec::with_capacity(USUAL_MEMBERS);
    each_member(json, |name, value| {
        let (tag, value) = (tag(json.get(name.clone())?), Span::at(value)?);
        members.push(Member { tag, name: MemberText::Plain(Span::at(name)?), value });
        Some(())
    })?;
    Some(members.into())
}

/// The members of any payload, and the names that have escapes without them.
fn any_members(json: &str) -> Option<(Box<[Member]>, Unescaped)> {
    let Object(found) = serde_json::from_str(json).ok()?;
    let (mut members, mut unescaped) = (Vec::with_capacity(found.len()), Vec::new());
    for (name, value) in found {
        let (tag, value) = (tag(&name), Span::of(value.get(), json)?);
        let name = match name {
            Cow::Borrowed(name) => MemberText::Plain(Span::of(name, json)?),
            Cow::Owned(name) => {
                let index = u16::try_from(unescaped.len()).ok()?;
                unescaped.push(name.into_boxed_str());
                MemberText::Unescaped(index)
            }
        };
        members.push(Member { tag, name, value });
    }
    Some((members.into(), unescaped.into()))
}

/// Most payloads have fewer members than this: one allocation for all of them.
const USUAL_MEMBERS: usize = 16;

/// So many members are looked through one by one: that is cheaper than to sort them, and bounded.
const FEW: usize = 24;

/// One member, small, since many tokens are remembered.
struct Member {
    /// [`tag`] of the name.
    tag: u32,
    name: MemberText,
    value: Span,
}

/// A name: where it stands in the payload, or which of the unescaped ones it is.
enum MemberText {
    Plain(Span),
    Unescaped(u16),
}

/// Length and beginning of a name: tells most names apart without a look at the payload.
fn tag(name: &str) -> u32 {
    let length = u8::try_from(name.len()).unwrap_or(u8::MAX);
    let (first, second, third) = match *name.as_bytes() {
        [first, second, third, ..] => (first, second, third),
        [first, second] => (first, second, 0),
        [first] => (first, 0, 0),
        [] => (0, 0, 0),
    };
    u32::from_be_bytes([length, first, second, third])
}

/// A part of the payload, which is below 64 KiB since a token has at most 16.
#[derive(Clone, Copy)]
struct Span {
    start: u16,
    length: u16,
}

/// A claim whose shape cannot be used for what is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unusable;

/// One JSON value, as the token wrote it: a part of a text that serde_json has read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Json<'a>(pub(super) &'a str);

impl Claims {
    /// Reads a payload; none if it is no JSON object, repeats a top-level member or has 64 KiB.
    #[must_use]
    pub fn parse(json: String) -> Option<Self> {
        let (members, unescaped) = match plain_members(&json) {
            Some(members) => (members, Box::default()),
            None => any_members(&json)?,
        };
        let mut claims = Self { json, members, unescaped };
        claims.sort();
        if claims.repeats() { None } else { Some(claims) }
    }

    /// Puts many members into the order of their tags and names.
    fn sort(&mut self) {
        if self.members.len() > FEW {
            let mut members = std::mem::take(&mut self.members);
            members.sort_by(|a, b| (a.tag, self.name(a)).cmp(&(b.tag, self.name(b))));
            self.members = members;
        }
    }

    fn repeats(&self) -> bool {
        let same = |a: &Member, b: &Member| a.tag == b.tag && self.name(a) == self.name(b);
        if self.members.len() > FEW {
            return self.members.windows(2).any(|two| same(&two[0], &two[1]));
        }
        let mut rest = &*self.members;
        while let Some((one, others)) = rest.split_first() {
            if others.iter().any(|other| same(one, other)) {
                return true;
            }
            rest = others;
        }
        false
    }

    /// The top-level member of exactly this name.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<Json<'_>> {
        let tag = tag(name);
        let found = if self.members.len() > FEW {
            let by_name = |member: &Member| (member.tag, self.name(member)).cmp(&(tag, name));
            self.members.get(self.members.binary_search_by(by_name).ok()?)?
        } else {
            self.members.iter().find(|member| member.tag == tag && self.name(member) == name)?
        };
        found.value.of_text(&self.json).map(Json)
    }

    /// Every top-level member.
    pub fn members(&self) -> impl Iterator<Item = (&str, Json<'_>)> {
        self.members
            .iter()
            .filter_map(|member| Some((self.name(member), Json(member.value.of_text(&self.json)?))))
    }

    /// The claim at `path`: an exact top-level member first, then its steps.
    #[must_use]
    pub fn find(&self, path: &ClaimPath) -> Option<Json<'_>> {
        if let Some(member) = self.member(&path.name) {
            return Some(member);
        }
        let (first, rest) = path.steps.split_first()?;
        rest.iter().try_fold(self.member(first)?, |value, step| value.step(step))
    }

    /// The claim at `path`, where it is a string.
    #[must_use]
    pub fn string(&self, path: &ClaimPath) -> Option<Cow<'_, str>> {
        self.find(path)?.string()
    }

    /// The payload as unpadded base64url: the token's own second segment.
    #[must_use]
    pub fn base64url(&self) -> String {
        URL_SAFE_NO_PAD.encode(&self.json)
    }

    /// Roughly the memory it takes, in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        let unescaped: usize =
            self.unescaped.iter().map(|name| size_of::<Box<str>>() + name.len()).sum();
        self.json.capacity() + self.members.len() * size_of::<Member>() + unescaped
    }

    fn name<'a>(&'a self, member: &Member) -> &'a str {
        match member.name {
            MemberText::Plain(span) => span.of_text(&self.json),
            MemberText::Unescaped(index) => {
                self.unescaped.get(usize::from(index)).map(|name| &**name)
            }
        }
        .unwrap_or_default()
    }
}

impl fmt::Debug for Claims {
    /// Shows how many there are: claims are personal data and stay out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Claims({} members)", self.members.len())
    }
}

impl Span {
    /// Where `part`, a slice of `whole`, stands in it; none beyond 64 KiB.
    fn of(part: &str, whole: &str) -> Option<Self> {
        let start = (part.as_ptr() as usize).checked_sub(whole.as_ptr() as usize)?;
        Self::at(start..start + part.len())
    }

    fn at(range: Range<usize>) -> Option<Self> {
        let length = range.len().try_into().ok()?;
        Some(Self { start: range.start.try_into().ok()?, length })
    }

    fn of_text(self, whole: &str) -> Option<&str> {
        whole.get(usize::from(self.start)..)?.get(..usize::from(self.length))
    }
}

impl<'a> Json<'a> {
    /// The string's content; none for another type, or escapes that are no text.
    #[must_use]
    pub fn string(self) -> Option<Cow<'a, str>> {
        // Another type is common, and serde_json's error about it costs more than the value.
        let inner = self.0.strip_prefix('"')?.strip_suffix('"')?;
        // Most have no escape, and the payload is known to be JSON: they are their own content.
        if !inner.contains(['\\', '"']) {
            return Some(Cow::Borrowed(inner));
        }
        serde_json::from_str::<MemberName<'_>>(self.0).ok().map(|MemberName(text)| text)
    }

    /// The elements, if it is an array.
    #[must_use]
    pub fn elements(self) -> Option<Elements<'a>> {
        let inside = self.0.strip_prefix('[')?.strip_suffix(']')?;
        Some(Elements(inside.trim_ascii()))
    }

    /// The number's value, if it is a JSON number; infinite where it is beyond a double.
    #[must_use]
    pub fn number(self) -> Option<f64> {
        let number = self.0.starts_with(|c: char| c == '-' || c.is_ascii_digit());
        if number { self.0.parse().ok() } else { None }
    }

    /// The number as a NumericDate (RFC 7519 section 2): from 0 to 2^53, beyond which doubles skip
    /// integers.
    #[must_use]
    pub fn date(self) -> Option<f64> {
        const MAX: u64 = 1 << 53;
        let date = self.number().filter(|date| (0.0..=MAX as f64).contains(date))?;
        // 2^53 + 1 and 9007199254740993.0 would round to 2^53.
        let rounded = date == MAX as f64 && self.0.parse() != Ok(MAX);
        if rounded { None } else { Some(date) }
    }

    /// The strings of a string or of an array of strings.
    ///
    /// # Errors
    /// [`Unusable`] for any other shape.
    pub fn strings(self) -> Result<Vec<Cow<'a, str>>, Unusable> {
        if let Some(one) = self.string() {
            return Ok(vec![one]);
        }
        let mut elements = self.elements().ok_or(Unusable)?;
        elements.try_fold(Vec::new(), |mut strings, element| {
            strings.push(element.string().ok_or(Unusable)?);
            Ok(strings)
        })
    }

    /// The value for a header: empty where it is null, `""` or `[]`.
    ///
    /// # Errors
    /// [`Unusable`] if it is text with broken escapes, or an array that `format` cannot join.
    pub fn header_value(self, format: Format) -> Result<Cow<'a, str>, Unusable> {
        match format {
            Format::Text => text::text(self),
            Format::Json => text::json(self).map(Cow::Owned),
            Format::Base64Url => text::base64url(self).map(Cow::Owned),
        }
    }

    fn step(self, step: &str) -> Option<Self> {
        if self.0.starts_with('[') {
            // RFC 6901 section 4: an array index has no sign and no leading zero.
            let plain = step == "0" || !step.starts_with(['0', '+']);
            let index: usize = step.parse().ok().filter(|_| plain)?;
            return self.elements()?.nth(index);
        }
        let Object(members) = serde_json::from_str(self.0).ok()?;
        let mut named = members.into_iter().filter(|(name, _)| name == step);
        let (_, value) = named.next()?;
        // Inside the payload duplicates are let pass, so they must not be chosen among.
        if named.next().is_some() { None } else { Some(Json(value.get())) }
    }
}

/// The elements of an array that is known to be JSON, as they stand.
#[derive(Debug, Clone)]
pub struct Elements<'a>(&'a str);

impl<'a> Iterator for Elements<'a> {
    type Item = Json<'a>;

    fn next(&mut self) -> Option<Json<'a>> {
        if self.0.is_empty() {
            return None;
        }
        let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
        let end = self.0.bytes().position(|byte| {
            if in_string {
                in_string = escaped || byte != b'"';
                escaped = !escaped && byte == b'\\';
                return false;
            }
            match byte {
                b'"' => in_string = true,
                b'[' | b'{' => depth += 1,
                b']' | b'}' => depth = depth.saturating_sub(1),
                b',' => return depth == 0,
                _ => {}
            }
            false
        });
        let (element, rest) = match end {
            Some(comma) => (self.0.get(..comma)?, self.0.get(comma + 1..)?),
            None => (self.0, ""),
        };
        self.0 = rest.trim_ascii_start();
        Some(Json(element.trim_ascii_end()))
    }
}

/// A JSON object's members in the order they stand, duplicates included.
pub(super) struct Object<'a>(pub(super) Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor)
    }
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Object<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
        let mut members = Vec::with_capacity(USUAL_MEMBERS);
        while let Some(MemberName(name)) = map.next_key()? {
            members.push((name, map.next_value()?));
        }
        Ok(Object(members))
    }
}

#[cfg(test)]
mod tests;
