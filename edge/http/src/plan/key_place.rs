//! Where a client puts its API key.

use http::HeaderName;
use tidegate_expression::Text;
use tidegate_policies::api_key::ApiKeyConfig;
use tidegate_policy::{ConfigError, RequestFacts};

/// Default header of an API key.
const DEFAULT_HEADER: HeaderName = HeaderName::from_static("x-gravitee-api-key");

/// Default query parameter of an API key.
const DEFAULT_PARAMETER: &str = "api-key";

/// The places of one plan, and whether the key goes on to the endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPlace {
    header: HeaderName,
    parameter: Option<Text>,
    is_propagated: bool,
}

impl Default for KeyPlace {
    fn default() -> Self {
        Self {
            header: DEFAULT_HEADER,
            parameter: Some(Text::constant(DEFAULT_PARAMETER)),
            is_propagated: false,
        }
    }
}

impl KeyPlace {
    /// The places that a plan's configuration names.
    ///
    /// # Errors
    /// The custom header is no header name.
    pub fn from_config(config: &ApiKeyConfig) -> Result<Self, ConfigError> {
        let mut place = Self {
            is_propagated: config.propagate_api_key,
            ..Self::default()
        };
        if let Some(header) = config.custom_header()? {
            place.header = header;
            place.parameter = None;
        }
        Ok(place)
    }

    /// The header a key comes in.
    #[must_use]
    pub fn header(&self) -> &HeaderName {
        &self.header
    }

    /// The key of a request: the header's, else the query parameter's.
    ///
    /// An empty value is a credential too, one that fits nothing.
    #[must_use]
    pub fn find(&self, request: &RequestFacts) -> Option<Text> {
        if let Some(value) = request.headers.get(&self.header) {
            return Some(Text::from(value.to_str().unwrap_or("")));
        }
        let parameter = self.parameter.as_deref()?;
        let mut values = request.query.values(parameter);
        values
            .next()
            .map(|value| value.cloned().unwrap_or(Text::constant("")))
    }

    /// Takes the key out of headers and query, unless it goes on to the endpoint.
    pub fn clear(&self, request: &mut RequestFacts) {
        if self.is_propagated {
            return;
        }
        request.headers.remove(&self.header);
        if let Some(parameter) = &self.parameter {
            request.query.remove(parameter);
        }
    }
}
