//! Named places at which a test can make the process die, as a power cut would.

#[cfg(not(test))]
pub(crate) fn reach(_name: &str) {}

/// Aborts when the environment asks for a crash at this place.
#[cfg(test)]
pub(crate) fn reach(name: &str) {
    if std::env::var(VARIABLE).is_ok_and(|wanted| wanted == name) {
        std::process::abort();
    }
}

/// The environment variable a re-executed test binary is told its crash point with.
#[cfg(test)]
pub(crate) const VARIABLE: &str = "TIDEGATE_TEST_CRASH_POINT";
