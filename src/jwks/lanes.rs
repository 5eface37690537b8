//! How many fetches run at once: issuers that fail are in nobody's way, and no host is crowded.
//!
//! It does not fetch and does not know when anything is due.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::url;

/// How a place's newest fetch went: each has a lane of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lane {
    /// None has finished yet.
    New,
    /// It gave a usable set.
    Healthy,
    /// It failed.
    Failing,
}

/// The lanes of one process.
#[derive(Debug)]
pub struct Lanes {
    new: Arc<Semaphore>,
    healthy: Arc<Semaphore>,
    failing: Arc<Semaphore>,
    hosts: Mutex<HashMap<String, Weak<Host>>>,
}

/// What runs to one scheme, host and port.
#[derive(Debug)]
struct Host {
    any: Arc<Semaphore>,
    failing: Arc<Semaphore>,
}

/// The right to fetch once, until it is dropped.
#[derive(Debug)]
pub struct Turn {
    _permits: Vec<OwnedSemaphorePermit>,
    _host: Arc<Host>,
}

impl Default for Lanes {
    fn default() -> Self {
        let lane = |width| Arc::new(Semaphore::new(width));
        Self {
            new: lane(LANE),
            healthy: lane(LANE),
            failing: lane(FAILING_LANE),
            hosts: Mutex::default(),
        }
    }
}

impl Lanes {
    /// Waits for a turn to fetch `url`.
    pub async fn turn(&self, lane: Lane, url: &str) -> Turn {
        let host = self.host(url);
        let (in_lane, of_host) = match lane {
            Lane::New => (&self.new, None),
            Lane::Healthy => (&self.healthy, None),
            Lane::Failing => (&self.failing, Some(&host.failing)),
        };
        // The host first: those that wait for a crowded one take no room in the lane.
        let gates = of_host.into_iter().chain([&host.any, in_lane]);
        let mut permits = Vec::with_capacity(3);
        for gate in gates {
            // Nobody closes them.
            permits.extend(gate.clone().acquire_owned().await.ok());
        }
        Turn { _permits: permits, _host: host }
    }

    fn host(&self, url: &str) -> Arc<Host> {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let origin = url::origin(url).to_ascii_lowercase();
        if let Some(host) = hosts.get(&origin).and_then(Weak::upgrade) {
            return host;
        }
        hosts.retain(|_, host| host.strong_count() > 0);
        let host = Arc::new(Host {
            any: Arc::new(Semaphore::new(PER_HOST)),
            failing: Arc::new(Semaphore::new(FAILING_PER_HOST)),
        });
        hosts.insert(origin, Arc::downgrade(&host));
        host
    }
}

/// Fetches of new places, and of healthy ones.
const LANE: usize = 64;
/// Fetches of failing places: each may take the whole of its time-out.
const FAILING_LANE: usize = 32;
const PER_HOST: usize = 2;
/// One that hangs leaves the other turn to places of its host that are healthy.
const FAILING_PER_HOST: usize = 1;

#[cfg(test)]
mod tests {
    use std::future::Future;

    use super::*;

    async fn is_pending(turn: impl Future<Output = Turn>) -> bool {
        tokio::time::timeout(std::time::Duration::from_secs(1), turn).await.is_err()
    }

    async fn fill(lanes: &Lanes, lane: Lane, count: usize) -> Vec<Turn> {
        let mut turns = Vec::new();
        for n in 0..count {
            turns.push(lanes.turn(lane, &format!("https://{lane:?}-{n}/")).await);
        }
        turns
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_lane_stops_nobody_in_another() {
        let lanes = Lanes::default();
        let mut failing = fill(&lanes, Lane::Failing, FAILING_LANE).await;
        assert!(is_pending(lanes.turn(Lane::Failing, "https://x")).await);
        let new = fill(&lanes, Lane::New, LANE).await;
        assert!(is_pending(lanes.turn(Lane::New, "https://x")).await);
        let healthy = fill(&lanes, Lane::Healthy, LANE).await;
        assert!(is_pending(lanes.turn(Lane::Healthy, "https://x")).await);
        failing.pop();
        assert!(!is_pending(lanes.turn(Lane::Failing, "https://x")).await);
        drop((new, healthy));
    }

    #[tokio::test(start_paused = true)]
    async fn a_host_is_asked_twice_at_once_at_most() {
        let lanes = Lanes::default();
        let first = lanes.turn(Lane::Healthy, "https://idp/a").await;
        let second = lanes.turn(Lane::New, "https://IDP/b?x").await;
        assert!(is_pending(lanes.turn(Lane::Healthy, "https://idp/c")).await);
        assert!(!is_pending(lanes.turn(Lane::Healthy, "https://idp:8443/c")).await);
        drop(first);
        assert!(!is_pending(lanes.turn(Lane::Healthy, "https://idp/c")).await);
        drop(second);
        lanes.turn(Lane::Healthy, "https://else/").await;
        assert_eq!(lanes.hosts.lock().unwrap().len(), 1, "hosts without fetches are forgotten");
    }

    #[tokio::test(start_paused = true)]
    async fn what_fails_leaves_room_at_its_host_for_what_does_not() {
        let lanes = Lanes::default();
        let _hangs = lanes.turn(Lane::Failing, "https://idp/a").await;
        assert!(is_pending(lanes.turn(Lane::Failing, "https://idp/b")).await);
        assert!(!is_pending(lanes.turn(Lane::Healthy, "https://idp/c")).await);
    }

    #[tokio::test(start_paused = true)]
    async fn those_that_wait_for_a_host_take_no_room_in_the_lane() {
        let lanes = Arc::new(Lanes::default());
        let _hang =
            (lanes.turn(Lane::New, "https://h").await, lanes.turn(Lane::New, "https://h").await);
        let waiting: Vec<_> = (0..2 * LANE)
            .map(|_| {
                let lanes = lanes.clone();
                tokio::spawn(async move { lanes.turn(Lane::New, "https://h").await })
            })
            .collect();
        tokio::task::yield_now().await;
        assert!(!is_pending(lanes.turn(Lane::New, "https://x")).await);
        waiting.iter().for_each(tokio::task::JoinHandle::abort);
    }
}
