//! Definitions as files: the spellings they come in, and the canonical document they all mean.
//!
//! Reading goes bytes → JSON values (`source`) → canonical documents (`spelling`); writing goes back. The
//! canonical document is the runtime spelling: lower-case labels, plans and pages as lists, plugin configuration as
//! objects, every unknown member kept where it was.

use serde_json::{Map, Value};

use crate::{
    asset::AssetKind,
    violation::{Notice, Violation},
};

mod canonical;
mod source;
mod spelling;
#[cfg(test)]
mod tests;
mod v2;
mod yaml;

pub use source::{DEPTH_MAX, SOURCE_BYTES_MAX};
pub use spelling::{entry_key, export, export_asset};
pub use yaml::to_yaml;

/// One document of a file.
#[derive(Clone, Debug, PartialEq)]
pub enum SourceDocument {
    /// An API definition.
    Api(ApiDocument),
    /// An application.
    Application(ApplicationDocument),
    /// A shared policy group, a dictionary or the organisation.
    Asset(Box<AssetDocument>),
    /// Something that is recognised and cannot be applied.
    Unsupported {
        /// What it is, and why it is refused: `API definition of version FEDERATED (only v4 and v2 can be read)`.
        kind: String,
        /// Its name; may be empty.
        name: String,
    },
}

/// An API definition in its canonical form.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiDocument {
    /// The canonical document.
    pub canonical: Value,
    /// The API's id, if the document gives one.
    pub id: Option<String>,
    /// The API's name; empty if it is missing, which validation reports.
    pub name: String,
    /// Whether the document says that the API is started or stopped.
    pub desired_started: Option<bool>,
    /// The etag the document was exported with.
    pub etag: Option<String>,
    /// The spelling it came in.
    pub spelling: Spelling,
    /// What was converted or kept without being understood.
    pub notices: Vec<Notice>,
}

/// An application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApplicationDocument {
    /// Its id, if the document gives one.
    pub id: Option<String>,
    /// Its name.
    pub name: String,
    /// Its description; may be empty.
    pub description: String,
    /// Its OAuth client id.
    pub client_id: Option<String>,
    /// Its client certificate, PEM.
    pub client_certificate: Option<String>,
}

/// An asset in its canonical form.
#[derive(Clone, Debug, PartialEq)]
pub struct AssetDocument {
    /// What it is.
    pub kind: AssetKind,
    /// The canonical document.
    pub canonical: Value,
    /// Its id, if the document gives one.
    pub id: Option<String>,
    /// Its name; empty if it is missing, which validation reports.
    pub name: String,
    /// Whether the document says that it is deployed (or started), or not.
    pub desired_deployed: Option<bool>,
    /// The etag the document was exported with.
    pub etag: Option<String>,
    /// What was converted or kept without being understood.
    pub notices: Vec<Notice>,
}

/// The spellings of a definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Spelling {
    /// What a Gravitee gateway loads.
    Runtime,
    /// What Gravitee's management exports: an envelope with upper-case labels.
    Envelope,
    /// A manifest of the Gravitee Kubernetes operator.
    Gko,
    /// Tidegate's own YAML.
    Native,
}

/// What is known about an API beside its document, for exports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExportFacts {
    /// The etag of the draft.
    pub etag: Option<String>,
    /// Whether the API is started.
    pub started: Option<bool>,
    /// Whether the draft is what is deployed; `None` when the API was never deployed.
    pub in_sync: Option<bool>,
}

/// Reads one JSON or YAML document of any kind, within the limits of [`parse_source`].
///
/// # Errors
/// Says what cannot be read, with line and column, or that there is not exactly one document.
pub fn parse_value(name: &str, content: &[u8]) -> Result<Value, Violation> {
    let mut values = source::parse(content).map_err(|error| error.into_violation(name))?;
    match (values.pop(), values.is_empty()) {
        (Some(located), true) => Ok(located.value),
        _ => Err(Violation::new("", "no or several documents", "one document").in_source(name)),
    }
}

/// Parses one file: JSON or YAML, one or several documents, in any spelling.
///
/// A file is at most 4 MiB of UTF-8 (a byte order mark is fine), nests at most 64 deep, has no duplicate keys, and its
/// YAML aliases may not blow it up. Empty documents are skipped. Nothing is checked beyond what reading needs:
/// [`validate_api`](crate::validate::validate_api) does the rest.
///
/// # Errors
/// Lists what cannot be read, each with the document and, for syntax, line and column.
pub fn parse_source(name: &str, content: &[u8]) -> Result<Vec<SourceDocument>, Vec<Violation>> {
    let values = source::parse(content).map_err(|error| vec![error.into_violation(name)])?;
    let is_single = values.len() == 1;
    let mut documents = Vec::new();
    let mut violations = Vec::new();
    for (index, located) in values.into_iter().enumerate() {
        let place = if is_single {
            name.to_owned()
        } else {
            format!("{name}:{} (document {})", located.line, index + 1)
        };
        match spelling::recognise(located.value) {
            Ok(document) => documents.push(document),
            Err(found) => violations.extend(found.into_iter().map(|v| v.in_source(place.as_str()))),
        }
    }
    if documents.is_empty() && violations.is_empty() {
        violations
            .push(Violation::new("", "an empty file", "at least one document").in_source(name));
    }
    if violations.is_empty() {
        Ok(documents)
    } else {
        Err(violations)
    }
}

/// Takes a text member out of an object; another kind of value stays.
fn take_text(members: &mut Map<String, Value>, name: &str) -> Option<String> {
    if !members.get(name)?.is_string() {
        return None;
    }
    match members.shift_remove(name) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    }
}
