//! Every metric: its name, labels and help in one place.
//!
//! No label takes a value that a client controls: providers and policies are names of the config.

mod checks;
pub mod jwks;

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use prometheus::{
    Encoder as _, Gauge, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec,
    IntGauge, IntGaugeVec, Opts, Registry, TextEncoder, core::Collector,
    process_collector::ProcessCollector,
};

use crate::{
    check::decision::{Decision, Fault, Reason},
    jwks::fetch::FetchError,
    provider::Name,
    snapshot::Snapshot,
    telemetry::metrics::{
        checks::{Checks, Label},
        jwks::{JwksMetrics, ProviderSample},
    },
    token_cache::Content,
};

/// The metrics of one server.
pub struct Metrics {
    registry: Registry,
    checks: Checks,
    allowed: Histogram,
    answered: Histogram,
    denied: Histogram,
    fault: Histogram,
    route_policy_problems: IntCounterVec,
    /// The token cache's.
    pub token_cache: TokenCacheMetrics,
    jwks: JwksMetrics,
    config: ConfigMetrics,
    reading: Mutex<()>,
}

/// What the token cache counts.
pub struct TokenCacheMetrics {
    bytes: IntGauge,
    /// Tokens that were recalled.
    pub hits: IntCounter,
    /// Tokens that were not.
    pub misses: IntCounter,
    evictions: IntCounter,
}

struct ConfigMetrics {
    generation: IntGauge,
    info: IntGaugeVec,
    reloads: IntCounterVec,
    last_reload_successful: IntGauge,
    last_reload_success: Gauge,
}

impl Metrics {
    /// All of them, at zero.
    ///
    /// # Errors
    /// Only if two metrics here had the same name.
    pub fn new() -> Result<Self, prometheus::Error> {
        let new = Registered(Registry::new());
        new.0.register(Box::new(ProcessCollector::for_self()))?;
        let build = new.gauges(
            "claimgate_build_info",
            "1, with the version and revision as labels.",
            &["version", "revision"],
        )?;
        let revision = option_env!("CLAIMGATE_REVISION").unwrap_or("unknown");
        build.with_label_values(&[env!("CARGO_PKG_VERSION"), revision]).set(1);
        let duration = new.histogram("claimgate_check_duration_seconds", "Time of one check.")?;
        Ok(Self {
            checks: Checks::new(new.counters(
                "claimgate_checks_total",
                "Checks by their end.",
                &["outcome", "reason", "provider", "policy"],
            )?),
            allowed: duration.with_label_values(&["allowed"]),
            answered: duration.with_label_values(&["answered"]),
            denied: duration.with_label_values(&["denied"]),
            fault: duration.with_label_values(&["fault"]),
            route_policy_problems: new.counters(
                "claimgate_route_policy_problems_total",
                "Checks whose route metadata could not be followed.",
                &["problem"],
            )?,
            token_cache: TokenCacheMetrics::new(&new)?,
            jwks: JwksMetrics::new(&new)?,
            config: ConfigMetrics::new(&new)?,
            reading: Mutex::new(()),
            registry: new.0,
        })
    }

    /// Counts one check.
    pub fn checked(&self, decision: &Decision<'_>, took: Duration) {
        let outcome = Label::Text(decision.outcome());
        let reason = Label::Text(decision.reason().map_or("", |reason| reason.row().label));
        let none = Label::Text("");
        let provider = decision.provider().map_or(none, |provider| Label::Name(&provider.name));
        let policy = decision
            .policy()
            .map_or(none, |policy| policy.name.as_ref().map_or(Label::Text("inline"), Label::Name));
        self.checks.count([outcome, reason, provider, policy]);
        match decision {
            Decision::Allow(_) => self.allowed.observe(took.as_secs_f64()),
            Decision::Answer(_) => self.answered.observe(took.as_secs_f64()),
            Decision::Refuse(refuse) => match refuse.reason {
                Reason::Denied(_) => self.denied.observe(took.as_secs_f64()),
                Reason::Fault(fault) => {
                    self.fault.observe(took.as_secs_f64());
                    self.route_fault(fault);
                }
            },
        }
    }

