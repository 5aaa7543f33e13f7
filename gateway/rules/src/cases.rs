//! How many cases the properties of these rules take.

use proptest::test_runner::Config;

/// What proptest takes where nobody asks for another number.
const NOBODY_ASKED: u32 = 256;

/// So many cases, or as many as `PROPTEST_CASES` asks for, which proptest itself reads.
pub(crate) fn cases(usual: u32) -> Config {
    let config = Config::default();
    let asked = config.cases != NOBODY_ASKED;
    Config { cases: if asked { config.cases } else { usual }, ..config }
}
