//! Any bytes as a CheckRequest: no panic, and an answer that Envoy cannot take for another.
#![no_main]

use std::sync::LazyLock;

use claimgate::{
    check::{
        self, Backing, Progress,
        decision::{Decision, Denial, Refuse},
    },
    grpc::{decode, encode},
    snapshot::Snapshot,
};
use claimgate_fuzz::{Offline, now, snapshot};
use envoy_types::pb::envoy::service::auth::v3::{CheckResponse, check_response::HttpResponse};
use prost::Message as _;

static SNAPSHOT: LazyLock<Snapshot> = LazyLock::new(snapshot);

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut backing = Backing::default();
    let decision = match decode::check_request(bytes, "claimgate") {
        Ok(view) => {
            let Progress::Done(decision, _) =
                check::decide(&view, &SNAPSHOT, &Offline, now(), &mut backing);
            decision
        }
        Err(_) => Decision::Refuse(Refuse::without_policy(Denial::RequestMalformed.into())),
    };
    let answer = encode::check_response(&decision, &SNAPSHOT.owned_headers);
    let answer = CheckResponse::decode(answer.as_slice()).expect("a CheckResponse");
    let code = answer.status.expect("an unset status allows").code;
    match answer.http_response.expect("always set") {
        HttpResponse::OkResponse(ok) => {
            assert_eq!((code, decision.outcome()), (0, "allowed"));
            // Nobody can sign for the config's key, so nobody has claims.
            assert!(ok.headers.is_empty());
            assert!(ok.headers_to_remove.iter().any(|name| name == "x-auth-subject"));
        }
        HttpResponse::DeniedResponse(denied) => {
            assert!(code != 0 && decision.outcome() != "allowed");
            assert!(denied.status.expect("a status").code >= 400);
        }
        HttpResponse::ErrorResponse(_) => panic!("an error may fail open"),
    }
});
