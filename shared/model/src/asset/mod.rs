//! What the APIs of an environment share: policy groups, dictionaries, and the flows of the organisation.
//!
//! Each is read from its canonical document, as an [`Api`](crate::Api) is from its own. Source: `gravitee-v4.md` §1.6,
//! §3.1 and §5.2.

mod dictionary;
mod feed;
mod group;
mod organization;
#[cfg(test)]
mod tests;

use std::{fmt, str::FromStr};

use serde_json::Value;

use crate::{
    config_snapshot::ObjectKind,
    limits,
    read::{At, Findings},
    violation::Violation,
};

pub use dictionary::{Dictionary, DictionarySource};
pub use feed::{Feed, FeedSchedule, HTTP_DYNAMIC_PROPERTIES};
pub use group::{GroupPhase, SharedPolicyGroup};
pub use organization::{ORGANIZATION_ID, Organization};

/// Most bytes of the keys and values of a dictionary, or of the dynamic properties of an API: every edge keeps them.
pub const ENTRIES_BYTES_MAX: usize = 1024 * 1024;

/// What an asset is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AssetKind {
    /// A [`SharedPolicyGroup`].
    SharedPolicyGroup,
    /// A [`Dictionary`].
    Dictionary,
    /// The [`Organization`].
    Organization,
}

impl AssetKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [
        Self::SharedPolicyGroup,
        Self::Dictionary,
        Self::Organization,
    ];

    /// The name in ids, views and messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.object_kind().as_str()
    }

    /// The `kind` of its manifests.
    #[must_use]
    pub const fn manifest_kind(self) -> &'static str {
        match self {
            Self::SharedPolicyGroup => "SharedPolicyGroup",
            Self::Dictionary => "Dictionary",
            Self::Organization => "Organization",
        }
    }

    /// What it is in a view.
    #[must_use]
    pub const fn object_kind(self) -> ObjectKind {
        match self {
            Self::SharedPolicyGroup => ObjectKind::SharedPolicyGroup,
            Self::Dictionary => ObjectKind::Dictionary,
            Self::Organization => ObjectKind::Organization,
        }
    }

    /// The kind of a manifest.
    pub(crate) fn of_manifest(kind: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|known| known.manifest_kind() == kind)
    }
}

impl fmt::Display for AssetKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A kind of asset that this build does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown kind {0:?}, expected shared-policy-group, dictionary or organization")]
pub struct UnknownAssetKind(pub String);

impl FromStr for AssetKind {
    type Err = UnknownAssetKind;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| UnknownAssetKind(text.to_owned()))
    }
}

/// One asset.
#[derive(Debug, Clone, PartialEq)]
pub enum Asset {
    /// Steps that several APIs run.
    SharedPolicyGroup(SharedPolicyGroup),
    /// Values that expressions read.
    Dictionary(Dictionary),
    /// Flows around those of every API.
    Organization(Organization),
}

impl Asset {
    /// Reads and checks a canonical document.
    ///
    /// # Errors
    /// Lists every violation, at most 200.
    pub fn from_canonical(kind: AssetKind, document: &Value) -> Result<Self, Vec<Violation>> {
        let findings = Findings::default();
        let at = At::root(document, &findings);
        let asset = match kind {
            AssetKind::SharedPolicyGroup => {
                SharedPolicyGroup::read(&at).map(Self::SharedPolicyGroup)
            }
            AssetKind::Dictionary => Dictionary::read(&at).map(Self::Dictionary),
            AssetKind::Organization => Organization::read(&at).map(Self::Organization),
        };
        match (asset, findings) {
            (Some(asset), findings) => findings.finish(asset),
            (None, findings) => Err(findings.finish(()).err().unwrap_or_default()),
        }
    }

    /// What it is.
    #[must_use]
    pub const fn kind(&self) -> AssetKind {
        match self {
            Self::SharedPolicyGroup(_) => AssetKind::SharedPolicyGroup,
            Self::Dictionary(_) => AssetKind::Dictionary,
            Self::Organization(_) => AssetKind::Organization,
        }
    }
}

/// The identifier in `member`; empty when there is none.
fn identifier(at: &At<'_>, member: &str) -> String {
    let text = at.text(member, limits::NAME).unwrap_or_default();
    if !text.is_empty()
        && let Err(error) = crate::id::ApiId::parse(text.as_str())
        && let Some(found) = at.member(member)
    {
        found.fail(format!("an identifier: {error}"));
    }
    text
}
