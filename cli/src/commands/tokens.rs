//! `token create|list|revoke`.

use serde_json::json;
use tidegate_proto::admin::v1::{
    CreateTokenRequest, ListTokensRequest, RevokeTokenRequest, Role as WireRole,
    token_service_client::TokenServiceClient,
};

use super::idempotency_key;
use crate::{
    args::{Global, Role, TokenCommand},
    connection,
    failure::Failure,
    output, render,
};

pub(super) async fn run(global: &Global, command: TokenCommand) -> Result<(), Failure> {
    let mut tokens = TokenServiceClient::new(connection::connect(global).await?);
    match command {
        TokenCommand::Create {
            name,
            role,
            ttl,
            tags,
        } => {
            let request = CreateTokenRequest {
                name,
                role: wire_role(role).into(),
                ttl_seconds: ttl.map_or(0, |ttl| ttl.as_secs().max(1)),
                tags,
                idempotency_key: idempotency_key(),
            };
            let created = tokens.create_token(request).await?.into_inner();
            let mut value = created
                .token
                .as_ref()
                .map_or_else(|| json!({}), render::token);
            value["secret"] = json!(created.secret);
            output::one(global.output, &value)
        }
        TokenCommand::List => list(global).await,
        TokenCommand::Revoke { id } => {
            let request = RevokeTokenRequest {
                id,
                idempotency_key: idempotency_key(),
            };
            tokens.revoke_token(request).await?;
            Ok(())
        }
    }
}

pub(super) async fn list(global: &Global) -> Result<(), Failure> {
    let mut tokens = TokenServiceClient::new(connection::connect(global).await?);
    let listed = tokens.list_tokens(ListTokensRequest {}).await?.into_inner();
    let rows = listed.tokens.iter().map(render::token).collect();
    output::list(global.output, render::TOKEN_COLUMNS, rows)
}

fn wire_role(role: Role) -> WireRole {
    match role {
        Role::Admin => WireRole::Admin,
        Role::Viewer => WireRole::Viewer,
        Role::Edge => WireRole::Edge,
    }
}
