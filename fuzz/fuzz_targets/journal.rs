#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| evscribe_fuzzed::journal(data));
