//! One gRPC connection's requests: to Authorization, to health, or nowhere.
//!
//! It goes to tonic's building blocks directly: tonic's own server would answer time-outs and
//! shedding with gRPC errors, which Envoy may let pass, and would route through a table.

use std::{convert::Infallible, sync::Arc, time::Duration};

use http::{HeaderMap, Request, Response};
use hyper::body::Incoming;
use tokio::time::Instant;
use tonic::{Status, body::Body, codegen::Service as _};
use tonic_health::pb::health_server::{Health, HealthServer};

use crate::{
    grpc::{Authorizer, Call, MAX_WAIT},
    server::frame::{self, Answer},
};

/// The path of the one method.
const CHECK: &str = "/envoy.service.auth.v3.Authorization/Check";
/// The paths of health begin so.
const HEALTH: &str = "/grpc.health.v1.Health/";

/// Answers one gRPC request.
pub(super) async fn answer<H: Health>(
    request: Request<Incoming>,
    authorizer: Arc<Authorizer>,
    mut health: HealthServer<H>,
) -> Result<Response<Answer>, Infallible> {
    let path = request.uri().path();
    if path == CHECK {
        Ok(check(request, &authorizer).await)
    } else if path.starts_with(HEALTH) {
        Ok(health.call(request.map(Body::new)).await?.map(Answer::Tonic))
    } else {
        Ok(Status::unimplemented("").into_http().map(Answer::Tonic))
    }
}

/// One call of `Check`. Only a caller that is gone gets no CheckResponse.
async fn check(request: Request<Incoming>, authorizer: &Authorizer) -> Response<Answer> {
    let (head, body) = request.into_parts();
    let (read, left) = timed(frame::read(body), budget(&head.headers)).await;
    match read {
        Ok(message) => {
            let call = Call { message, authority: head.uri.into_parts().authority };
            frame::response(&authorizer.check(call, left).await)
        }
        Err(_) => Status::cancelled("").into_http().map(Answer::Tonic),
    }
}

/// What `work` gives, and what it left of `budget`. Work that takes longer is not cut short: what
/// comes after it decides without waiting.
async fn timed<T>(work: impl Future<Output = T>, budget: Duration) -> (T, Duration) {
    let began = Instant::now();
    let output = work.await;
    (output, budget.saturating_sub(began.elapsed()))
}

/// Half of `grpc-timeout`: the rest is for queueing on the way here and back, so that the answer is
/// a denial and not Envoy's own time-out, which it may let pass. [`MAX_WAIT`] where it is absent or
/// cannot be read.
fn budget(headers: &HeaderMap) -> Duration {
    let timeout = headers.get("grpc-timeout").and_then(|value| timeout(value.to_str().ok()?));
    timeout.map_or(MAX_WAIT, |timeout| timeout / 2)
}

/// The gRPC protocol's `Timeout`: at most eight digits and a unit.
fn timeout(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(count * 3600)),
        "M" => Some(Duration::from_secs(count * 60)),
        "S" => Some(Duration::from_secs(count)),
        "m" => Some(Duration::from_millis(count)),
        "u" => Some(Duration::from_micros(count)),
        "n" => Some(Duration::from_nanos(count)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: &str, expected: Duration) {
        let headers = HeaderMap::from_iter([(
            http::header::HeaderName::from_static("grpc-timeout"),
            value.parse().unwrap(),
        )]);
        assert_eq!(budget(&headers), expected, "{value}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_that_comes_slowly_uses_up_the_budget() {
        for (read, left) in [(0, 100), (30, 70), (100, 0), (4000, 0)] {
            let work = tokio::time::sleep(Duration::from_millis(read));
            let (_, rest) = timed(work, Duration::from_millis(100)).await;
            assert_eq!(rest, Duration::from_millis(left), "{read} ms");
        }
    }

    #[test]
    fn the_budget_ends_before_envoys_time_out() {
        check("200m", Duration::from_millis(100));
        check("10S", Duration::from_secs(5));
        check("0m", Duration::ZERO);
    }

    #[test]
    fn an_unreadable_time_out_is_none() {
        for value in ["", "m", "200", "200x", "-1m", "999999999m", "1é"] {
            if let Ok(value) = http::HeaderValue::from_str(value) {
                let headers = HeaderMap::from_iter([(
                    http::header::HeaderName::from_static("grpc-timeout"),
                    value,
                )]);
                assert_eq!(budget(&headers), MAX_WAIT);
            }
        }
        assert_eq!(budget(&HeaderMap::new()), MAX_WAIT);
    }
}
