//! The API that a fresh local system starts with.

use std::net::SocketAddr;

use crate::{
    args::{ApplyArgs, Cli, Command, FilesArgs, Global},
    failure::Failure,
};

/// Deploys the sample through the same command a user would type.
pub(super) async fn deploy(global: Global, upstream: SocketAddr) -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("echo.yaml");
    std::fs::write(&file, definition(upstream))?;
    let args = ApplyArgs {
        files: FilesArgs { files: vec![file] },
        dry_run: false,
        deploy: true,
        label: Some("sample".to_owned()),
        message: Some("deployed by tidegate dev".to_owned()),
        if_match: None,
        wait: true,
    };
    Box::pin(crate::commands::run(Cli {
        global,
        command: Command::Apply(args),
    }))
    .await
}

/// The sample API in native YAML.
fn definition(upstream: SocketAddr) -> String {
    format!(
        "apiVersion: tidegate/v1
kind: Api
metadata:
  name: Echo
spec:
  type: proxy
  apiVersion: '1.0'
  description: Answers with the request it got.
  listeners:
    - type: http
      paths:
        - path: /echo
      entrypoints:
        - type: http-proxy
  endpointGroups:
    - name: default
      type: http-proxy
      endpoints:
        - name: sample-upstream
          type: http-proxy
          configuration:
            target: http://{upstream}
  plans:
    - name: Free
      security:
        type: key-less
      status: published
    - name: Registered
      security:
        type: api-key
      status: published
"
    )
}

#[cfg(test)]
mod tests {
    use tidegate_model::{
        document::{SourceDocument, parse_source},
        validate::validate_api,
    };

    use super::*;

    #[test]
    fn the_sample_is_a_valid_definition() {
        let text = definition(SocketAddr::from(([127, 0, 0, 1], 9900)));
        let documents = parse_source("echo.yaml", text.as_bytes()).unwrap();
        let [SourceDocument::Api(api)] = documents.as_slice() else {
            panic!("expected one API")
        };
        validate_api(&api.canonical, &[]).unwrap();
    }
}
