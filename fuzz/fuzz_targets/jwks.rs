//! Any bytes as a key set: no panic, bounds kept, no symmetric key from the network.
#![no_main]

use claimgate::jwks::{
    key::{KeyKind, Origin},
    key_set::{KeySet, MAX_SET_KEYS},
};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    for origin in [Origin::Network, Origin::Local] {
        let Ok((set, skipped)) = KeySet::parse(bytes, origin) else { continue };
        assert!(set.iter().len() > 0 && set.iter().len() + skipped.len() <= MAX_SET_KEYS);
        for key in set.iter() {
            assert!(origin == Origin::Local || key.kind != KeyKind::Oct);
            for algorithm in key.algorithms() {
                assert!(!key.verifies(algorithm, b"message", b"no signature"));
                assert_eq!(algorithm.is_symmetric(), key.kind == KeyKind::Oct);
            }
        }
    }
});
