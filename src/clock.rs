//! The only reader of clocks: everything else is given a [`Now`].
//!
//! It does not decide anything; claims are compared with `unix`, schedules with `mono`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// One reading of both clocks, taken once per check.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Now {
    /// Seconds since the Unix epoch, with fractions. Claims (`exp`, `nbf`, `iat`) use it.
    pub unix: f64,
    /// The monotonic clock. Ages and schedules use it.
    pub mono: Mono,
}

/// A point on the monotonic clock, as time since an arbitrary start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mono(pub Duration);

impl Mono {
    /// The time since `earlier`; zero if `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    /// This point moved on by `by`.
    #[must_use]
    pub fn after(self, by: Duration) -> Self {
        Self(self.0.saturating_add(by))
    }

    /// This point moved back by `by`.
    #[must_use]
    pub fn before(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(by))
    }
}

/// The clocks of one process. Cloning keeps the start of the monotonic clock.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: tokio::time::Instant,
}

impl Clock {
    /// A clock whose monotonic time starts now.
    ///
    /// The monotonic half follows tokio's clock, so that a paused runtime pauses it too.
    #[must_use]
    pub fn start() -> Self {
        Self { start: tokio::time::Instant::now() }
    }

    /// The wall clock, for people.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads clocks")]
    pub fn wall(&self) -> SystemTime {
        SystemTime::now()
    }

    /// Reads both clocks.
    #[must_use]
    pub fn now(&self) -> Now {
        // A wall clock before 1970 reads as 0: every token is then not yet valid.
        let unix = self.wall().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        Now { unix, mono: self.mono() }
    }

    /// Reads the monotonic clock alone.
    #[must_use]
    pub fn mono(&self) -> Mono {
        Mono(PAST + self.start.elapsed())
    }
}

/// A century: what was fetched before the process started has a place on its clock too.
const PAST: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
