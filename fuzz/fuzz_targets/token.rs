//! Any text as a token: no panic, no allow, and `explain` gives the reason that `serve` gives.
#![no_main]

use std::sync::LazyLock;

use claimgate::{
    check::{
        self, Backing, Progress,
        observe::Report,
        request::{CheckView, Headers, HttpView, RouteSources},
        token::{Envelope, Jws},
    },
    snapshot::Snapshot,
};
use claimgate_fuzz::{Offline, now, snapshot};

static SNAPSHOT: LazyLock<Snapshot> = LazyLock::new(snapshot);

libfuzzer_sys::fuzz_target!(|text: &str| {
    if Jws::parse(text).is_ok() {
        assert!(Envelope::parse(text).is_ok(), "a token has an envelope");
    }
    let value = format!("Bearer {text}");
    let headers = Headers(vec![("authorization", value.as_bytes())]);
    let http = HttpView { headers, ..HttpView::default() };
    let view = CheckView { http, route: RouteSources::default() };
    let mut backing = Backing::default();
    let Progress::Done(served, _) = check::decide(&view, &SNAPSHOT, &Offline, now(), &mut backing);
    assert_ne!(served.outcome(), "allowed");
    let mut report = Report::assuming(SNAPSHOT.provider("a").cloned());
    let mut backing = Backing::default();
    let to = (&mut backing, &mut report);
    let explained = check::explain(text, &view, &SNAPSHOT, &Offline, now(), to);
    let Progress::Done(explained, _) = explained;
    assert_ne!(explained.outcome(), "allowed");
    if check::credential::is_token68(text) {
        assert_eq!(served.reason(), explained.reason());
    }
});
