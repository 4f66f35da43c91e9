//! Users with a name and a password, asked of the authentication resources that a policy names.

use tidegate_expression::{Text, Value};
use tidegate_policy::{ConfigError, Exchange, Identity, Outcome, Services};

use crate::failures::internal_error;

/// What a client says who it is.
pub(crate) struct Credentials {
    pub(crate) user: String,
    pub(crate) password: String,
}

/// Compiles the member `authenticationProviders`.
pub(crate) fn compile_providers(names: Vec<String>) -> Result<Box<[String]>, ConfigError> {
    if names.is_empty() {
        let expected = "names of authentication resources";
        return Err(ConfigError::new(
            "authenticationProviders",
            "an empty list",
            expected,
        ));
    }
    Ok(names.into())
}

/// Asks the providers in order for the user.
///
/// # Errors
/// Says why nobody knows the credentials, for the log.
pub(crate) async fn find_user(
    providers: &[String],
    credentials: &Credentials,
    exchange: &Exchange,
    services: &Services,
) -> Result<Identity, String> {
    let Credentials { user, password } = credentials;
    let mut cause = "no provider knows this user with this password".to_owned();
    for name in providers {
        let answer = match exchange.api.resources.authentication(name) {
            Ok(provider) => provider.authenticate(user, password, services).await,
            Err(error) => Err(error),
        };
        match answer {
            Ok(Some(identity)) => return Ok(identity),
            Ok(None) => {}
            // The next provider may know the user.
            Err(error) => cause = format!("{name}: {error}"),
        }
    }
    Err(cause)
}

/// Sets the attributes `user` and `user.<attribute>`.
pub(crate) fn remember(identity: Identity, exchange: &mut Exchange) -> Outcome {
    let attributes = &mut exchange.attributes;
    attributes.set_platform("user", Value::from(identity.user));
    for (name, value) in identity.attributes {
        let name = Text::from(format!("gravitee.attribute.user.{name}"));
        if !attributes.set(&name, value) {
            return internal_error("too many attributes");
        }
    }
    Outcome::Continue
}
