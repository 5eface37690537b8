//! Any bytes as a config file: no panic, and either a config or problems with places.
#![no_main]

use std::path::Path;

use claimgate::config::{compile::compile, file::ConfigFile};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let file = ConfigFile::read(Path::new("c.yaml"), bytes);
    if let Err(problems) = compile(&[file], &Default::default(), &Default::default()) {
        let text = problems.to_string();
        assert!(text.lines().next().is_some_and(|line| line.starts_with("c.yaml:")), "{text}");
    }
});
