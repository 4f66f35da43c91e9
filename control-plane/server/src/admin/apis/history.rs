//! Looking back: the deployments of an API, what differs between them, documents to take away.

use serde_json::Value;
use tidegate_model::{
    deployment::differences,
    document::{self, ExportFacts, Spelling},
};
use tidegate_proto::admin::v1::{
    self as proto, CompareApiRequest, CompareApiResponse, Difference, ExportApiRequest,
    ExportApiResponse, ListDeploymentsRequest, ListDeploymentsResponse,
};
use tidegate_state::{ApiRecord, StateReader, query};

use super::{
    definition::{deployed_part, text},
    render,
};
use crate::admin::{Fault, Page, lookup};

/// Unchanged lines around each change of a text diff.
const CONTEXT_LINES: usize = 3;

pub(super) fn list(
    state: &dyn StateReader,
    environment: &str,
    request: &ListDeploymentsRequest,
) -> Result<ListDeploymentsResponse, Fault> {
    let stored = lookup::api(state, environment, &request.api)?;
    let api = &stored.value;
    let whose = (environment, api.id.as_str(), api.deployed_number);
    deployments(state, whose, (request.page_size, &request.page_token))
}

/// A page of the history of an API or asset, of which the deployment `live` is what edges have.
pub(in crate::admin) fn deployments(
    state: &dyn StateReader,
    (environment, owner, live): (&str, &str, u64),
    (page_size, page_token): (u32, &str),
) -> Result<ListDeploymentsResponse, Fault> {
    let list = ["deployments", environment, owner];
    let page = Page::parse(page_size, page_token, &list)?;
    let before = match page.after.as_deref() {
        None => None,
        Some(key) => Some(u64::from_be_bytes(key.try_into().map_err(|_length| {
            Fault::field("page_token", "a token of an earlier page of the same list")
        })?)),
    };
    let found = query::deployments(state, environment, owner, before, page.size)?;
    let last = found.items.last().filter(|_| found.next.is_some());
    Ok(ListDeploymentsResponse {
        next_page_token: last
            .map(|d| page.token(&d.number.to_be_bytes()))
            .unwrap_or_default(),
        deployments: found
            .items
            .iter()
            .map(|record| render::deployment(record, live))
            .collect(),
    })
}

pub(super) fn compare(
    state: &dyn StateReader,
    environment: &str,
    request: &CompareApiRequest,
) -> Result<CompareApiResponse, Fault> {
    let stored = lookup::api(state, environment, &request.api)?;
    let from = definition(state, environment, &stored.value, request.from)?;
    let to = definition(state, environment, &stored.value, request.to)?;
    let json = |value: &Option<Value>| value.as_ref().map(Value::to_string).unwrap_or_default();
    let differences = differences(&from, &to)
        .into_iter()
        .map(|difference| Difference {
            from: json(&difference.from),
            to: json(&difference.to),
            path: difference.path,
        })
        .collect();
    let side = |number: u64| match number {
        0 => "draft".to_owned(),
        number => format!("deployment {number}"),
    };
    let text = unified(&from, &to, &side(request.from), &side(request.to));
    Ok(CompareApiResponse { differences, text })
}

/// What deployment `number` gave to edges; for 0 what the draft would give.
fn definition(
    state: &dyn StateReader,
    environment: &str,
    api: &ApiRecord,
    number: u64,
) -> Result<Value, Fault> {
    if number == 0 {
        return Ok(deployed_part(&lookup::document(api)?));
    }
    let record = lookup::deployment(state, environment, api, number)?;
    Ok(lookup::object(state, &record.object_hash)?.definition)
}

/// A readable diff of two documents; empty when they are equal.
pub(in crate::admin) fn unified(
    from: &Value,
    to: &Value,
    from_name: &str,
    to_name: &str,
) -> String {
    if from == to {
        return String::new();
    }
    let (from, to) = (document::to_yaml(from), document::to_yaml(to));
    similar::TextDiff::from_lines(&from, &to)
        .unified_diff()
        .context_radius(CONTEXT_LINES)
        .header(from_name, to_name)
        .to_string()
}

pub(super) fn export(
    state: &dyn StateReader,
    environment: &str,
    request: &ExportApiRequest,
) -> Result<ExportApiResponse, Fault> {
    let stored = lookup::api(state, environment, &request.api)?;
    let record = &stored.value;
    let (canonical, etag) = match request.number {
        0 => (lookup::document(record)?, Some(stored.etag())),
        number => {
            let deployment = lookup::deployment(state, environment, record, number)?;
            (historic(state, &deployment.document_hash)?, None)
        }
    };
    let (spelling, extension) = match request.spelling() {
        proto::Spelling::Unspecified | proto::Spelling::Tidegate => (Spelling::Native, "yaml"),
        proto::Spelling::Gravitee => (Spelling::Envelope, "json"),
        proto::Spelling::Gko => (Spelling::Gko, "yaml"),
    };
    let api = render::api(state, environment, &stored)?;
    let facts = ExportFacts {
        etag,
        started: Some(record.started),
        in_sync: (record.deployed_number > 0)
            .then(|| api.deployment_state() == proto::DeploymentState::Deployed),
    };
    let content = document::export(&canonical, spelling, &facts);
    Ok(ExportApiResponse {
        content: content.into_bytes().into(),
        file_name: file_name(&canonical, extension),
    })
}

pub(in crate::admin) fn historic(state: &dyn StateReader, hash: &[u8]) -> Result<Value, Fault> {
    let bytes = query::object(state, &query::hash_of(hash)?)?
        .ok_or_else(|| Fault::Internal("the document of a deployment is missing".to_owned()))?;
    serde_json::from_slice(&bytes)
        .map_err(|error| Fault::Internal(format!("the document of a deployment: {error}")))
}

/// `<name>-<version>.<extension>`, lower case, other signs as `-` (`gravitee-v4.md` §2.1).
fn file_name(document: &Value, extension: &str) -> String {
    let part = |member: &str| {
        let text = text(document, member).unwrap_or("api").to_lowercase();
        let plain = |c: char| {
            if c.is_alphanumeric() || c == '.' {
                c
            } else {
                '-'
            }
        };
        text.chars().map(plain).collect::<String>()
    };
    format!("{}-{}.{extension}", part("name"), part("apiVersion"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_file_is_named_after_the_api() {
        let document = json!({"name": "My Shop/API", "apiVersion": "1.0"});
        assert_eq!(file_name(&document, "yaml"), "my-shop-api-1.0.yaml");
    }
}
