//! For how long a server calls its answer fresh (RFC 9111 section 4.2).
//!
//! It does not decide when to fetch again.

use std::time::{Duration, SystemTime};

use reqwest::header::{AGE, CACHE_CONTROL, DATE, EXPIRES, HeaderMap, HeaderName};

use crate::clock::Clock;

/// `max-age` less `Age`, else `Expires` less `Date`; none if the server says neither.
pub(super) fn fresh_for(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(max_age) = max_age(headers) {
        let age = text(AGE).map_or(0, seconds);
        return Some(Duration::from_secs(max_age.saturating_sub(age)));
    }
    let expires = headers.get(EXPIRES)?;
    // Section 5.3: what is no date, such as 0, means already expired.
    let date = |text: Option<&str>| text.and_then(|text| httpdate::parse_http_date(text).ok());
    let expires = date(expires.to_str().ok()).unwrap_or(SystemTime::UNIX_EPOCH);
    let sent = date(text(DATE)).unwrap_or_else(|| Clock::start().wall());
    Some(expires.duration_since(sent).unwrap_or_default())
}

/// The smallest `max-age`, where there are several.
fn max_age(headers: &HeaderMap) -> Option<u64> {
    let lines = headers.get_all(CACHE_CONTROL).iter().filter_map(|line| line.to_str().ok());
    let directives = lines.flat_map(|line| line.split(',')).filter_map(|d| d.split_once('='));
    let ages = directives
        .filter(|(name, _)| name.trim().eq_ignore_ascii_case("max-age"))
        .map(|(_, value)| seconds(value.trim().trim_matches('"')));
    ages.min()
}

/// Section 1.2.2: too large a number is a very large one. Anything else is none at all.
fn seconds(text: &str) -> u64 {
    let digits = text.trim();
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return 0;
    }
    digits.parse().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    #[track_caller]
    fn check(lines: &[(&'static str, &'static str)], expected: Option<u64>) {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            let name = HeaderName::from_static(name);
            headers.append(name, HeaderValue::from_static(value));
        }
        assert_eq!(fresh_for(&headers).map(|fresh| fresh.as_secs()), expected, "{lines:?}");
    }

    const NOON: (&str, &str) = ("date", "Mon, 06 Oct 2025 12:00:00 GMT");

    #[test]
    fn max_age_is_read_wherever_it_stands() {
        check(&[("cache-control", "max-age=60")], Some(60));
        check(&[("cache-control", "public, Max-Age = \"60\" , must-revalidate")], Some(60));
        check(&[("cache-control", "public"), ("cache-control", "max-age=60")], Some(60));
        check(&[("cache-control", "max-age=90, max-age=60")], Some(60));
        check(&[("cache-control", "max-age=0")], Some(0));
        check(&[("cache-control", "max-age=99999999999999999999")], Some(u64::MAX));
    }

    #[test]
    fn a_max_age_that_is_no_number_is_none_at_all() {
        for value in ["max-age=", "max-age=-1", "max-age=1.5", "max-age=x"] {
            check(&[("cache-control", value)], Some(0));
        }
    }

    #[test]
    fn age_is_taken_off() {
        check(&[("cache-control", "max-age=60"), ("age", "20")], Some(40));
        check(&[("cache-control", "max-age=60"), ("age", "90")], Some(0));
    }

    #[test]
    fn expires_counts_from_date_where_there_is_no_max_age() {
        check(&[NOON, ("expires", "Mon, 06 Oct 2025 12:05:00 GMT")], Some(300));
        check(&[NOON, ("expires", "Mon, 06 Oct 2025 11:05:00 GMT")], Some(0));
        check(&[("expires", "Mon, 06 Oct 2025 11:05:00 GMT")], Some(0));
        for no_date in ["0", "-1", "", "soon"] {
            check(&[NOON, ("expires", no_date)], Some(0));
        }
        let both = [("cache-control", "max-age=60"), ("expires", "0")];
        check(&both, Some(60));
    }

    #[test]
    fn other_directives_say_nothing() {
        check(&[], None);
        check(&[("cache-control", "no-cache, s-maxage=5, xmax-age=7")], None);
        check(&[NOON], None);
    }
}
