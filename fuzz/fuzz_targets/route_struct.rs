//! Any bytes as the Struct that a route carries: no panic, and present means chosen.
#![no_main]

use std::sync::LazyLock;

use claimgate::{check::route, grpc::decode, snapshot::Snapshot};
use claimgate_fuzz::snapshot;

static SNAPSHOT: LazyLock<Snapshot> = LazyLock::new(snapshot);

/// A field of wire type 2.
fn field(number: u32, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for mut varint in [u64::from(number << 3 | 2), content.len() as u64] {
        while varint >= 0x80 {
            out.push(varint as u8 | 0x80);
            varint >>= 7;
        }
        out.push(varint as u8);
    }
    out.extend_from_slice(content);
    out
}

libfuzzer_sys::fuzz_target!(|structure: &[u8]| {
    // CheckRequest.attributes.route_metadata_context.filter_metadata["claimgate"].
    let entry = [field(1, b"claimgate"), field(2, structure)].concat();
    let metadata = field(1, &entry);
    let request = field(1, &field(13, &metadata));
    let Ok(view) = decode::check_request(&request, "claimgate") else { return };
    assert!(view.route.filter.is_some(), "an entry that is there counts");
    let resolved = route::resolve(&view, &SNAPSHOT);
    if structure.is_empty() {
        assert!(resolved.policy.is_err(), "an empty one is no default");
    }
    for unknown in resolved.unknown {
        assert!(!unknown.name.is_empty());
    }
});
