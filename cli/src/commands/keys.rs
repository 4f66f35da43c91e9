//! `key list|renew|revoke|expire`.

use tidegate_proto::admin::v1::{
    ExpireKeyRequest, KeyActionRequest, ListKeysRequest, RenewKeyRequest,
};

use super::{idempotency_key, subscriptions};
use crate::{
    args::{Global, KeyCommand},
    failure::Failure,
    output, render,
};

pub(super) async fn run(global: &Global, command: KeyCommand) -> Result<(), Failure> {
    let mut client = subscriptions::client(global).await?;
    let environment = global.environment.clone();
    let idempotency_key = idempotency_key();
    match command {
        KeyCommand::List { subscription } => {
            let request = ListKeysRequest {
                environment,
                subscription,
            };
            let listed = client.list_keys(request).await?.into_inner();
            let rows = listed.keys.iter().map(render::key).collect();
            output::list(global.output, render::KEY_COLUMNS, rows)
        }
        KeyCommand::Renew {
            subscription,
            api_key,
        } => {
            let api_key = api_key.unwrap_or_default();
            let request = RenewKeyRequest {
                environment,
                subscription,
                api_key,
                idempotency_key,
            };
            let renewed = client.renew_key(request).await?.into_inner();
            output::one(global.output, &render::created_subscription(&renewed))
        }
        KeyCommand::Revoke { key } => {
            let request = KeyActionRequest {
                environment,
                key,
                idempotency_key,
            };
            let key = client.revoke_key(request).await?.into_inner();
            output::one(global.output, &render::key(&key))
        }
        KeyCommand::Expire { key, at } => {
            let request = ExpireKeyRequest {
                environment,
                key,
                expires_ms: at,
                idempotency_key,
            };
            let key = client.expire_key(request).await?.into_inner();
            output::one(global.output, &render::key(&key))
        }
    }
}
