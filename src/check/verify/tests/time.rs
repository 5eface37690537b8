//! `exp`, `nbf`, `iat` and `max_lifetime`, to the second.

use std::time::Duration;

use super::*;
use crate::check::fixtures::verified;

/// okta, with a leeway of 60 s, at [`NOW`] = 1700000000.
#[track_caller]
fn check_times(times: &[(&str, &str)], expected: Result<(), Denial>) {
    check_payload(okta(), times, expected);
}

fn at_most(seconds: u64) -> Provider {
    Provider { max_lifetime: Some(Duration::from_secs(seconds)), ..okta() }
}

#[test]
fn a_token_is_expired_on_and_after_exp_and_leeway() {
    check_times(&[("exp", "1699999941")], Ok(()));
    check_times(&[("exp", "1699999940.5")], Ok(()));
    for exp in ["1699999940", "1699999939.999", "1699999939", "1.69999994e9", "0", "-0", "1"] {
        check_times(&[("exp", exp)], Err(Denial::TokenExpired));
    }
    let exact = Provider { leeway: Duration::ZERO, ..okta() };
    check_payload(exact, &[("exp", "1700000000")], Err(Denial::TokenExpired));
}

#[test]
fn a_token_is_not_yet_valid_before_nbf_or_iat_less_the_leeway() {
    for name in ["nbf", "iat"] {
        check_times(&[(name, "1700000060")], Ok(()));
        check_times(&[(name, "17000000.6E2")], Ok(()));
        check_times(&[(name, "0")], Ok(()));
        for date in ["1700000061", "1700000060.5", "1.700000061e+9", "9007199254740992"] {
            check_times(&[(name, date)], Err(Denial::TokenNotYetValid));
        }
    }
    let exact = Provider { leeway: Duration::ZERO, ..okta() };
    check_payload(exact, &[("nbf", "1700000000.25")], Err(Denial::TokenNotYetValid));
    check_times(&[("nbf", "1700000061"), ("iat", "0")], Err(Denial::TokenNotYetValid));
    check_times(&[("nbf", "0"), ("iat", "1700000061")], Err(Denial::TokenNotYetValid));
}

#[test]
fn a_date_is_a_json_number_from_0_to_2_to_the_53() {
    check_times(&[("exp", "9007199254740992")], Ok(()));
    for name in ["exp", "nbf", "iat"] {
        for date in [
            "9007199254740994",
            "1e308",
            "1e999",
            "-1",
            "-0.5",
            "-1e999",
            "\"1800000000\"",
            "true",
            "null",
            "[1800000000]",
            "{}",
        ] {
            check_times(&[(name, date)], Err(Denial::ClaimsMalformed));
        }
    }
}

#[test]
fn malformed_dates_come_before_dates_that_have_passed() {
    check_times(&[("exp", "1"), ("iat", "null")], Err(Denial::ClaimsMalformed));
    check_times(&[("exp", "1"), ("nbf", "1700000061")], Err(Denial::TokenExpired));
}

#[test]
fn a_token_without_exp_needs_a_provider_that_permits_it() {
    check_times(&[("exp", "")], Err(Denial::ExpiryMissing));
    let permits = || Provider { expiry: Expiry::Permit, ..okta() };
    check_payload(permits(), &[("exp", "")], Ok(()));
    check_payload(permits(), &[("exp", "1699999940")], Err(Denial::TokenExpired));
    check_payload(permits(), &[("exp", "null")], Err(Denial::ClaimsMalformed));
}

#[test]
fn max_lifetime_needs_exp_whatever_require_exp_says() {
    let bounded = Provider { expiry: Expiry::Permit, ..at_most(300) };
    check_payload(bounded, &[("exp", "")], Err(Denial::ExpiryMissing));
}

#[test]
fn max_lifetime_counts_from_iat_or_else_from_now() {
    check_payload(at_most(600), &[("iat", "1699999700")], Ok(()));
    check_payload(at_most(600), &[("iat", "1699999699")], Err(Denial::LifetimeTooLong));
    check_payload(at_most(600), &[("iat", "1699999699.5")], Err(Denial::LifetimeTooLong));
    check_payload(at_most(300), &[], Ok(()));
    check_payload(at_most(299), &[], Err(Denial::LifetimeTooLong));
    check_payload(at_most(300), &[("exp", "9007199254740992")], Err(Denial::LifetimeTooLong));
    // The leeway is not added to the lifetime.
    check_payload(at_most(599), &[("iat", "1699999700")], Err(Denial::LifetimeTooLong));
}

#[track_caller]
fn check_still_valid(times: &[(&str, &str)], unix: f64, expected: Result<(), Denial>) {
    let verified = verified(&orders(at_most(300)), times);
    assert_eq!(verified.still_valid(at(unix)), expected, "{times:?} at {unix}");
}

#[test]
fn a_verified_token_expires_as_time_goes_on() {
    let iat = [("iat", "1700000000")];
    check_still_valid(&iat, NOW, Ok(()));
    check_still_valid(&iat, NOW + 359.9, Ok(()));
    check_still_valid(&iat, NOW + 360.0, Err(Denial::TokenExpired));
    check_still_valid(&iat, NOW - 60.5, Err(Denial::TokenNotYetValid));
    check_still_valid(&[("nbf", "1700000000")], NOW - 61.0, Err(Denial::TokenNotYetValid));
}

#[test]
fn a_clock_that_is_set_back_makes_the_lifetime_too_long_again() {
    check_still_valid(&[], NOW, Ok(()));
    check_still_valid(&[], NOW - 1.0, Err(Denial::LifetimeTooLong));
}
