//! What a policy implements, and its form with the configuration type erased.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;
use thiserror::Error;
use tidegate_expression::{CompileError, Condition, Needs, Template};

use crate::exchange::Exchange;
use crate::outcome::{Failure, Outcome};
use crate::phase::Phase;
use crate::services::Services;

/// A boxed future on the worker that serves the exchange; it never moves to another thread.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// How a step of an [`AsyncPolicy`] goes on: only one that must wait allocates.
pub enum Progress<'a> {
    /// The step is over.
    Done(Outcome),
    /// The step waits for something outside.
    Waiting(BoxFuture<'a, Outcome>),
}

impl<'a> Progress<'a> {
    /// The next step runs.
    pub const CONTINUE: Self = Self::Done(Outcome::Continue);

    /// Waits for a future.
    pub fn waiting(future: impl Future<Output = Outcome> + 'a) -> Self {
        Self::Waiting(Box::pin(future))
    }

    /// Ends the chain with a failure.
    #[must_use]
    pub fn fail(failure: Failure) -> Self {
        Self::Done(Outcome::fail(failure))
    }
}

impl fmt::Debug for Progress<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done(outcome) => f.debug_tuple("Done").field(outcome).finish(),
            Self::Waiting(_) => f.write_str("Waiting(..)"),
        }
    }
}

/// A kind of policy: its name, its phases, its configuration and how that compiles.
pub trait PolicyKind: Send + Sync + 'static {
    /// The `policy` member of a step.
    const NAME: &'static str;
    /// Phases in which the policy does something; elsewhere a step is skipped.
    const PHASES: &'static [Phase];
    /// Configuration; its doc comments become the descriptions of the schema.
    type Config: DeserializeOwned + JsonSchema;

    /// Compiles a configuration once, so that running it parses nothing.
    ///
    /// # Errors
    /// Fails with the member of the configuration that is wrong.
    fn compile(config: Self::Config, ctx: &CompileContext<'_>) -> Result<Compiled, ConfigError>;

    /// Says why an enabled step with this configuration, valid as it is, cannot be deployed: the member that
    /// asks for what Tidegate does not do, and what could stand there. `None` for all that works.
    #[must_use]
    fn undeployable(_config: &Self::Config) -> Option<ConfigError> {
        None
    }
}

/// What a configuration is compiled for.
#[derive(Clone, Copy, Debug)]
pub struct CompileContext<'a> {
    /// Phase the step stands in.
    pub phase: Phase,
    /// Environment of the API.
    pub environment: &'a str,
    /// Id of the API.
    pub api: &'a str,
    /// Files of the node that will run the policy; `None` where a configuration is only checked, on another node.
    pub files: Option<&'a dyn Files>,
}

/// Files of a node that configurations name, such as key stores.
pub trait Files: fmt::Debug {
    /// Reads a whole file; implementations bound its length.
    ///
    /// # Errors
    /// The file cannot be read, or is none that ends.
    fn read(&self, path: &str) -> io::Result<Vec<u8>>;
}

/// A compiled configuration.
#[derive(Debug)]
pub struct Compiled {
    /// The policy, ready to run.
    pub policy: CompiledPolicy,
    /// Bodies the policy reads.
    pub needs: Needs,
}

impl Compiled {
    /// Wraps a policy that never waits.
    #[must_use]
    pub fn inline(policy: impl InlinePolicy + 'static, needs: Needs) -> Self {
        Self {
            policy: CompiledPolicy::Inline(Arc::new(policy)),
            needs,
        }
    }

    /// Wraps a policy that may wait.
    #[must_use]
    pub fn asynchronous(policy: impl AsyncPolicy + 'static, needs: Needs) -> Self {
        Self {
            policy: CompiledPolicy::Async(Arc::new(policy)),
            needs,
        }
    }
}

/// A policy ready to run.
#[derive(Clone)]
pub enum CompiledPolicy {
    /// Never waits; running it allocates no future.
    Inline(Arc<dyn InlinePolicy>),
    /// May wait for something outside.
    Async(Arc<dyn AsyncPolicy>),
}

impl fmt::Debug for CompiledPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Inline(_) => "Inline(..)",
            Self::Async(_) => "Async(..)",
        })
    }
}

