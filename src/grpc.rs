//! Envoy's Authorization service: bytes in, the one await, bytes out.
//!
//! It decides nothing (`check.rs`). Whatever goes wrong here is answered as a denial, never as a
//! gRPC error: Envoy lets errors pass under `failure_mode_allow`.

pub mod decode;
pub mod encode;
pub mod message;
pub mod wire;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http::uri::Authority;

use crate::{
    check::{
        self, Backing, Host, Keys, Progress, Recalled,
        decision::{Decision, Denial, Fault, Reason, Refuse},
        verify::{KeyProblem, KeyQuery, Verified},
    },
    clock::{Clock, Now},
    jwks::store::{KeyStore, Ticket},
    policy::Policy,
    provider::Name,
    snapshot::{Snapshot, cell::SnapshotCell},
    telemetry::{metrics::Metrics, references::References},
    token_cache::{Held, Place, TokenCache},
};

/// The full name of Envoy's service.
pub const SERVICE: &str = "envoy.service.auth.v3.Authorization";

/// A larger CheckRequest is denied: Envoy sends a body only where `with_request_body` asks for it.
pub const MAX_MESSAGE_BYTES: usize = 8 * 1024 * 1024;

/// A check waits for keys at most this long, whatever Envoy's time-out is.
pub const MAX_WAIT: Duration = Duration::from_secs(5);

/// Everything that a check needs, shared by all of them.
pub struct Authorizer {
    /// The running config.
    pub cell: Arc<SnapshotCell>,
    /// The fetched keys.
    pub store: Arc<KeyStore>,
    /// The tokens that were verified.
    pub tokens: TokenCache,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// The names that were not found.
    pub references: References,
    /// The clocks.
    pub clock: Clock,
    /// The namespace of the route metadata that is ours.
    pub namespace: String,
}

/// One call of the service.
#[derive(Debug, Clone)]
pub struct Call {
    /// The CheckRequest; none where the call did not bring exactly one that may be read.
    pub message: Option<Bytes>,
    /// The `:authority` by which the proxy called: no client can touch it.
    pub authority: Option<Authority>,
}

/// Whether a check may still wait for keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Patience {
    Left,
    Over,
}

/// How far one run of a check came.
enum Run {
    Answer(Vec<u8>),
    Wait(Ticket),
}

impl Authorizer {
    /// Answers one call within `budget`, always with a CheckResponse.
    pub async fn check(&self, call: Call, budget: Duration) -> Vec<u8> {
        let started = self.clock.now();
        let (mut now, mut budget) = (started, budget.min(MAX_WAIT));
        loop {
            let left = budget.saturating_sub(now.mono.since(started.mono));
            let patience = if left.is_zero() { Patience::Over } else { Patience::Left };
            let snapshot = self.cell.lend();
            match self.run(&snapshot, &call, started, now, patience) {
                Run::Answer(answer) => return answer,
                // The check starts again on the config of then; a new one ends the wait.
                Run::Wait(ticket) => {
                    let snapshot = snapshot.keep();
                    budget = budget.min(ticket.timeout());
                    tokio::select! {
                        () = ticket.wait(left) => {}
                        () = self.cell.replaced(&snapshot) => {}
                    }
                    now = self.clock.now();
                }
            }
        }
    }

