#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| deis_router::fuzzing::target("firewall")(bytes));
