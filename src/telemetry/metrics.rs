//! Every metric: its name, labels and help in one place.
//!
//! No label takes a value that a client controls: providers and policies are names of the config.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use prometheus::{
    Encoder as _, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter,
    IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder, core::Collector,
    process_collector::ProcessCollector,
};

use crate::{
    check::decision::{Decision, Fault, Reason},
    jwks::{fetch::FetchError, store::ProviderState},
    provider::Name,
    snapshot::Snapshot,
};

/// The metrics of one server.
pub struct Metrics {
    registry: Registry,
    checks: IntCounterVec,
    allowed: Histogram,
    denied: Histogram,
    fault: Histogram,
    route_policy_problems: IntCounterVec,
    jwks_fetches: IntCounterVec,
    jwks_keys: IntGaugeVec,
    jwks_last_success: GaugeVec,
    jwks_failures: IntGaugeVec,
    tls_verification_disabled: IntGaugeVec,
    config_generation: IntGauge,
    config_info: IntGaugeVec,
    config_reloads: IntCounterVec,
    config_last_reload_successful: IntGauge,
    config_last_reload_success: Gauge,
    jwks_suppressed: IntCounterVec,
    providers: IntGaugeVec,
    token_cache_bytes: IntGauge,
    reading: Mutex<()>,
    /// Tokens that were recalled.
    pub token_cache_hits: IntCounter,
    /// Tokens that were not.
    pub token_cache_misses: IntCounter,
    /// Tokens that were dropped to make room.
    pub token_cache_evictions: IntCounter,
}

impl Metrics {
    /// All of them, at zero.
    ///
    /// # Errors
    /// Only if two metrics here had the same name.
    pub fn new() -> Result<Self, prometheus::Error> {
        let new = Registered(Registry::new());
        let duration = new.histogram("claimgate_check_duration_seconds", "Time of one check.")?;
        new.0.register(Box::new(ProcessCollector::for_self()))?;
        let build = new.gauges(
            "claimgate_build_info",
            "1, with the version as a label.",
            &["version", "revision"],
        )?;
        let revision = option_env!("CLAIMGATE_REVISION").unwrap_or("unknown");
        build.with_label_values(&[env!("CARGO_PKG_VERSION"), revision]).set(1);
        Ok(Self {
            checks: new.counters(
                "claimgate_checks_total",
                "Checks by their end.",
                &["outcome", "reason", "provider", "policy"],
            )?,
            allowed: duration.with_label_values(&["allowed"]),
            denied: duration.with_label_values(&["denied"]),
            fault: duration.with_label_values(&["fault"]),
            route_policy_problems: new.counters(
                "claimgate_route_policy_problems_total",
                "Checks whose route metadata could not be followed.",
                &["problem"],
            )?,
            jwks_fetches: new.counters(
                "claimgate_jwks_fetches_total",
                "JWKS fetches by result.",
                &["provider", "result"],
            )?,
            jwks_suppressed: new.counters(
                "claimgate_jwks_refresh_suppressed_total",
                "Refreshes that the cool-down prevented.",
                &["provider"],
            )?,
            jwks_keys: new.gauges("claimgate_jwks_keys", "Usable keys.", &["provider"])?,
            jwks_last_success: new.register(GaugeVec::new(
                Opts::new(
                    "claimgate_jwks_last_success_timestamp_seconds",
                    "Unix time of the newest successful fetch.",
                ),
                &["provider"],
            )?)?,
            jwks_failures: new.gauges(
                "claimgate_jwks_consecutive_failures",
                "Failed fetches since the last success.",
                &["provider"],
            )?,
            tls_verification_disabled: new.gauges(
                "claimgate_tls_verification_disabled",
                "1 where skip_tls_verification is on.",
                &["provider"],
            )?,
            providers: new.gauges("claimgate_providers", "Providers by state.", &["state"])?,
            token_cache_hits: new.counter("claimgate_token_cache_hits_total", "Cache hits.")?,
            token_cache_misses: new.counter("claimgate_token_cache_misses_total", "Misses.")?,
            token_cache_evictions: new
                .counter("claimgate_token_cache_evictions_total", "Entries dropped for room.")?,
            token_cache_bytes: new.gauge("claimgate_token_cache_bytes", "Size of the cache.")?,
            config_generation: new
                .gauge("claimgate_config_generation", "Configs served by this process.")?,
            config_info: new.gauges("claimgate_config_info", "1, with the hash.", &["hash"])?,
            config_reloads: new.counters(
                "claimgate_config_reloads_total",
                "Reloads by result.",
                &["result"],
            )?,
            config_last_reload_successful: new
                .gauge("claimgate_config_last_reload_successful", "1 if it was.")?,
            config_last_reload_success: new.register(Gauge::new(
                "claimgate_config_last_reload_success_timestamp_seconds",
                "Unix time of the newest successful load.",
            )?)?,
            reading: Mutex::new(()),
            registry: new.0,
        })
    }

    /// Counts one check.
    pub fn checked(&self, decision: &Decision<'_>, took: Duration) {
        let outcome = decision.outcome();
        let reason = decision.reason().map_or("", |reason| reason.row().label);
        let provider = decision.provider().map_or("", |provider| provider.name.as_str());
        let policy = decision
            .policy()
            .map_or("", |policy| policy.name.as_ref().map_or("inline", Name::as_str));
        self.checks.with_label_values(&[outcome, reason, provider, policy]).inc();
        match decision {
            Decision::Allow(_) => self.allowed.observe(took.as_secs_f64()),
            Decision::Refuse(refuse) => match refuse.reason {
                Reason::Denied(_) => self.denied.observe(took.as_secs_f64()),
                Reason::Fault(fault) => {
                    self.fault.observe(took.as_secs_f64());
                    self.route_fault(fault);
                }
            },
        }
    }

