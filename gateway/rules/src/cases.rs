//! How many cases the properties of these rules take.

use proptest::test_runner::Config;

/// So many cases, or as many as the environment asks for (`PROPTEST_CASES`).
pub(crate) fn cases(usual: u32) -> Config {
    let config = Config::default();
    let is_asked = std::env::var_os("PROPTEST_CASES").is_some();
    Config { cases: if is_asked { config.cases } else { usual }, ..config }
}
