//! Configuration of `quota`.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};
use tidegate_policy::Window;

use crate::configuration::null_as_default;
use crate::counting::{ErrorStrategy, PeriodUnit, WindowConfig};

/// Limits how many requests pass in hours, days, weeks or months.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct QuotaConfig {
    /// Whether edges count by themselves and merge their counters in the background.
    #[serde(default, rename = "async", deserialize_with = "null_as_default")]
    #[schemars(with = "Option<bool>")]
    pub is_async: bool,
    /// Whether the response tells limit, remaining requests and the end of the window; on if nothing is said.
    #[serde(default = "yes", deserialize_with = "null_as_yes")]
    #[schemars(with = "Option<bool>")]
    pub add_headers: bool,
    /// What happens to a request that nobody can count.
    #[serde(default, deserialize_with = "null_as_default")]
    #[schemars(with = "Option<ErrorStrategy>")]
    pub error_strategy: ErrorStrategy,
    /// The limit and its window.
    pub quota: WindowConfig<LongUnit>,
}

fn yes() -> bool {
    true
}

fn null_as_yes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(true))
}

/// A unit of a long period. All but hours follow the calendar of the node's time zone.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "UPPERCASE")]
pub enum LongUnit {
    /// Hours.
    Hours,
    /// Days.
    Days,
    /// Weeks.
    Weeks,
    /// Months.
    #[default]
    Months,
}

impl PeriodUnit for LongUnit {
    const COMPUTED: Self = Self::Hours;

    fn name(self) -> &'static str {
        match self {
            Self::Hours => "HOURS",
            Self::Days => "DAYS",
            Self::Weeks => "WEEKS",
            Self::Months => "MONTHS",
        }
    }

    fn window(self, time: u64) -> Option<Window> {
        let calendar = |factor: u32| u32::try_from(time).ok()?.checked_mul(factor);
        match self {
            Self::Hours => time.checked_mul(3_600_000).map(Window::Millis),
            Self::Days => calendar(1).map(Window::Days),
            Self::Weeks => calendar(7).map(Window::Days),
            Self::Months => calendar(1).map(Window::Months),
        }
    }
}