    fn route_fault(&self, fault: Fault) {
        match fault {
            Fault::RoutePolicyMissing
            | Fault::RoutePolicyInvalid
            | Fault::PolicyUnknown
            | Fault::ProviderUnknown
            | Fault::ProviderDisabled => {
                let problem = Reason::from(fault).row().label;
                self.route_policy_problems.with_label_values(&[problem]).inc();
            }
            Fault::KeysUnavailable | Fault::Internal => {}
        }
    }

    /// Counts one fetch for each provider that shares the set.
    pub fn jwks_fetched(&self, providers: &[Name], error: Option<FetchError>) {
        let result = error.map_or("success", FetchError::label);
        for provider in providers {
            self.jwks_fetches.with_label_values(&[provider.as_str(), result]).inc();
        }
    }

    /// A config began to be served.
    pub fn applied(&self, snapshot: &Snapshot, unix: f64) {
        self.config_generation.set(i64::try_from(snapshot.generation).unwrap_or(i64::MAX));
        self.config_info.reset();
        self.config_info.with_label_values(&[snapshot.config_hash.as_str()]).set(1);
        self.config_last_reload_successful.set(1);
        self.config_last_reload_success.set(unix);
        self.config_reloads.with_label_values(&["success"]).inc();
    }

    /// A changed config could not be served.
    pub fn refused(&self) {
        self.config_last_reload_successful.set(0);
        self.config_reloads.with_label_values(&["failure"]).inc();
    }

    /// The Prometheus text exposition format, version 0.0.4, with the gauges of `samples`.
    #[must_use]
    pub fn text(&self, samples: &[ProviderSample<'_>], token_cache_bytes: u64) -> String {
        // Two readers at once would otherwise count a sample twice, or miss it.
        let _one = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        self.sample(samples);
        self.token_cache_bytes.set(i64::try_from(token_cache_bytes).unwrap_or(i64::MAX));
        let mut text = Vec::new();
        // Writing to memory fails only for a metric without samples, which gather leaves out.
        let _ = TextEncoder::new().encode(&self.registry.gather(), &mut text);
        String::from_utf8(text).unwrap_or_default()
    }

    /// Providers that are gone leave no series behind.
    fn sample(&self, samples: &[ProviderSample<'_>]) {
        self.jwks_keys.reset();
        self.jwks_failures.reset();
        self.jwks_last_success.reset();
        self.jwks_suppressed.reset();
        self.tls_verification_disabled.reset();
        for state in ProviderState::ALL {
            let count = samples.iter().filter(|sample| sample.state == state).count();
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            self.providers.with_label_values(&[state.label()]).set(count);
        }
        for sample in samples {
            let name = [sample.name];
            self.jwks_keys.with_label_values(&name).set(sample.keys);
            if sample.skips_tls_verification {
                self.tls_verification_disabled.with_label_values(&name).set(1);
            }
            let Some(fetches) = &sample.fetches else { continue };
            self.jwks_failures.with_label_values(&name).set(fetches.consecutive_failures.into());
            self.jwks_suppressed.with_label_values(&name).inc_by(fetches.suppressed);
            if let Some(unix) = fetches.last_success_unix {
                self.jwks_last_success.with_label_values(&name).set(unix);
            }
        }
    }
}

/// What the gauges show of one provider, read when `/metrics` is.
#[derive(Debug, Clone, Copy)]
pub struct ProviderSample<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its state.
    pub state: ProviderState,
    /// How many usable keys it has.
    pub keys: i64,
    /// Whether its set is fetched without verifying the server.
    pub skips_tls_verification: bool,
    /// Its fetches; none for keys from the config.
    pub fetches: Option<FetchSample>,
}

/// What the gauges show of one fetched set.
#[derive(Debug, Clone, Copy)]
pub struct FetchSample {
    /// Failed fetches since the last success.
    pub consecutive_failures: u32,
    /// Refreshes that the cool-down prevented.
    pub suppressed: u64,
    /// Unix time of the newest success, in seconds.
    pub last_success_unix: Option<f64>,
}

/// Makes metrics and registers each where it is made.
struct Registered(Registry);

impl Registered {
    fn register<C: Collector + Clone + 'static>(&self, metric: C) -> Result<C, prometheus::Error> {
        self.0.register(Box::new(metric.clone()))?;
        Ok(metric)
    }

    fn counter(&self, name: &str, help: &str) -> Result<IntCounter, prometheus::Error> {
        self.register(IntCounter::new(name, help)?)
    }

    fn counters(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<IntCounterVec, prometheus::Error> {
        self.register(IntCounterVec::new(Opts::new(name, help), labels)?)
    }

    fn gauge(&self, name: &str, help: &str) -> Result<IntGauge, prometheus::Error> {
        self.register(IntGauge::new(name, help)?)
    }

    fn gauges(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<IntGaugeVec, prometheus::Error> {
        self.register(IntGaugeVec::new(Opts::new(name, help), labels)?)
    }

    /// Buckets from 10 µs to 10 s.
    fn histogram(&self, name: &str, help: &str) -> Result<HistogramVec, prometheus::Error> {
        let buckets = vec![
            0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01,
            0.025, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0,
        ];
        let options = HistogramOpts::new(name, help).buckets(buckets);
        self.register(HistogramVec::new(options, &["outcome"])?)
    }
}
