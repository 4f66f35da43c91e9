//! The admin API of a real node, as its clients see it.

mod access;
mod deployments;
mod drafts;
mod node;
mod retries;
mod subscriptions;
mod support;

use tidegate_proto::admin::v1::{DeployApiRequest, GetApiRequest};

fn api(name: &str) -> GetApiRequest {
    GetApiRequest {
        api: name.to_owned(),
        ..GetApiRequest::default()
    }
}

fn deploy(name: &str, label: &str) -> DeployApiRequest {
    let label = label.to_owned();
    DeployApiRequest {
        api: name.to_owned(),
        label,
        ..DeployApiRequest::default()
    }
}
