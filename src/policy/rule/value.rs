//! JSON, as a token writes it, to the values of CEL, without ever rounding.
//!
//! It reads no claims; it is given the text of one.

use std::{borrow::Cow, collections::HashMap, fmt};

use cel::common::{
    types::{CelBool, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString, CelUInt},
    value::Val,
};
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor},
};
use serde_json::value::RawValue;

/// A number that is beyond the types of CEL, a string that is no text, a repeated member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unusable;

/// A value of CEL.
pub(super) type Boxed<'a> = Box<dyn Val + 'a>;

/// Doubles hold every decimal of this many digits apart from its neighbours.
const MAX_DIGITS: usize = 15;
/// Doubles beyond it skip integers.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

/// The value of one JSON text, which is known to be JSON.
pub(super) fn value(json: &str) -> Result<Boxed<'_>, Unusable> {
    match json.as_bytes().first().ok_or(Unusable)? {
        b'{' => {
            let Members(members) = serde_json::from_str(json).map_err(|_| Unusable)?;
            let mut map: HashMap<CelMapKey<'_>, Boxed<'_>> = HashMap::with_capacity(members.len());
            for (name, raw) in members {
                map.insert(CelMapKey::from(name.into_owned()), value_of(raw)?);
            }
            Ok(Box::new(CelMap::from(map)))
        }
        b'[' => {
            let elements: Vec<&RawValue> = serde_json::from_str(json).map_err(|_| Unusable)?;
            let list: Vec<Boxed<'_>> =
                elements.into_iter().map(value_of).collect::<Result<_, _>>()?;
            Ok(Box::new(CelList::from(list)))
        }
        b'"' => {
            let Text(text) = serde_json::from_str(json).map_err(|_| Unusable)?;
            Ok(Box::new(CelString::from(text)))
        }
        b't' => Ok(Box::new(CelBool::from(true))),
        b'f' => Ok(Box::new(CelBool::from(false))),
        b'n' => Ok(Box::new(CelNull)),
        _ => number(json),
    }
}

fn value_of(raw: &RawValue) -> Result<Boxed<'_>, Unusable> {
    value(raw.get())
}

/// An `int` or `uint` where it is written as one and fits, else a `double` where that is the very
/// number. RFC 8259 section 6 lets numbers be of any size; a rounded one could equal another.
fn number<'a>(json: &str) -> Result<Boxed<'a>, Unusable> {
    if let Ok(int) = json.parse::<i64>() {
        return Ok(Box::new(CelInt::from(int)));
    }
    if let Ok(uint) = json.parse::<u64>() {
        return Ok(Box::new(CelUInt::from(uint)));
    }
    let mantissa = json.split(['e', 'E']).next().unwrap_or_default();
    if mantissa.len() == json.len() && !mantissa.contains('.') {
        return Err(Unusable);
    }
    let digits = mantissa.trim_start_matches(['-', '0', '.']);
    let digits = digits.bytes().filter(u8::is_ascii_digit).count();
    let double: f64 = json.parse().map_err(|_| Unusable)?;
    let vanished = digits > 0 && !double.is_normal();
    if digits > MAX_DIGITS || double.abs() > MAX_EXACT || vanished {
        return Err(Unusable);
    }
    Ok(Box::new(CelDouble::from(double)))
}

#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// The members of an object, each once.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
        let mut members: Vec<(Cow<'de, str>, &RawValue)> = Vec::new();
        while let Some(Text(name)) = map.next_key()? {
            members.push((name, map.next_value()?));
        }
        let mut names: Vec<&str> = members.iter().map(|(name, _)| &**name).collect();
        names.sort_unstable();
        // One reader takes the first, another the last.
        if names.windows(2).any(|two| two[0] == two[1]) {
            return Err(A::Error::custom("repeated member"));
        }
        Ok(Members(members))
    }
}
