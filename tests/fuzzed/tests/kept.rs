//! Every input that is kept runs on any toolchain, without a fuzzer.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test says plainly what it expects")]

use std::fs;
use std::path::PathBuf;

use evscribe_fuzzed::TARGETS;

/// The files of `fuzz/<kind>/<target>`, sorted.
fn kept(kind: &str, target: &str) -> Vec<PathBuf> {
    let directory = format!("{}/../../fuzz/{kind}/{target}", env!("CARGO_MANIFEST_DIR"));
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

#[test]
fn seeds_and_earlier_findings_hold_what_is_promised() {
    for (name, target) in TARGETS {
        let seeds = kept("corpus", name);
        assert!(!seeds.is_empty(), "{name} has no seeds");
        for path in seeds.into_iter().chain(kept("findings", name)) {
            // Which input it was stands above the panic's own words.
            println!("{}", path.display());
            target(&fs::read(path).unwrap());
        }
    }
}

#[test]
fn no_input_is_kept_that_no_target_reads() {
    for kind in ["corpus", "findings"] {
        let root = format!("{}/../../fuzz/{kind}", env!("CARGO_MANIFEST_DIR"));
        for entry in fs::read_dir(root).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            assert!(TARGETS.iter().any(|(target, _)| *target == name), "{kind}/{name}");
        }
    }
}
