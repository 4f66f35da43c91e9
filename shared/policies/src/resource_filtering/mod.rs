//! `resource-filtering`: lets only some paths and methods through.

mod config;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use http::{Method, StatusCode};
use percent_encoding::percent_decode_str;
use tidegate_expression::{Needs, Text, Value};
use tidegate_policy::{
    CompileContext, Compiled, ConfigError, Exchange, Failure, InlinePolicy, Outcome, Phase,
    PolicyKind, RequestPath,
};

pub use config::{ResourceConfig, ResourceFilteringConfig};

use crate::ant::Ant;

/// The kind of policy.
#[derive(Debug)]
pub struct ResourceFiltering;

impl PolicyKind for ResourceFiltering {
    const NAME: &'static str = "resource-filtering";
    const PHASES: &'static [Phase] = &[Phase::Request];
    type Config = ResourceFilteringConfig;

    fn compile(config: Self::Config, _ctx: &CompileContext<'_>) -> Result<Compiled, ConfigError> {
        let policy = Filter {
            allowed: compile_rules(&config.whitelist, "whitelist")?,
            denied: compile_rules(&config.blacklist, "blacklist")?,
        };
        Ok(Compiled::inline(policy, Needs::NONE))
    }
}

#[derive(Debug)]
struct Filter {
    allowed: Box<[Rule]>,
    denied: Box<[Rule]>,
}

#[derive(Debug)]
struct Rule {
    /// Matches the path as a whole, if the pattern may.
    whole: Option<Ant>,
    /// Matches what follows the context path.
    below: Ant,
    methods: Box<[Named]>,
}

#[derive(Debug)]
enum Named {
    One(Method),
    Other,
}

fn compile_rules(rules: &[ResourceConfig], path: &str) -> Result<Box<[Rule]>, ConfigError> {
    let mut compiled = Vec::with_capacity(rules.len());
    for (index, rule) in rules.iter().enumerate() {
        let pattern = rule.pattern.trim();
        let ant = || {
            Ant::path(pattern).map_err(|reason| {
                ConfigError::new(format!("{path}[{index}].pattern"), pattern, reason)
            })
        };
        let mut methods = Vec::with_capacity(rule.methods.len());
        for (position, name) in rule.methods.iter().enumerate() {
            methods.push(method(name).ok_or_else(|| {
                ConfigError::new(
                    format!("{path}[{index}].methods[{position}]"),
                    name,
                    "the name of a method",
                )
            })?);
        }
        compiled.push(Rule {
            whole: pattern.starts_with('/').then(ant).transpose()?,
            below: ant()?,
            methods: methods.into(),
        });
    }
    Ok(compiled.into())
}

fn method(name: &str) -> Option<Named> {
    let name = name.trim().to_ascii_uppercase();
    if name == "OTHER" {
        return Some(Named::Other);
    }
    Method::from_bytes(name.as_bytes()).ok().map(Named::One)
}

impl Rule {
    fn names_path(&self, form: &Form<'_>) -> bool {
        let whole = self.whole.as_ref();
        whole.is_some_and(|ant| ant.matches(&form.whole)) || self.below.matches(&form.below)
    }

    fn names_method(&self, method: &Method) -> bool {
        self.methods.is_empty()
            || self.methods.iter().any(|named| match named {
                Named::One(known) => known == method,
                Named::Other => !is_defined(method),
            })
    }
}

/// The methods of RFC 9110 §9.3 and RFC 5789.
fn is_defined(method: &Method) -> bool {
    matches!(
        *method,
        Method::GET
            | Method::HEAD
            | Method::POST
            | Method::PUT
            | Method::DELETE
            | Method::CONNECT
            | Method::OPTIONS
            | Method::TRACE
            | Method::PATCH
    )
}

/// One way to read the path.
struct Form<'p> {
    whole: Cow<'p, str>,
    below: Cow<'p, str>,
}

/// The path as received, and as an endpoint may read it: decoded, without dot segments.
///
/// An allowed resource must be one in both forms, a denied one in any, so that `/%61dmin` and
/// `/x/../admin` are no way around `/admin`.
fn forms(path: &RequestPath) -> Vec<Form<'_>> {
    let received = Form {
        whole: Cow::Borrowed(path.raw()),
        below: Cow::Borrowed(path.info()),
    };
    if !path.raw().contains('%') && !path.raw().contains("/.") {
        return vec![received];
    }
    let plain = Form {
        whole: Cow::Owned(plain(path.raw())),
        below: Cow::Owned(plain(path.info())),
    };
    vec![received, plain]
}

fn plain(path: &str) -> String {
    let decoded = percent_decode_str(path).decode_utf8_lossy();
    let mut kept: Vec<&str> = Vec::new();
    let mut ends_in_directory = false;
    for segment in decoded.split('/').skip(1) {
        ends_in_directory = matches!(segment, "" | "." | "..");
        match segment {
            "" | "." => {}
            ".." => {
                kept.pop();
            }
            _ => kept.push(segment),
        }
    }
    let mut plain = String::with_capacity(decoded.len());
    for segment in &kept {
        plain.push('/');
        plain.push_str(segment);
    }
    if ends_in_directory {
        plain.push('/');
    }
    plain
}

impl InlinePolicy for Filter {
    fn on_request(&self, exchange: &mut Exchange) -> Outcome {
        let request = &exchange.request;
        let forms = forms(&request.path);
        let method = &request.method;
        let is_allowed = |form: &Form<'_>| {
            self.allowed
                .iter()
                .any(|rule| rule.names_path(form) && rule.names_method(method))
        };
        if !self.allowed.is_empty() && !forms.iter().all(is_allowed) {
            let is_known = |form: &Form<'_>| self.allowed.iter().any(|rule| rule.names_path(form));
            return refuse(exchange, forms.iter().all(is_known));
        }
        let mut denying = self.denied.iter().filter(|rule| {
            rule.names_method(method) && forms.iter().any(|form| rule.names_path(form))
        });
        match denying.next() {
            None => Outcome::Continue,
            Some(first) => {
                let only_method =
                    !first.methods.is_empty() && denying.all(|rule| !rule.methods.is_empty());
                refuse(exchange, only_method)
            }
        }
    }
}

fn refuse(exchange: &Exchange, only_method: bool) -> Outcome {
    let mut failure = if only_method {
        Failure::new(StatusCode::METHOD_NOT_ALLOWED)
            .with_key("RESOURCE_FILTERING_METHOD_NOT_ALLOWED")
            .with_message("Method not allowed while accessing this resource")
    } else {
        Failure::new(StatusCode::FORBIDDEN)
            .with_key("RESOURCE_FILTERING_FORBIDDEN")
            .with_message("You're not allowed to access this resource")
    };
    let request = &exchange.request;
    failure.parameters = vec![
        (Text::constant("path"), Value::from(request.path.raw())),
        (
            Text::constant("method"),
            Value::from(request.method.as_str()),
        ),
    ];
    Outcome::fail(failure)
}
