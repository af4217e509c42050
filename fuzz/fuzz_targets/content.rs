#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| entremise_fuzz::content(data));
