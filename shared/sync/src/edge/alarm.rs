//! The named alarms of an edge: what an operator is told when something untrue was offered.

use tidegate_view::{KeysetError, VerifyError};

/// What kind of lie, damage or defect was seen. The code is stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AlarmCode {
    /// A manifest without a valid signature of a trusted, unrevoked key, or of another view.
    Signature,
    /// A manifest older than what was already active.
    Rollback,
    /// Two manifests of one revision with different roots.
    Equivocation,
    /// Objects or tree nodes that do not lead to the signed root.
    Diverged,
    /// A view that needs a newer edge.
    Incompatible,
    /// A cache slot that does not verify, or cannot be written.
    Cache,
    /// A keyset that does not follow from the trusted one.
    Keyset,
    /// The floor file is missing or damaged although a cache exists.
    Floor,
    /// A message out of bounds or out of order.
    Malformed,
}

impl AlarmCode {
    /// All codes, for metrics and documentation.
    pub const ALL: [Self; 9] = [
        Self::Signature,
        Self::Rollback,
        Self::Equivocation,
        Self::Diverged,
        Self::Incompatible,
        Self::Cache,
        Self::Keyset,
        Self::Floor,
        Self::Malformed,
    ];

    /// Stable name, upper case; also the code of `Refuse`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Signature => "SIGNATURE",
            Self::Rollback => "ROLLBACK",
            Self::Equivocation => "EQUIVOCATION",
            Self::Diverged => "DIVERGED",
            Self::Incompatible => "INCOMPATIBLE",
            Self::Cache => "CACHE",
            Self::Keyset => "KEYSET",
            Self::Floor => "FLOOR",
            Self::Malformed => "MALFORMED",
        }
    }
}

/// One raised alarm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    /// What kind.
    pub code: AlarmCode,
    /// Text for people.
    pub detail: String,
}

impl Alarm {
    /// Makes an alarm.
    pub fn new(code: AlarmCode, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
        }
    }
}

impl From<VerifyError> for Alarm {
    fn from(error: VerifyError) -> Self {
        let code = AlarmCode::ALL
            .into_iter()
            .find(|code| code.as_str() == error.code());
        Self::new(code.unwrap_or(AlarmCode::Malformed), error.to_string())
    }
}

impl From<KeysetError> for Alarm {
    fn from(error: KeysetError) -> Self {
        Self::new(AlarmCode::Keyset, error.to_string())
    }
}
