//! Every target in one executable, so that the hub is linked once: `JIMING_FUZZ` names the one that runs.
#![no_main]

use std::sync::LazyLock;

static TARGET: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let name = std::env::var("JIMING_FUZZ").unwrap_or_default();
    fuzz::target(&name).unwrap_or_else(|| panic!("JIMING_FUZZ names no target: `{name}`"))
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| TARGET(data));
