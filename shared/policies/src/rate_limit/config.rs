//! Configuration of `rate-limit`.

use schemars::JsonSchema;
use serde::Deserialize;
use tidegate_policy::Window;

use crate::configuration::null_as_default;
use crate::counting::{ErrorStrategy, PeriodUnit, WindowConfig};

/// Limits how many requests pass in seconds or minutes.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RateLimitConfig {
    /// Whether edges count by themselves and merge their counters in the background.
    #[serde(default, rename = "async", deserialize_with = "null_as_default")]
    #[schemars(with = "Option<bool>")]
    pub is_async: bool,
    /// Whether the response tells limit, remaining requests and the end of the window.
    #[serde(default, deserialize_with = "null_as_default")]
    #[schemars(with = "Option<bool>")]
    pub add_headers: bool,
    /// What happens to a request that nobody can count.
    #[serde(default, deserialize_with = "null_as_default")]
    #[schemars(with = "Option<ErrorStrategy>")]
    pub error_strategy: ErrorStrategy,
    /// The limit and its window.
    pub rate: WindowConfig<ShortUnit>,
}

/// A unit of a short period.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "UPPERCASE")]
pub enum ShortUnit {
    /// Seconds.
    #[default]
    Seconds,
    /// Minutes.
    Minutes,
}

impl PeriodUnit for ShortUnit {
    const COMPUTED: Self = Self::Seconds;

    fn name(self) -> &'static str {
        match self {
            Self::Seconds => "SECONDS",
            Self::Minutes => "MINUTES",
        }
    }

    fn window(self, time: u64) -> Option<Window> {
        self.millis(time).map(Window::Millis)
    }
}

impl ShortUnit {
    /// The length of `time` units in milliseconds.
    pub(crate) fn millis(self, time: u64) -> Option<u64> {
        time.checked_mul(match self {
            Self::Seconds => 1_000,
            Self::Minutes => 60_000,
        })
    }
}
