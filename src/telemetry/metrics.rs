//! Every metric: its name, labels and help in one place.
//!
//! No label takes a value that a client controls: providers and policies are names of the config.

mod checks;
pub mod jwks;
mod tally;

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use prometheus::{
    Encoder as _, Gauge, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder, core::Collector, process_collector::ProcessCollector,
};

use crate::{
    check::decision::{Decision, Fault, Reason},
    jwks::fetch::FetchError,
    provider::Name,
    snapshot::Snapshot,
    telemetry::metrics::{
        checks::{Checks, Label, raise},
        jwks::{JwksMetrics, ProviderSample},
        tally::Tallies,
    },
    token_cache::Content,
};

/// The metrics of one server.
pub struct Metrics {
    registry: Registry,
    checks: Checks,
    tallies: Tallies,
    route_policy_problems: IntCounterVec,
    token_cache: TokenCacheMetrics,
    jwks: JwksMetrics,
    config: ConfigMetrics,
    reading: Mutex<()>,
}

struct TokenCacheMetrics {
    bytes: IntGauge,
    hits: IntCounter,
    misses: IntCounter,
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
        Ok(Self {
            checks: Checks::new(new.counters(
                "claimgate_checks_total",
                "Checks by their end.",
                &["outcome", "reason", "provider", "policy"],
            )?),
            tallies: Tallies::default(),
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
        self.checks.count([outcome, reason, provider, policy], &self.tallies);
        self.tallies.own().took(decision.outcome(), took);
        if let Some(Reason::Fault(fault)) = decision.reason() {
            self.route_fault(fault);
        }
    }

    /// Counts a token that was recalled, or was not.
    pub fn recalled(&self, known: bool) {
        let tally = self.tallies.own();
        if known { tally.hits.add(1) } else { tally.misses.add(1) }
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
        self.token_cache.sample(&self.tallies, tokens);
        self.checks.add_up(&self.tallies);
        let mut families = self.registry.gather();
        let durations = "claimgate_check_duration_seconds";
        families.push(self.tallies.durations(durations, "Time of one check."));
        let mut text = Vec::new();
        // Writing to memory fails only for a metric without samples, which gather leaves out.
        let _ = TextEncoder::new().encode(&families, &mut text);
        String::from_utf8(text).unwrap_or_default()
    }
}

impl TokenCacheMetrics {
    fn sample(&self, tallies: &Tallies, Content { bytes, evicted }: Content) {
        self.bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
        raise(&self.hits, tallies.sum(|tally| Some(&tally.hits)));
        raise(&self.misses, tallies.sum(|tally| Some(&tally.misses)));
        raise(&self.evictions, evicted);
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
}
