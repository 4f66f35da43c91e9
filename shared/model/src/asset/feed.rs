//! Feeds: key-value pairs that are fetched from elsewhere by a schedule, for dictionaries and properties of APIs.
//!
//! Source: `gravitee-v4.md` §1.4 and `messages-secrets-telemetry.md` §6.

use serde_json::Value;

use crate::{
    api::Service,
    limits,
    read::{At, Findings, Label},
    schedule::Schedule,
    violation::Violation,
};

/// The service that fills properties of an API.
pub const HTTP_DYNAMIC_PROPERTIES: &str = "http-dynamic-properties";
/// How often properties are fetched when the service names no schedule.
const SCHEDULE_DEFAULT: &str = "*/30 * * * * *";
/// Most headers of one call.
const HEADERS_MAX: usize = 50;

/// Where pairs come from, and when.
#[derive(Clone, PartialEq)]
pub struct Feed {
    /// URL, `http` or `https`.
    pub url: String,
    /// Method, upper case.
    pub method: String,
    /// Headers of the call, in order.
    pub headers: Vec<(String, String)>,
    /// Body of the call; may be empty.
    pub body: String,
    /// JOLT specification that makes a list of `{key, value}` of the answer; `None` for an answer that is one.
    pub transformation: Option<Value>,
    /// Whether the call goes through the proxy of the machine.
    pub uses_system_proxy: bool,
    /// When it is fetched.
    pub schedule: FeedSchedule,
}

/// When a feed is fetched.
#[derive(Clone, Debug, PartialEq)]
pub enum FeedSchedule {
    /// Again after so many milliseconds.
    EveryMs(u64),
    /// By a cron expression.
    At(Box<Schedule>),
}

impl FeedSchedule {
    /// The next time after `ms` milliseconds since 1970.
    #[must_use]
    pub fn next_after(&self, ms: u64) -> Option<u64> {
        match self {
            Self::EveryMs(period) => ms.checked_add(*period),
            Self::At(schedule) => schedule.next_after(ms),
        }
    }
}

/// URL, headers and body may hold credentials.
impl std::fmt::Debug for Feed {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Feed")
            .field("schedule", &self.schedule)
            .finish_non_exhaustive()
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Unit {
    Milliseconds,
    Seconds,
    Minutes,
    Hours,
    Days,
}

impl Label for Unit {
    const LABELS: &'static [(&'static str, Self)] = &[
        ("milliseconds", Self::Milliseconds),
        ("seconds", Self::Seconds),
        ("minutes", Self::Minutes),
        ("hours", Self::Hours),
        ("days", Self::Days),
    ];
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct HttpProvider;

impl Label for HttpProvider {
    const LABELS: &'static [(&'static str, Self)] = &[("http", Self)];
}

impl Feed {
    /// Shortest time between two fetches.
    pub const PERIOD_MIN_MS: u64 = 1_000;

    /// The feed of a dynamic dictionary: its `provider` and `trigger`.
    pub(super) fn of_dictionary(at: &At<'_>) -> Option<Self> {
        for name in ["provider", "trigger"] {
            if at.member(name).is_none() {
                at.missing(name, "an object: the dictionary is dynamic");
            }
        }
        let (provider, trigger) = (at.member("provider")?, at.member("trigger")?);
        provider.label("type", HttpProvider);
        let configuration = provider.member("configuration");
        let configuration = configuration.or_else(|| {
            provider.missing("configuration", "an object");
            None
        })?;
        let unit = match trigger.label("unit", Unit::Seconds) {
            Unit::Milliseconds => 1,
            Unit::Seconds => 1_000,
            Unit::Minutes => 60_000,
            Unit::Hours => 3_600_000,
            Unit::Days => 86_400_000,
        };
        let rate = trigger.natural("rate", (1, 1_000_000), 1);
        let period = u64::from(rate) * unit;
        if period < Self::PERIOD_MIN_MS
            && let Some(rate) = trigger.member("rate")
        {
            rate.fail("at least a second");
        }
        Some(Self::read(
            &configuration,
            FeedSchedule::EveryMs(period),
            "specification",
            "useSystemProxy",
        ))
    }

    /// The feed of an API's dynamic properties; `None` when the service does not run.
    ///
    /// # Errors
    /// Lists what is wrong, by place in the service.
    pub fn of_service(service: &Service) -> Result<Option<Self>, Vec<Violation>> {
        if !service.enabled {
            return Ok(None);
        }
        let findings = Findings::default();
        let whole = At::root(&service.configuration, &findings);
        if service.kind != HTTP_DYNAMIC_PROPERTIES {
            findings.report_text("type", &service.kind, HTTP_DYNAMIC_PROPERTIES);
        }
        let at = At::new(whole.value(), "configuration", &findings);
        let text = at.text("schedule", limits::SHORT_TEXT);
        let schedule = Schedule::parse(text.as_deref().unwrap_or(SCHEDULE_DEFAULT));
        let schedule = match schedule {
            Ok(schedule) => FeedSchedule::At(Box::new(schedule)),
            Err(error) => {
                if let Some(member) = at.member("schedule") {
                    member.fail(format!("six fields such as {SCHEDULE_DEFAULT:?} ({error})"));
                }
                FeedSchedule::EveryMs(30_000)
            }
        };
        let feed = Self::read(&at, schedule, "transformation", "systemProxy");
        findings.finish(Some(feed))
    }

    fn read(at: &At<'_>, schedule: FeedSchedule, specification: &str, proxy: &str) -> Self {
        let url = at.required_text("url", limits::URL);
        let is_http = ["http://", "https://"]
            .iter()
            .any(|scheme| url.to_ascii_lowercase().starts_with(scheme));
        if !is_http && let Some(member) = at.member("url") {
            member.fail("a URL of http or https");
        }
        let method = at.text("method", limits::SHORT_TEXT);
        let method = method.unwrap_or_else(|| "GET".to_owned());
        Self {
            url,
            method: method.to_ascii_uppercase(),
            headers: headers(at),
            body: at.text("body", limits::LONG_TEXT).unwrap_or_default(),
            transformation: transformation(at, specification),
            uses_system_proxy: at.flag(proxy, false),
            schedule,
        }
    }
}

fn headers(at: &At<'_>) -> Vec<(String, String)> {
    let headers = at.list("headers", HEADERS_MAX);
    let header = |at: &At<'_>| {
        at.members()?;
        let name = at.required_text("name", limits::SHORT_TEXT);
        let value = at.text("value", limits::LONG_TEXT).unwrap_or_default();
        Some((name, value))
    };
    headers.iter().filter_map(header).collect()
}

/// A JOLT specification: a list, or one as JSON in a text as the console writes it.
fn transformation(at: &At<'_>, name: &str) -> Option<Value> {
    let member = at.member(name)?;
    match member.value() {
        Value::String(text) if text.trim().is_empty() => None,
        Value::String(text) => match serde_json::from_str(text) {
            Ok(specification) => Some(specification),
            Err(error) => {
                member.fail(format!("a JOLT specification, which is JSON: {error}"));
                None
            }
        },
        specification => Some(specification.clone()),
    }
}
