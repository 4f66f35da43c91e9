//! Every check of a definition that needs no edge, in one call: the rules of the model, the configurations of
//! policies, plans and resources, every expression, pattern and store of certificates.
//!
//! Who saves a definition learns everything that is wrong with it at once; what can only be known on an edge, such
//! as files that lie there, is left to the edge. What is kept although no edge can run it is no violation here but
//! a reason against deployment, which [`undeployable`] lists.

#![warn(missing_docs)]

mod expressions;
mod patterns;
mod stores;
mod supported;
#[cfg(test)]
mod tests;

use serde_json::Value;
use tidegate_model::{
    Notice, Violation,
    api::Api,
    validate::{self, ListenerClaim},
};

pub use supported::undeployable;

/// Most violations that are reported of one definition.
const VIOLATIONS_MAX: usize = 200;

/// What came out of checking a definition.
#[derive(Debug)]
pub struct Checked {
    /// The API, as far as it could be read; `None` when the document is no object.
    pub api: Option<Api>,
    /// Every violation, at most 200.
    pub violations: Vec<Violation>,
    /// Remarks on what is kept without being understood.
    pub notices: Vec<Notice>,
}

/// Checks a canonical document, also against the listeners of the `others` in its environment; claims of the API
/// itself among them are ignored.
#[must_use]
pub fn check(document: &Value, others: &[ListenerClaim]) -> Checked {
    let validate::Checked {
        api,
        mut violations,
    } = validate::check_api(document, others);
    let mut notices = Vec::new();
    if let Some(api) = &api {
        let (of_policies, remarks) = tidegate_policies::validate_api(api);
        violations.extend(of_policies);
        notices = remarks;
        expressions::check(api, &mut violations);
        patterns::check(api, &mut violations);
        stores::check(api, &mut violations);
    }
    violations.truncate(VIOLATIONS_MAX);
    Checked {
        api,
        violations,
        notices,
    }
}