    /// Counts names that one check did not find, whether others still worked or not.
    pub fn unknown_references(&self, count: usize) {
        if let Ok(count @ 1..) = u64::try_from(count) {
            self.route_policy_problems.with_label_values(&["unknown_reference"]).inc_by(count);
        }
    }

    fn route_fault(&self, fault: Fault) {
        if fault.is_of_the_route() {
            let problem = Reason::from(fault).row().label;
            self.route_policy_problems.with_label_values(&[problem]).inc();
        }
    }

    /// Counts one fetch for each provider that shares the set.
    pub fn jwks_fetched(&self, providers: &[Name], error: Option<FetchError>) {
        self.jwks.fetched(providers, error);
    }

    /// A config began to be served.
    pub fn applied(&self, snapshot: &Snapshot, unix: f64) {
        self.config.generation.set(i64::try_from(snapshot.generation).unwrap_or(i64::MAX));
        self.config.info.reset();
        self.config.info.with_label_values(&[snapshot.config_hash.as_str()]).set(1);
        self.config.last_reload_successful.set(1);
        self.config.last_reload_success.set(unix);
        self.config.reloads.with_label_values(&["success"]).inc();
    }

    /// A changed config could not be served.
    pub fn refused(&self) {
        self.config.last_reload_successful.set(0);
        self.config.reloads.with_label_values(&["failure"]).inc();
    }

    /// After a refusal the files are again what is served.
    pub fn restored(&self) {
        self.config.last_reload_successful.set(1);
    }

    /// The Prometheus text exposition format, version 0.0.4, with what is read now:
    /// the gauges of `samples` and the token cache.
    #[must_use]
    pub fn text(&self, samples: &[ProviderSample<'_>], tokens: Content) -> String {
        // Two readers at once would otherwise count a sample twice, or miss it.
        let _one = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        self.jwks.sample(samples);
        self.token_cache.holds(tokens);
        let mut text = Vec::new();
        // Writing to memory fails only for a metric without samples, which gather leaves out.
        let _ = TextEncoder::new().encode(&self.registry.gather(), &mut text);
        String::from_utf8(text).unwrap_or_default()
    }
}

impl TokenCacheMetrics {
    fn holds(&self, Content { bytes, evicted }: Content) {
        self.bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
        // A counter never falls.
        self.evictions.inc_by(evicted.saturating_sub(self.evictions.get()));
    }

    fn new(new: &Registered) -> Result<Self, prometheus::Error> {
        Ok(Self {
            bytes: new.gauge("claimgate_token_cache_bytes", "Size of the token cache.")?,
            hits: new.counter("claimgate_token_cache_hits_total", "Tokens recalled.")?,
            misses: new.counter("claimgate_token_cache_misses_total", "Tokens not recalled.")?,
            evictions: new
                .counter("claimgate_token_cache_evictions_total", "Tokens dropped for room.")?,
        })
    }
}

impl ConfigMetrics {
    fn new(new: &Registered) -> Result<Self, prometheus::Error> {
        Ok(Self {
            generation: new
                .gauge("claimgate_config_generation", "Configs served by this process.")?,
            info: new.gauges("claimgate_config_info", "1, with the config's hash.", &["hash"])?,
            reloads: new.counters(
                "claimgate_config_reloads_total",
                "Loads by result.",
                &["result"],
            )?,
            last_reload_successful: new.gauge(
                "claimgate_config_last_reload_successful",
                "1 if the newest load was good.",
            )?,
            last_reload_success: new.register(Gauge::new(
                "claimgate_config_last_reload_success_timestamp_seconds",
                "Unix time of the newest good load.",
            )?)?,
        })
    }
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