    /// One run on one config. A panic anywhere in it is the fault `internal`.
    fn run(
        &self,
        snapshot: &Snapshot,
        call: &Call,
        started: Now,
        now: Now,
        patience: Patience,
    ) -> Run {
        let run = || self.run_on(snapshot, call, started, now, patience);
        catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| {
            let fault = Decision::Refuse(Refuse::without_policy(Fault::Internal.into()));
            // Counting may be what panicked; encoding this one decision is not.
            let count = || self.count(&fault, started);
            let _ = catch_unwind(AssertUnwindSafe(count));
            Run::Answer(encode::check_response(&fault, &snapshot.owned_headers))
        })
    }

    fn run_on(
        &self,
        snapshot: &Snapshot,
        call: &Call,
        started: Now,
        now: Now,
        patience: Patience,
    ) -> Run {
        let sized = call.message.as_ref().filter(|message| message.len() <= MAX_MESSAGE_BYTES);
        let view = sized.and_then(|bytes| decode::check_request(bytes, &self.namespace).ok());
        let Some(mut view) = view else {
            let refuse = Refuse::without_policy(Denial::RequestMalformed.into());
            return Run::Answer(self.answer(&Decision::Refuse(refuse), snapshot, started));
        };
        view.route.authority = call.authority.as_ref().map_or("", Authority::as_str);
        let host = Serving { shared: self, patience };
        let mut backing = Backing::default();
        match check::decide(&view, snapshot, &host, now, &mut backing) {
            Progress::Wait(ticket) => Run::Wait(ticket),
            Progress::Done(decision, unknown) => {
                self.metrics.unknown_references(unknown.len());
                self.references.note(unknown, now.mono);
                if let Some(Reason::Fault(fault)) = decision.reason()
                    && fault.is_of_the_route()
                {
                    self.references.note_fault(Reason::from(fault).row().label, now.mono);
                }
                Run::Answer(self.answer(&decision, snapshot, started))
            }
        }
    }

    fn answer(&self, decision: &Decision<'_>, snapshot: &Snapshot, started: Now) -> Vec<u8> {
        self.count(decision, started);
        encode::check_response(decision, &snapshot.owned_headers)
    }

    fn count(&self, decision: &Decision<'_>, started: Now) {
        let took = self.clock.mono().since(started.mono);
        self.metrics.checked(decision, took);
        tracing::debug!(
            outcome = decision.outcome(),
            reason = decision.reason().map(|reason: Reason| reason.row().label),
            policy = decision.policy().and_then(|p| p.name.as_ref()).map(Name::as_str),
            provider = decision.identity().map(|identity| identity.provider.name.as_str()),
            "checked"
        );
    }
}

/// One run's view of what is shared.
struct Serving<'a> {
    shared: &'a Authorizer,
    patience: Patience,
}

impl Host for Serving<'_> {
    type Wait = Ticket;
    type Place = Place;
    type Held = Held;

    fn keys(&self, query: KeyQuery<'_>, now: Now) -> Keys<Ticket> {
        let keys = self.shared.store.keys(query, now);
        if self.patience == Patience::Over && matches!(keys, Keys::Wait(_)) {
            return Keys::None(KeyProblem::Unavailable);
        }
        keys
    }

    fn recall(&self, token: &str, policy: &Policy, now: Now) -> Recalled<Held, Place> {
        let Authorizer { tokens, store, metrics, .. } = self.shared;
        let Some(place) = tokens.place(policy, token) else {
            metrics.recalled(false);
            return Recalled::New(None);
        };
        let stands = |verified: &Verified| {
            verified.stands_under(policy)
                && verified.still_valid(now).is_ok()
                && store.holds(verified, now)
        };
        match tokens.get(place, now.mono) {
            Some(verified) if stands(&verified) => {
                metrics.recalled(true);
                return Recalled::Known(verified);
            }
            Some(_) => tokens.free(place),
            None => {}
        }
        metrics.recalled(false);
        Recalled::New(Some(place))
    }

    fn hold(&self, verified: Verified, place: Option<Place>) -> Held {
        self.shared.tokens.hold(verified, place)
    }
}

#[cfg(test)]
mod tests {
    use envoy_types::pb::envoy::service::auth::v3::{
        AttributeContext, CheckRequest, CheckResponse, check_response::HttpResponse,
    };
    use prost::Message as _;
    use tracing::{Event, Level, Metadata, Subscriber, span};

    use super::*;
    use crate::{
        check::fixtures::{ISSUER, NOW, at, okta, orders, provider, snapshot, verified},
        provider::Provider,
        snapshot::changes::Definition,
        token_cache::Content,
    };

    fn authorizer() -> Authorizer {
        Authorizer {
            cell: Arc::new(SnapshotCell::new(snapshot(&[], Vec::new()))),
            store: Arc::default(),
            tokens: TokenCache::new(0),
            metrics: Arc::new(Metrics::new().unwrap()),
            references: References::default(),
            clock: Clock::start(),
            namespace: "claimgate".to_owned(),
        }
    }

    /// A request of a route that names a policy which does not exist.
    fn unknown_policy() -> Call {
        let context_extensions = [("claimgate.policy".to_owned(), "gone".to_owned())].into();
        let attributes = AttributeContext { context_extensions, ..AttributeContext::default() };
        call(CheckRequest { attributes: Some(attributes) }.encode_to_vec())
    }

    fn call(message: impl Into<Bytes>) -> Call {
        Call { message: Some(message.into()), authority: None }
    }

