//! `apply` and `diff`.

use serde_json::Value;
use tidegate_proto::admin::v1::{
    ApplyRequest, ApplyResponse, ApplyResult, api_service_client::ApiServiceClient,
};

use super::{
    deployments::{self, Whose},
    idempotency_key, sources,
};
use crate::{
    args::{ApplyArgs, FilesArgs, Format, Global},
    connection,
    failure::Failure,
    output, render,
};

pub(super) async fn apply(global: &Global, args: ApplyArgs) -> Result<(), Failure> {
    let request = ApplyRequest {
        environment: global.environment.clone(),
        documents: sources::read_all(&args.files.files)?,
        dry_run: args.dry_run,
        deploy: args.deploy,
        label: args.label.unwrap_or_default(),
        message: args.message.unwrap_or_default(),
        if_match: args.if_match.unwrap_or_default(),
        idempotency_key: idempotency_key(),
    };
    let response = send(global, request).await?;
    print(global, &response, args.dry_run)?;
    if !args.wait {
        return Ok(());
    }
    for result in &response.results {
        if let Some(deployment) = &result.deployment {
            let whose = match render::kind_of_manifest(&result.kind) {
                None => Whose::Api,
                Some(kind) => Whose::of_asset(kind),
            };
            deployments::wait(global, whose, &result.id, deployment.number).await?;
        }
    }
    Ok(())
}

/// Shows what `apply` would change, and stores nothing.
pub(super) async fn diff(global: &Global, args: FilesArgs) -> Result<(), Failure> {
    let request = ApplyRequest {
        environment: global.environment.clone(),
        documents: sources::read_all(&args.files)?,
        dry_run: true,
        ..ApplyRequest::default()
    };
    let response = send(global, request).await?;
    match global.output {
        Format::Json | Format::Yaml => output::one(global.output, &values(&response)),
        Format::Table | Format::Wide => {
            for result in response
                .results
                .iter()
                .filter(|result| !result.diff.is_empty())
            {
                output::line(&format!("# {} {}", result.kind, result.name))?;
                output::line(result.diff.trim_end())?;
            }
            Ok(())
        }
    }
}

async fn send(global: &Global, request: ApplyRequest) -> Result<ApplyResponse, Failure> {
    // Documents may be larger than the default message size, on the way there and back.
    let mut apis = ApiServiceClient::new(connection::connect(global).await?)
        .max_encoding_message_size(super::apis::MESSAGE_BYTES_MAX)
        .max_decoding_message_size(super::apis::MESSAGE_BYTES_MAX);
    Ok(apis.apply(request).await?.into_inner())
}

fn print(global: &Global, response: &ApplyResponse, dry_run: bool) -> Result<(), Failure> {
    match global.output {
        Format::Json | Format::Yaml => output::one(global.output, &values(response)),
        Format::Table | Format::Wide => {
            for result in &response.results {
                output::line(&sentence(result, dry_run))?;
                for notice in &result.notices {
                    output::remark(&format!("  {}: {}", notice.path, notice.message));
                }
            }
            Ok(())
        }
    }
}

fn sentence(result: &ApplyResult, dry_run: bool) -> String {
    let value = render::apply_result(result);
    let outcome = value["outcome"].as_str().unwrap_or_default();
    let mut text = format!("{} {} {outcome}", result.kind, result.name);
    if let Some(deployment) = &result.deployment {
        text.push_str(&format!(", deployed as number {}", deployment.number));
    }
    if dry_run {
        text.push_str(" (dry run)");
    }
    text
}

fn values(response: &ApplyResponse) -> Value {
    response.results.iter().map(render::apply_result).collect()
}
