//! `rbac`: lets only users with certain roles through.

mod config;
#[cfg(test)]
mod tests;

use http::StatusCode;
use tidegate_expression::{Needs, Value};
use tidegate_policy::{
    CompileContext, Compiled, ConfigError, Exchange, Failure, InlinePolicy, Outcome, Phase,
    PolicyKind,
};

pub use config::RbacConfig;

/// Attribute that holds the roles of the user.
const ATTRIBUTE: &str = "user.roles";

/// The kind of policy.
#[derive(Debug)]
pub struct Rbac;

impl PolicyKind for Rbac {
    const NAME: &'static str = "rbac";
    const PHASES: &'static [Phase] = &[Phase::Request];
    type Config = RbacConfig;

    fn compile(config: Self::Config, _ctx: &CompileContext<'_>) -> Result<Compiled, ConfigError> {
        let policy = RoleCheck {
            roles: config.roles.into(),
            is_strict: config.strict.unwrap_or(true),
        };
        Ok(Compiled::inline(policy, Needs::NONE))
    }
}

#[derive(Debug)]
struct RoleCheck {
    roles: Box<[String]>,
    is_strict: bool,
}

impl RoleCheck {
    fn accepts(&self, granted: &[String]) -> bool {
        let mut has = self.roles.iter().map(|role| granted.contains(role));
        if self.is_strict {
            has.all(|granted| granted)
        } else {
            has.any(|granted| granted)
        }
    }
}

impl InlinePolicy for RoleCheck {
    fn on_request(&self, exchange: &mut Exchange) -> Outcome {
        let granted = match exchange.attribute(ATTRIBUTE) {
            Value::Null => {
                return refuse(
                    StatusCode::FORBIDDEN,
                    "RBAC_NO_USER_ROLE",
                    "There is no user role associated to the current request.",
                );
            }
            _ if self.roles.is_empty() => return Outcome::Continue,
            Value::List(roles) => roles
                .iter()
                .filter_map(|role| role.to_text().map(|text| text.as_str().to_owned()))
                .collect(),
            Value::Text(text) => written_roles(&text),
            _ => {
                return refuse(
                    StatusCode::BAD_REQUEST,
                    "RBAC_INVALID_USER_ROLES",
                    "User roles are not valid.",
                );
            }
        };
        if self.accepts(&granted) {
            return Outcome::Continue;
        }
        refuse(
            StatusCode::FORBIDDEN,
            "RBAC_FORBIDDEN",
            "User is not allowed to access this route.",
        )
    }
}

/// Reads a JSON array of texts, else words between blanks and commas.
fn written_roles(text: &str) -> Vec<String> {
    serde_json::from_str(text).unwrap_or_else(|_error| {
        text.split(|character: char| character.is_whitespace() || character == ',')
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect()
    })
}

fn refuse(status: StatusCode, key: &'static str, message: &'static str) -> Outcome {
    Outcome::fail(Failure::new(status).with_key(key).with_message(message))
}
