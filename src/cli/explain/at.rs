//! `--at`: what the clock shows.
//!
//! It reads no clock.

use std::time::UNIX_EPOCH;

/// Unix seconds, or RFC 3339 with `Z` or an offset.
pub(super) fn parse(text: &str) -> Result<f64, String> {
    let seconds =
        text.parse().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit() || b == b'.'));
    seconds.or_else(|| rfc3339(text)).ok_or_else(|| {
        "not a time; accepted are Unix seconds and RFC 3339: 1700000000, 2023-11-14T22:13:20Z"
            .to_owned()
    })
}

fn rfc3339(text: &str) -> Option<f64> {
    let text = text.to_ascii_uppercase();
    let (local, offset) = match text.strip_suffix('Z') {
        Some(local) => (local, 0.0),
        None => {
            let (local, offset) = text.split_at_checked(text.len().checked_sub(6)?)?;
            (local, seconds_east(offset)?)
        }
    };
    let utc = humantime::parse_rfc3339(&format!("{local}Z")).ok()?;
    Some(utc.duration_since(UNIX_EPOCH).ok()?.as_secs_f64() - offset).filter(|unix| *unix >= 0.0)
}

/// `+HH:MM` or `-HH:MM`.
fn seconds_east(offset: &str) -> Option<f64> {
    let (hours, minutes) = offset.get(1..)?.split_once(':')?;
    let two_digits = |text: &str, max: u32| {
        let digits = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
        text.parse::<u32>().ok().filter(|number| digits && *number <= max)
    };
    let seconds = f64::from(two_digits(hours, 23)? * 3600 + two_digits(minutes, 59)? * 60);
    match offset.get(..1)? {
        "+" => Some(seconds),
        "-" => Some(-seconds),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<f64>) {
        assert_eq!(parse(text).ok(), expected, "{text}");
    }

    #[test]
    fn a_time_is_unix_seconds_or_rfc_3339() {
        check("0", Some(0.0));
        check("1700000000", Some(1_700_000_000.0));
        check("1700000000.5", Some(1_700_000_000.5));
        check("2023-11-14T22:13:20Z", Some(1_700_000_000.0));
        check("2023-11-14t22:13:20.5z", Some(1_700_000_000.5));
        check("2023-11-14T23:43:20+01:30", Some(1_700_000_000.0));
        check("2023-11-14T17:13:20-05:00", Some(1_700_000_000.0));
    }

    #[test]
    fn anything_else_is_no_time() {
        for text in [
            "",
            "now",
            "-1",
            "1e9",
            "inf",
            "NaN",
            "0x10",
            ".",
            "2023-11-14",
            "2023-11-14T22:13:20",
            "2023-11-14T22:13:20+1:00",
            "2023-11-14T22:13:20+24:00",
            "2023-13-14T22:13:20Z",
            "1960-01-01T00:00:00Z",
            "é2:00",
        ] {
            check(text, None);
        }
    }
}