/// A policy that never waits.
pub trait InlinePolicy: Send + Sync {
    /// Runs before the endpoint is called.
    fn on_request(&self, _exchange: &mut Exchange) -> Outcome {
        Outcome::Continue
    }

    /// Runs after the endpoint has answered.
    fn on_response(&self, _exchange: &mut Exchange) -> Outcome {
        Outcome::Continue
    }
}

/// A policy that may wait.
pub trait AsyncPolicy: Send + Sync {
    /// Runs before the endpoint is called.
    fn on_request<'a>(
        &'a self,
        _exchange: &'a mut Exchange,
        _services: &'a Services,
    ) -> Progress<'a> {
        Progress::CONTINUE
    }

    /// Runs after the endpoint has answered.
    fn on_response<'a>(
        &'a self,
        _exchange: &'a mut Exchange,
        _services: &'a Services,
    ) -> Progress<'a> {
        Progress::CONTINUE
    }
}

/// A configuration that a policy cannot work with.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{path}: found {value}, expected {expected}")]
pub struct ConfigError {
    /// Place in the configuration, such as `addHeaders[0].value`; empty for the whole.
    pub path: String,
    /// What stands there.
    pub value: String,
    /// What could have stood there.
    pub expected: String,
}

impl ConfigError {
    /// Makes an error for the member at `path`.
    #[must_use]
    pub fn new(
        path: impl Into<String>,
        value: impl Into<String>,
        expected: impl Into<String>,
    ) -> Self {
        Self {
            path: path.into(),
            value: value.into(),
            expected: expected.into(),
        }
    }

    fn expression(path: impl Into<String>, error: &CompileError) -> Self {
        Self {
            path: path.into(),
            value: format!("{} at position {}", error.found, error.position),
            expected: error.expected.clone(),
        }
    }

    /// Compiles the text of the member at `path`.
    ///
    /// # Errors
    /// Fails with the place in the configuration and in the text.
    pub fn template(path: impl Into<String>, source: &str) -> Result<Template, Self> {
        Template::compile(source).map_err(|error| Self::expression(path, &error))
    }

    /// Compiles the condition of the member at `path`.
    ///
    /// # Errors
    /// Fails with the place in the configuration and in the text.
    pub fn condition(path: impl Into<String>, source: &str) -> Result<Condition, Self> {
        Condition::compile(source).map_err(|error| Self::expression(path, &error))
    }
}

/// A [`PolicyKind`] with its configuration type erased, as registries hold it.
pub trait RegisteredPolicy: Send + Sync {
    /// The `policy` member of a step.
    fn name(&self) -> &'static str;

    /// Phases in which the policy does something.
    fn phases(&self) -> &'static [Phase];

    /// JSON Schema of the configuration (draft 2020-12).
    fn schema(&self) -> Value;

    /// Compiles a configuration; null stands for an empty one.
    ///
    /// # Errors
    /// Fails with the first member that has a wrong type or value.
    fn compile(&self, config: &Value, ctx: &CompileContext<'_>) -> Result<Compiled, ConfigError>;

    /// Says why an enabled step with this configuration cannot be deployed; a configuration that is not valid
    /// is left to [`RegisteredPolicy::compile`].
    fn undeployable(&self, config: &Value) -> Option<ConfigError>;
}

impl<P: PolicyKind> RegisteredPolicy for P {
    fn name(&self) -> &'static str {
        P::NAME
    }

    fn phases(&self) -> &'static [Phase] {
        P::PHASES
    }

    fn schema(&self) -> Value {
        schemars::schema_for!(P::Config).to_value()
    }

    fn compile(&self, config: &Value, ctx: &CompileContext<'_>) -> Result<Compiled, ConfigError> {
        P::compile(parse(config)?, ctx)
    }

    fn undeployable(&self, config: &Value) -> Option<ConfigError> {
        P::undeployable(&parse(config).ok()?)
    }
}

/// Reads a configuration; null stands for an empty one.
fn parse<C: DeserializeOwned>(config: &Value) -> Result<C, ConfigError> {
    let empty = Value::Object(serde_json::Map::new());
    let config = if config.is_null() { &empty } else { config };
    serde_path_to_error::deserialize(config).map_err(|error| {
        let path = match error.path().to_string() {
            path if path == "." => String::new(),
            path => path,
        };
        ConfigError::new(path, "a value of the wrong form", error.inner().to_string())
    })
}
