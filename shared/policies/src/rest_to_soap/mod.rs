//! `rest-to-soap`: a POST with a SOAP envelope in place of the client's request.

mod config;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use encoding_rs::{Encoding, UTF_8};
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use tidegate_expression::{Template, Text};
use tidegate_policy::{
    CompileContext, Compiled, ConfigError, Exchange, Failure, InlinePolicy, Outcome, Phase,
    PolicyKind,
};

pub use config::RestToSoapConfig;

use crate::failures::internal_error;
use crate::half::Half;

const SOAP_ACTION: HeaderName = HeaderName::from_static("soapaction");

/// The kind of policy.
#[derive(Debug)]
pub struct RestToSoap;

impl PolicyKind for RestToSoap {
    const NAME: &'static str = "rest-to-soap";
    const PHASES: &'static [Phase] = &[Phase::Request];
    type Config = RestToSoapConfig;

    fn compile(config: Self::Config, _ctx: &CompileContext<'_>) -> Result<Compiled, ConfigError> {
        let envelope = ConfigError::template("envelope", &config.envelope)?;
        let needs = envelope.needs();
        let (encoding, content_type) = charset(config.charset.as_deref())?;
        let action = config
            .soap_action
            .filter(|action| !action.trim().is_empty());
        let action = action.map(|action| {
            HeaderValue::from_str(&action).map_err(|_error| {
                let expected = "text without control characters";
                ConfigError::new("soapAction", format!("{action:?}"), expected)
            })
        });
        let policy = Call {
            envelope,
            encoding,
            content_type,
            action: action.transpose()?,
            keeps_query: config.preserve_query_params,
            strips_path: config.strip_path,
        };
        Ok(Compiled::inline(policy, needs))
    }
}

/// Returns the encoding that a charset names, and the content type that names it.
fn charset(name: Option<&str>) -> Result<(&'static Encoding, HeaderValue), ConfigError> {
    let Some(name) = name.map(str::trim).filter(|name| !name.is_empty()) else {
        return Ok((UTF_8, HeaderValue::from_static("text/xml")));
    };
    let refused = || {
        let expected = "the name of an encoding such as UTF-8 or ISO-8859-1";
        ConfigError::new("charset", format!("{name:?}"), expected)
    };
    let encoding = Encoding::for_label(name.as_bytes())
        // What cannot be written is left out of the choice: UTF-16, and the encoding of nothing.
        .filter(|encoding| encoding.output_encoding() == *encoding)
        .ok_or_else(refused)?;
    let content_type =
        HeaderValue::from_str(&format!("text/xml; charset={name}")).map_err(|_error| refused())?;
    Ok((encoding, content_type))
}

#[derive(Debug)]
struct Call {
    envelope: Template,
    encoding: &'static Encoding,
    content_type: HeaderValue,
    action: Option<HeaderValue>,
    keeps_query: bool,
    strips_path: bool,
}

impl InlinePolicy for Call {
    fn on_request(&self, exchange: &mut Exchange) -> Outcome {
        // The envelope still sees the query and the body of the client.
        let envelope = match self.envelope.evaluate_text(exchange) {
            Ok(Some(envelope)) => envelope,
            Ok(None) => {
                let failure = Failure::new(StatusCode::INTERNAL_SERVER_ERROR);
                return Outcome::fail(failure.with_message("The SOAP envelope is null"));
            }
            Err(error) => return internal_error(format_args!("envelope: {error}")),
        };
        // Characters that the encoding does not have become references such as `&#8364;`.
        let body = self.encoding.encode(&envelope).0.into_owned();
        Half::Request.replace_body(exchange, Bytes::from(body));
        let headers = &mut exchange.request.headers;
        let fields = [
            (CONTENT_TYPE, Some(&self.content_type)),
            (SOAP_ACTION, self.action.as_ref()),
        ];
        for (name, value) in fields {
            if let Some(value) = value
                && headers.try_insert(name, value.clone()).is_err()
            {
                return internal_error("too many headers");
            }
        }
        if !self.keeps_query {
            exchange.request.query.clear();
        }
        let attributes = &mut exchange.attributes;
        let is_set = attributes.set_platform("request.method", Text::constant("POST"))
            && (!self.strips_path
                || attributes.set_platform("request.endpoint", Text::constant("")));
        if is_set {
            Outcome::Continue
        } else {
            internal_error("too many attributes")
        }
    }
}
