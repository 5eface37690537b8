//! How durations are written, in the config file and on the command line.

use std::time::Duration;

/// A whole number and `s`, `m` or `h`: `30s`, `10m`, `24h`; at most ten years. None for anything
/// else.
#[must_use]
pub fn parse(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return None,
    };
    let seconds = digits.parse::<u64>().ok()?.checked_mul(seconds)?;
    (seconds <= MAX_SECONDS).then(|| Duration::from_secs(seconds))
}

/// Ten years: sums of durations and times stay far from overflow.
const MAX_SECONDS: u64 = 87_600 * 3600;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<u64>) {
        assert_eq!(parse(text), expected.map(Duration::from_secs), "{text}");
    }

    #[test]
    fn a_whole_number_and_one_unit_are_accepted() {
        check("30s", Some(30));
        check("10m", Some(600));
        check("24h", Some(86_400));
        check("0s", Some(0));
        check("87600h", Some(315_360_000));
    }

    #[test]
    fn everything_else_is_refused() {
        for text in [
            "",
            "s",
            "30",
            "30 s",
            "-1s",
            "+1s",
            "1.5s",
            "1d",
            "500ms",
            "1S",
            "1h30m",
            "1é",
            "87601h",
            "99999999999999999999s",
            "18446744073709551615h",
        ] {
            check(text, None);
        }
    }
}
