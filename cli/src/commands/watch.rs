//! `watch`: changes as they are committed.

use tidegate_proto::admin::v1::{
    WatchEvent, WatchRequest, watch_event::Operation, watch_service_client::WatchServiceClient,
};

use crate::{
    args::{Format, Global, Kind},
    connection,
    failure::Failure,
    output, render,
};

/// Follows changes until interrupted, resuming after a lost connection.
pub(super) async fn run(global: &Global, kind: Option<Kind>, after: u64) -> Result<(), Failure> {
    let kind = match kind {
        None => "",
        Some(Kind::Api) => "api",
        Some(Kind::Application) => "application",
        Some(Kind::Subscription) => "subscription",
        Some(Kind::Token) => "token",
        Some(Kind::SharedPolicyGroup) => "shared-policy-group",
        Some(Kind::Dictionary) => "dictionary",
        Some(Kind::Organization) => "organization",
        Some(Kind::Plan | Kind::Edge) => {
            return Err(Failure::usage(
                "expected api, application, subscription, token, shared-policy-group, dictionary or \
                 organization; plans change with their API, edges are not stored",
            ));
        }
    };
    let mut after_revision = after;
    let mut connected_before = false;
    loop {
        match follow(global, kind, &mut after_revision, &mut connected_before).await {
            Ok(()) => {}
            Err(failure) if connected_before && failure.is_transient() => {}
            Err(failure) => return Err(failure),
        }
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    }
}

async fn follow(
    global: &Global,
    kind: &str,
    after_revision: &mut u64,
    connected_before: &mut bool,
) -> Result<(), Failure> {
    let mut client = WatchServiceClient::new(connection::connect_unbounded(global).await?);
    let request = WatchRequest {
        environment: global.environment.clone(),
        kind: kind.to_owned(),
        after_revision: *after_revision,
    };
    let mut events = client.watch(request).await?.into_inner();
    while let Some(event) = events.message().await? {
        *connected_before = true;
        *after_revision = (*after_revision).max(event.revision);
        if event.operation() != Operation::Bookmark {
            print(global.output, &event)?;
        }
    }
    Ok(())
}

fn print(format: Format, event: &WatchEvent) -> Result<(), Failure> {
    let value = render::watch_event(event);
    match format {
        // One event per line, so that a program can read them as they come.
        Format::Json => output::line(&value.to_string()),
        Format::Yaml => output::one(format, &value).and_then(|()| output::line("---")),
        Format::Table | Format::Wide => output::line(&format!(
            "{} {:<6} {:<13} {} ({}) by {}",
            value["time"].as_str().unwrap_or("-"),
            value["operation"].as_str().unwrap_or("-"),
            event.kind,
            event.name,
            event.id,
            event.actor,
        )),
    }
}
