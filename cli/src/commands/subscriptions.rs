//! `subscription create|list|accept|reject|pause|resume|close|update`.

use tidegate_proto::admin::v1::{
    CreateSubscriptionRequest, GetSubscriptionRequest, ListSubscriptionsRequest, Subscription,
    SubscriptionActionRequest, UpdateSubscriptionRequest,
    subscription_service_client::SubscriptionServiceClient,
};

use super::idempotency_key;
use crate::{
    args::{Global, SubscriptionCommand},
    connection::{self, Cluster},
    failure::Failure,
    output, render,
};

/// Subscriptions asked for per page.
const PAGE_SIZE: u32 = 500;

pub(super) async fn client(global: &Global) -> Result<SubscriptionServiceClient<Cluster>, Failure> {
    Ok(SubscriptionServiceClient::new(
        connection::connect(global).await?,
    ))
}

pub(super) async fn run(global: &Global, command: SubscriptionCommand) -> Result<(), Failure> {
    match command {
        SubscriptionCommand::Create {
            api,
            plan,
            app,
            starting_at,
            ending_at,
            api_key,
        } => {
            let request = CreateSubscriptionRequest {
                environment: global.environment.clone(),
                api,
                plan,
                application: app,
                starting_ms: starting_at.unwrap_or_default(),
                ending_ms: ending_at.unwrap_or_default(),
                api_key: api_key.unwrap_or_default(),
                idempotency_key: idempotency_key(),
                ..CreateSubscriptionRequest::default()
            };
            let created = client(global)
                .await?
                .create_subscription(request)
                .await?
                .into_inner();
            output::one(global.output, &render::created_subscription(&created))
        }
        SubscriptionCommand::List { api, app } => list(global, api, app).await,
        SubscriptionCommand::Update {
            id,
            starting_at,
            ending_at,
        } => {
            let request = UpdateSubscriptionRequest {
                environment: global.environment.clone(),
                id,
                starting_ms: starting_at,
                ending_ms: ending_at,
                idempotency_key: idempotency_key(),
            };
            let updated = client(global)
                .await?
                .update_subscription(request)
                .await?
                .into_inner();
            output::one(global.output, &render::subscription(&updated))
        }
        SubscriptionCommand::Accept { id } => {
            let request = action(global, id);
            let accepted = client(global)
                .await?
                .accept_subscription(request)
                .await?
                .into_inner();
            output::one(global.output, &render::created_subscription(&accepted))
        }
        change => change_state(global, change).await,
    }
}

async fn change_state(global: &Global, command: SubscriptionCommand) -> Result<(), Failure> {
    let mut client = client(global).await?;
    let changed = match command {
        SubscriptionCommand::Reject { id } => client.reject_subscription(action(global, id)).await,
        SubscriptionCommand::Pause { id } => client.pause_subscription(action(global, id)).await,
        SubscriptionCommand::Resume { id } => client.resume_subscription(action(global, id)).await,
        SubscriptionCommand::Close { id } => client.close_subscription(action(global, id)).await,
        SubscriptionCommand::Create { .. }
        | SubscriptionCommand::List { .. }
        | SubscriptionCommand::Update { .. }
        | SubscriptionCommand::Accept { .. } => return Ok(()),
    };
    output::one(global.output, &render::subscription(&changed?.into_inner()))
}

fn action(global: &Global, id: String) -> SubscriptionActionRequest {
    SubscriptionActionRequest {
        environment: global.environment.clone(),
        id,
        idempotency_key: idempotency_key(),
    }
}

pub(super) async fn list(global: &Global, api: String, app: String) -> Result<(), Failure> {
    let mut client = client(global).await?;
    let mut rows = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = ListSubscriptionsRequest {
            environment: global.environment.clone(),
            api: api.clone(),
            application: app.clone(),
            page_size: PAGE_SIZE,
            page_token,
        };
        let page = client.list_subscriptions(request).await?.into_inner();
        rows.extend(page.subscriptions.iter().map(render::subscription));
        if page.next_page_token.is_empty() {
            return output::list(global.output, render::SUBSCRIPTION_COLUMNS, rows);
        }
        page_token = page.next_page_token;
    }
}

pub(super) async fn find(global: &Global, id: String) -> Result<Subscription, Failure> {
    let request = GetSubscriptionRequest {
        environment: global.environment.clone(),
        id,
    };
    Ok(client(global)
        .await?
        .get_subscription(request)
        .await?
        .into_inner())
}

pub(super) async fn close(global: &Global, id: String) -> Result<(), Failure> {
    client(global)
        .await?
        .close_subscription(action(global, id))
        .await?;
    Ok(())
}
