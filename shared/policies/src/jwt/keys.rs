//! Where the key of a token is found.

use std::fmt;
use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use tidegate_expression::{Needs, Template};
use tidegate_policy::{ConfigError, Exchange, Services};

use super::algorithm::Signature;
use super::config::{JwtConfig, KeyResolver};
use super::jwks::{KeySets, KeySource};
use super::key::VerificationKey;
use super::token::Token;

/// Configured keys parsed before, per verifier: issuers of one plan, and what an expression may give.
const PARSED_KEYS_MAX: usize = 32;

/// Beginning of the settings that hold keys: issuer and key id follow.
const SETTING: &str = "policy.jwt.issuer.";

/// Key id in the settings for tokens that name none.
const DEFAULT_KEY_ID: &str = "default";

/// Where keys come from.
pub(super) enum Keys {
    /// Parsed when the API was deployed.
    Given(VerificationKey),
    /// The text of the key is computed.
    Computed(Template, ParsedKeys),
    /// The settings of the node.
    Settings(ParsedKeys),
    /// A key set behind a URL.
    Sets(KeySets),
}

/// What came of checking a signature.
pub(super) enum Tried {
    Good,
    /// The cause, for the log.
    Bad(String),
    /// The key is not known yet; asking its source may help.
    Unknown(Arc<KeySource>),
}

impl From<Result<(), String>> for Tried {
    fn from(checked: Result<(), String>) -> Self {
        match checked {
            Ok(()) => Self::Good,
            Err(cause) => Self::Bad(cause),
        }
    }
}

fn fits(is_good: bool) -> Result<(), String> {
    is_good
        .then_some(())
        .ok_or_else(|| "the signature does not fit".to_owned())
}

impl Keys {
    pub(super) fn compile(config: &JwtConfig) -> Result<Self, ConfigError> {
        let parameter = config.resolver_parameter.as_deref().map(str::trim);
        let parameter = parameter.filter(|text| !text.is_empty());
        let missing = || {
            ConfigError::new(
                "resolverParameter",
                "nothing",
                "the key or the URL of the keys",
            )
        };
        match config.public_key_resolver {
            KeyResolver::GatewayKeys => Ok(Self::Settings(ParsedKeys::default())),
            KeyResolver::JwksUrl => {
                KeySets::compile(parameter.ok_or_else(missing)?, config).map(Self::Sets)
            }
            KeyResolver::GivenKey => {
                let text = parameter.ok_or_else(missing)?;
                let template = ConfigError::template("resolverParameter", text)?;
                let Some(literal) = template.as_literal() else {
                    return Ok(Self::Computed(template, ParsedKeys::default()));
                };
                VerificationKey::parse(literal, config.signature)
                    .map(Self::Given)
                    .map_err(|error| {
                        let expected = format!("a key for {}", config.signature.name());
                        // The text itself may be a secret.
                        ConfigError::new("resolverParameter", error.to_string(), expected)
                    })
            }
        }
    }

    /// Bodies that a computed key or URL reads.
    pub(super) fn needs(&self) -> Needs {
        match self {
            Self::Computed(template, _) => template.needs(),
            Self::Sets(sets) => sets.needs(),
            Self::Given(_) | Self::Settings(_) => Needs::NONE,
        }
    }

    /// Checks a token's signature with the keys known now.
    pub(super) fn check(
        &self,
        token: &Token,
        signature: Signature,
        exchange: &Exchange,
        services: &Services,
    ) -> Tried {
        let (signed, found) = (token.signed(), token.signature.as_slice());
        match self {
            Self::Given(key) => fits(key.verifies(signed, found)).into(),
            Self::Computed(template, parsed) => {
                let text = match template.evaluate_text(exchange) {
                    Ok(Some(text)) => text,
                    Ok(None) => return Tried::Bad("the key evaluates to null".to_owned()),
                    Err(error) => return Tried::Bad(format!("key: {error}")),
                };
                parsed.check(&text, signature, signed, found).into()
            }
            Self::Settings(parsed) => {
                let issuer = token.text_claim("iss").unwrap_or_default();
                let key_id = token.header.kid.as_deref().unwrap_or(DEFAULT_KEY_ID);
                let name = format!("{SETTING}{issuer}.{key_id}");
                match services.settings.get(&name) {
                    Some(text) => parsed.check(text, signature, signed, found).into(),
                    None => Tried::Bad(format!("no setting {name}")),
                }
            }
            Self::Sets(sets) => sets.check(token, exchange, services),
        }
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Given(_) => "Given(..)",
            Self::Computed(..) => "Computed(..)",
            Self::Settings(_) => "Settings(..)",
            Self::Sets(_) => "Sets(..)",
        })
    }
}

/// Keys by the text they were parsed from. Reading takes no lock.
#[derive(Default)]
pub(crate) struct ParsedKeys(ArcSwap<Vec<Arc<(String, VerificationKey)>>>);

impl ParsedKeys {
    /// Checks a signature with the key that a text spells; all calls name the same algorithm.
    pub(crate) fn check(
        &self,
        text: &str,
        signature: Signature,
        signed: &[u8],
        found: &[u8],
    ) -> Result<(), String> {
        let known: Guard<_> = self.0.load();
        if let Some(entry) = known.iter().find(|entry| entry.0 == text) {
            return fits(entry.1.verifies(signed, found));
        }
        match VerificationKey::parse(text, signature) {
            Ok(key) => {
                let is_good = key.verifies(signed, found);
                self.keep(text, key);
                fits(is_good)
            }
            Err(error) => Err(format!("the key is {error}")),
        }
    }

    /// Two workers may parse the same key at once; one of them is then parsed again later.
    fn keep(&self, text: &str, key: VerificationKey) {
        let entry = Arc::new((text.to_owned(), key));
        self.0.rcu(|known| {
            let skipped = (known.len() + 1).saturating_sub(PARSED_KEYS_MAX);
            let kept = known.iter().skip(skipped).cloned();
            kept.chain([Arc::clone(&entry)]).collect::<Vec<_>>()
        });
    }
}
