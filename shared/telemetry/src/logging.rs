//! The tracing subscriber every program installs first.

use std::{io, str::FromStr};

use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _};

/// Environment variable that overrides the default filter, in `tracing` directive syntax.
const FILTER_VARIABLE: &str = "TIDEGATE_LOG";

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// One human-readable line per event.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// The format is neither `text` nor `json`.
    #[error("unknown log format {0:?}, expected \"text\" or \"json\"")]
    UnknownFormat(String),
    /// The filter directive does not parse.
    #[error("invalid log filter {filter:?}")]
    InvalidFilter {
        /// The directive as given.
        filter: String,
        /// What the parser said.
        #[source]
        source: tracing_subscriber::filter::ParseError,
    },
    /// A subscriber is already installed.
    #[error("a log subscriber is already installed")]
    AlreadyInstalled(#[source] tracing_subscriber::util::TryInitError),
}

impl FromStr for LogFormat {
    type Err = LoggingError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            other => Err(LoggingError::UnknownFormat(other.to_owned())),
        }
    }
}

/// Installs the global subscriber; lines go to standard error.
///
/// `default_filter` applies unless the variable `TIDEGATE_LOG` is set.
///
/// # Errors
/// Fails if the filter does not parse or a subscriber exists already.
pub fn init(format: LogFormat, default_filter: &str) -> Result<(), LoggingError> {
    let filter = std::env::var(FILTER_VARIABLE).unwrap_or_else(|_| default_filter.to_owned());
    let filter = EnvFilter::try_new(&filter).map_err(|source| LoggingError::InvalidFilter {
        filter: filter.clone(),
        source,
    })?;
    let registry = tracing_subscriber::registry().with(filter);
    match format {
        LogFormat::Text => registry
            .with(fmt::layer().with_writer(io::stderr).with_ansi(false))
            .try_init(),
        LogFormat::Json => registry
            .with(fmt::layer().json().with_writer(io::stderr))
            .try_init(),
    }
    .map_err(LoggingError::AlreadyInstalled)
}
