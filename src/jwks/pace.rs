//! How long until the next fetch of a set: arithmetic alone.
//!
//! It reads no clock and draws no lots; `spread` is handed in.

use std::time::Duration;

/// A server may ask for fetches as often as this, and no more often.
pub const LEAST: Duration = Duration::from_secs(30);
/// The longest time between two tries of a fetch that fails.
pub const MOST_PATIENT: Duration = Duration::from_secs(60);

/// Until the next planned refresh, after one that succeeded: up to a tenth before `interval` is
/// over, so that many sets are not fetched in step. The server may shorten it (`fresh_for`), never
/// lengthen it. `spread` is from 0 to 1.
#[must_use]
pub fn planned(interval: Duration, fresh_for: Option<Duration>, spread: f64) -> Duration {
    let fresh_for = fresh_for.map_or(interval, |fresh_for| fresh_for.max(LEAST));
    let whole = interval.min(fresh_for);
    part(whole, 1.0 - 0.1 * spread).max(LEAST.min(whole))
}

/// Until the next try after so many failures in a row: 1, 2, 4, … seconds, at most a minute and
/// `interval`, of which up to the half is left out.
#[must_use]
pub fn retry(failures: u32, interval: Duration, spread: f64) -> Duration {
    let doubled = Duration::from_secs(1 << failures.saturating_sub(1).min(6));
    part(doubled.min(MOST_PATIENT).min(interval), 1.0 - 0.5 * spread)
}

fn part(of: Duration, factor: f64) -> Duration {
    Duration::try_from_secs_f64(of.as_secs_f64() * factor).unwrap_or(of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_planned(interval: u64, fresh_for: Option<u64>, spread: f64, expected: u64) {
        let seconds = Duration::from_secs;
        let wait = planned(seconds(interval), fresh_for.map(seconds), spread);
        assert_eq!(wait.as_secs(), expected);
    }

    #[test]
    fn a_refresh_is_planned_a_little_before_its_time() {
        check_planned(600, None, 0.0, 600);
        check_planned(600, None, 0.5, 570);
        check_planned(600, None, 1.0, 540);
    }

    #[test]
    fn a_server_shortens_the_interval_and_never_lengthens_it() {
        check_planned(600, Some(300), 0.0, 300);
        check_planned(600, Some(300), 1.0, 270);
        check_planned(600, Some(9000), 0.0, 600);
        check_planned(600, Some(u64::MAX), 0.0, 600);
    }

    #[test]
    fn nothing_makes_it_shorter_than_thirty_seconds() {
        check_planned(600, Some(0), 0.0, 30);
        check_planned(600, Some(29), 1.0, 30);
        check_planned(600, Some(31), 1.0, 30);
        check_planned(30, None, 1.0, 30);
    }

    #[test]
    fn the_longest_interval_is_no_overflow() {
        check_planned(u64::MAX, None, 0.0, u64::MAX);
    }

    #[track_caller]
    fn check_retries(interval: u64, spread: f64, expected: &[u128]) {
        let failures = (1..).zip(expected);
        for (failures, expected) in failures {
            let wait = retry(failures, Duration::from_secs(interval), spread);
            assert_eq!(wait.as_millis(), *expected, "after {failures} failures");
        }
    }

    #[test]
    fn retries_come_ever_later_up_to_a_minute() {
        check_retries(600, 0.0, &[1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000]);
        check_retries(600, 1.0, &[500, 1000, 2000, 4000, 8000, 16000, 30000, 30000]);
        check_retries(30, 0.0, &[1000, 2000, 4000, 8000, 16000, 30000, 30000]);
        assert_eq!(retry(u32::MAX, Duration::MAX, 0.0), MOST_PATIENT);
    }
}
