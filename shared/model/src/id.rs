//! Identifiers and counters, one type each, so that none is taken for another.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Longest identifier, in characters.
pub const ID_CHARACTERS_MAX: usize = 128;

/// Why a text is no identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The text is empty.
    #[error("empty, expected 1 to {ID_CHARACTERS_MAX} characters")]
    Empty,
    /// The text is too long.
    #[error("{0} characters, expected at most {ID_CHARACTERS_MAX}")]
    TooLong(usize),
    /// The text holds a control character, which no log or key should carry.
    #[error("a control character at character {0}")]
    ControlCharacter(usize),
}

fn check(text: &str) -> Result<(), IdError> {
    if text.is_empty() {
        return Err(IdError::Empty);
    }
    let characters = text.chars().count();
    if characters > ID_CHARACTERS_MAX {
        return Err(IdError::TooLong(characters));
    }
    match text.chars().position(char::is_control) {
        Some(position) => Err(IdError::ControlCharacter(position)),
        None => Ok(()),
    }
}

macro_rules! identifiers {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        ///
        /// 1 to 128 characters, no control characters.
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Checks a text and takes it as an identifier.
            ///
            /// # Errors
            /// Fails if it is empty, too long or holds control characters.
            pub fn parse(text: impl Into<String>) -> Result<Self, IdError> {
                let text = text.into();
                check(&text)?;
                Ok(Self(text))
            }

            /// The identifier as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::parse(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                Self::parse(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    )*};
}

identifiers! {
    /// Names one API of an environment.
    ApiId,
    /// Names one plan of an API; unique in its environment.
    PlanId,
    /// Names one application.
    ApplicationId,
    /// Names one subscription.
    SubscriptionId,
    /// Names one API key; not the key itself.
    KeyId,
    /// Names one environment, such as `DEFAULT`.
    EnvironmentId,
    /// Names one edge gateway.
    EdgeId,
}

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl $name {
            /// The plain number.
            #[must_use]
            pub const fn get(self) -> u64 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(formatter)
            }
        }
    )*};
}

counters! {
    /// A point in the history of the control plane: the log index of a change. Only grows.
    Revision,
    /// Counts disaster recoveries. A lower revision is acceptable only under a higher epoch.
    Epoch,
    /// Counts the deployments of one API, from 1.
    DeploymentNumber,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_bounded_and_printable() {
        assert_eq!(ApiId::parse("a").unwrap().as_str(), "a");
        assert_eq!(ApiId::parse(""), Err(IdError::Empty));
        assert_eq!(ApiId::parse("a\nb"), Err(IdError::ControlCharacter(1)));
        assert_eq!(ApiId::parse("é".repeat(129)), Err(IdError::TooLong(129)));
        assert!(ApiId::parse("é".repeat(128)).is_ok());
    }

    #[test]
    fn deserialisation_checks_as_parsing_does() {
        assert!(serde_json::from_str::<PlanId>("\"gold\"").is_ok());
        assert!(serde_json::from_str::<PlanId>("\"\"").is_err());
    }
}