    /// The answer to `request` must be a denial with this status, counted under this reason.
    #[track_caller]
    fn check(request: &Call, http: i32, counted: &str) {
        let authorizer = authorizer();
        let now = authorizer.clock.now();
        let Run::Answer(answer) =
            authorizer.run(&authorizer.cell.load(), request, now, now, Patience::Left)
        else {
            panic!("no answer");
        };
        let response = CheckResponse::decode(answer.as_slice()).unwrap();
        assert!(response.status.is_some_and(|status| status.code != 0));
        let Some(HttpResponse::DeniedResponse(denied)) = response.http_response else {
            panic!("no denied_response");
        };
        assert_eq!(denied.status.map(|status| status.code), Some(http));
        let metrics = authorizer.metrics.text(&[], Content::default());
        let labels = format!("policy=\"\",provider=\"\",reason=\"{counted}\"}} 1");
        assert!(metrics.contains(&labels), "{labels} is not in {metrics}");
    }

    /// Panics on each warning, as a check that goes wrong would.
    struct PanicsOnWarning;

    impl Subscriber for PanicsOnWarning {
        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            *metadata.level() == Level::WARN
        }
        fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
            span::Id::from_u64(1)
        }
        fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
        fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
        fn event(&self, _: &Event<'_>) {
            panic!("on purpose");
        }
        fn enter(&self, _: &span::Id) {}
        fn exit(&self, _: &span::Id) {}
    }

    #[test]
    fn a_panic_inside_a_check_is_the_fault_internal() {
        let request = unknown_policy();
        check(&request, 503, "policy_unknown");
        tracing::subscriber::with_default(PanicsOnWarning, || check(&request, 503, "internal"));
    }

    #[test]
    fn after_a_panic_the_next_check_is_answered_as_ever() {
        let authorizer = authorizer();
        let (now, request) = (authorizer.clock.now(), unknown_policy());
        let run =
            || drop(authorizer.run(&authorizer.cell.load(), &request, now, now, Patience::Left));
        tracing::subscriber::with_default(PanicsOnWarning, run);
        run();
        assert!(
            authorizer
                .metrics
                .text(&[], Content::default())
                .contains("reason=\"policy_unknown\"} 1")
        );
    }

    #[test]
    fn bytes_that_are_no_request_are_denied() {
        check(&call(&b"\xff"[..]), 400, "request_malformed");
        check(&call(&b"\x0a\x05abc"[..]), 400, "request_malformed");
        check(&call(&b"\x0a\x02\x52\x01"[..]), 400, "request_malformed");
        check(&Call { message: None, authority: None }, 400, "request_malformed");
    }

    #[test]
    fn a_request_over_the_bound_is_denied_before_it_is_read() {
        let huge = call(vec![0; MAX_MESSAGE_BYTES + 1]);
        check(&huge, 400, "request_malformed");
    }

    #[test]
    fn an_empty_request_is_one_without_a_policy() {
        check(&call(Bytes::new()), 503, "route_policy_missing");
    }

    #[test]
    fn a_remembered_token_is_recalled_only_within_its_time_and_under_the_same_provider() {
        let authorizer = Authorizer { tokens: TokenCache::new(1 << 20), ..authorizer() };
        let policy = orders(okta());
        let serving = Serving { shared: &authorizer, patience: Patience::Left };
        let Recalled::New(place) = serving.recall("token", &policy, at(NOW)) else {
            panic!("known before it was kept");
        };
        // What does not stand is not kept, so it is remembered anew each time.
        let recalled = |policy: &Policy, token, unix| {
            serving.hold(verified(&orders(okta()), &[]), place);
            matches!(serving.recall(token, policy, at(unix)), Recalled::Known(_))
        };
        assert!(recalled(&policy, "token", NOW));
        assert!(!recalled(&policy, "other", NOW));
        // `exp` is five minutes away, the leeway one.
        assert!(recalled(&policy, "token", NOW + 359.0));
        assert!(!recalled(&policy, "token", NOW + 360.0));
        // Another config's policy of that name: with the provider as it was, without it, with
        // another of that issuer, and with the provider written otherwise.
        assert!(recalled(&orders(okta()), "token", NOW));
        assert!(!recalled(&orders(provider("okta", "https://other.example")), "token", NOW));
        assert!(!recalled(&orders(provider("other", ISSUER)), "token", NOW));
        let definition = Definition::of("otherwise");
        assert!(!recalled(&orders(Provider { definition, ..okta() }), "token", NOW));
        assert!(matches!(serving.recall("token", &policy, at(NOW)), Recalled::New(Some(_))));
    }
}
