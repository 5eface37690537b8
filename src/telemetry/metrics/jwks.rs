//! The metrics of key sets: counted at each fetch, sampled when `/metrics` is read.

use prometheus::{GaugeVec, IntCounterVec, IntGaugeVec, Opts};

use crate::{
    jwks::{fetch::FetchError, state::ProviderState},
    provider::Name,
    telemetry::metrics::Registered,
};

pub(super) struct JwksMetrics {
    fetches: IntCounterVec,
    suppressed: IntCounterVec,
    keys: IntGaugeVec,
    last_success: GaugeVec,
    failures: IntGaugeVec,
    tls_verification_disabled: IntGaugeVec,
    providers: IntGaugeVec,
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

impl JwksMetrics {
    pub(super) fn new(new: &Registered) -> Result<Self, prometheus::Error> {
        let provider = &["provider"];
        Ok(Self {
            fetches: new.counters(
                "claimgate_jwks_fetches_total",
                "JWKS fetches by result.",
                &["provider", "result"],
            )?,
            suppressed: new.counters(
                "claimgate_jwks_refresh_suppressed_total",
                "Refreshes that the cool-down prevented.",
                provider,
            )?,
            keys: new.gauges("claimgate_jwks_keys", "Usable keys.", provider)?,
            last_success: new.register(GaugeVec::new(
                Opts::new(
                    "claimgate_jwks_last_success_timestamp_seconds",
                    "Unix time of the newest successful fetch.",
                ),
                provider,
            )?)?,
            failures: new.gauges(
                "claimgate_jwks_consecutive_failures",
                "Failed fetches since the last success.",
                provider,
            )?,
            tls_verification_disabled: new.gauges(
                "claimgate_tls_verification_disabled",
                "1 where skip_tls_verification is on.",
                provider,
            )?,
            providers: new.gauges("claimgate_providers", "Providers by state.", &["state"])?,
        })
    }

    /// Counts one fetch for each provider that shares the set.
    pub(super) fn fetched(&self, providers: &[Name], error: Option<FetchError>) {
        let result = error.map_or("success", FetchError::label);
        for provider in providers {
            self.fetches.with_label_values(&[provider.as_str(), result]).inc();
        }
    }

    /// Providers that are gone leave no series behind.
    pub(super) fn sample(&self, samples: &[ProviderSample<'_>]) {
        self.keys.reset();
        self.failures.reset();
        self.last_success.reset();
        self.suppressed.reset();
        self.tls_verification_disabled.reset();
        for state in ProviderState::ALL {
            let count = samples.iter().filter(|sample| sample.state == state).count();
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            self.providers.with_label_values(&[state.label()]).set(count);
        }
        for sample in samples {
            let name = [sample.name];
            self.keys.with_label_values(&name).set(sample.keys);
            if sample.skips_tls_verification {
                self.tls_verification_disabled.with_label_values(&name).set(1);
            }
            let Some(fetches) = &sample.fetches else { continue };
            self.failures.with_label_values(&name).set(fetches.consecutive_failures.into());
            self.suppressed.with_label_values(&name).inc_by(fetches.suppressed);
            if let Some(unix) = fetches.last_success_unix {
                self.last_success.with_label_values(&name).set(unix);
            }
        }
    }
}
