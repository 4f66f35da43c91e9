//! Bearer tokens for people, programs and edges.

use bytes::Bytes;
use prost::Message as _;
use tidegate_model::tags::is_tag;
use tidegate_proto::admin::v1::{
    CreateTokenRequest, CreateTokenResponse, Identity, ListTokensRequest, ListTokensResponse,
    RevokeTokenRequest, RevokeTokenResponse, Role as WireRole, Token as WireToken, WhoAmIRequest,
    token_service_server,
};
use tidegate_state::{
    Resource, ResourceKind, StateReader, TokenRecord,
    op::{DeleteToken, PutToken},
    query,
};
use tonic::{Request, Response, Status};

use super::{Call, Decision, Fault, Intent, Mint, Store, bounded};
use crate::auth::{Role, Token, now_ms};

/// Most characters of a name.
const NAME_CHARS_MAX: usize = 128;
/// Most tags an edge token may name.
const TAGS_MAX: usize = 64;
/// Longest lifetime in seconds, ten years; longer ones are meant to be none at all.
const TTL_SECONDS_MAX: u64 = 10 * 365 * 86_400;
/// Most tokens listed.
const LIST_MAX: usize = query::PAGE_MAX;

/// Serves `tidegate.admin.v1.TokenService`.
#[derive(Debug)]
pub(crate) struct TokenService {
    store: Store,
    mint: Mint,
}

impl TokenService {
    pub(crate) fn new(store: Store, mint: Mint) -> Self {
        Self { store, mint }
    }
}

#[tonic::async_trait]
impl token_service_server::TokenService for TokenService {
    async fn who_am_i(
        &self,
        request: Request<WhoAmIRequest>,
    ) -> Result<Response<Identity>, Status> {
        let identity = Call::of(&request)?.identity;
        Ok(Response::new(Identity {
            token_id: identity.token_id,
            name: identity.name,
            role: wire_role(Some(identity.role)).into(),
            expires_ms: identity.expires_ms.unwrap_or_default(),
        }))
    }

    async fn create_token(
        &self,
        request: Request<CreateTokenRequest>,
    ) -> Result<Response<CreateTokenResponse>, Status> {
        let call = Call::of(&request)?;
        let body = request.into_inner();
        let content = body.encode_to_vec();
        let intent = Intent::new(&call, "CreateToken", &body.idempotency_key, &content)?;
        let role = check(&body)?;
        let secret = self
            .mint
            .secret("token", &intent.seed())
            .map_err(Fault::from)?;
        let token = Token::minted(&secret);
        let ttl_ms = body.ttl_seconds.saturating_mul(1000);
        let record = TokenRecord {
            id: token.id().to_owned(),
            name: body.name,
            role: role.stored().into(),
            secret_hash: Bytes::copy_from_slice(token.secret_hash().as_bytes()),
            created_ms: now_ms(),
            expires_ms: (ttl_ms > 0).then(|| now_ms().saturating_add(ttl_ms)),
            tags: body.tags,
        };
        let id = record.id.clone();
        let decide = move |state: &dyn StateReader| {
            let mut decision = Decision::default();
            // Id and secret follow from the idempotency key: it exists only if this call was done.
            if query::token(state, &record.id)?.is_none() {
                decision.relies_on(ResourceKind::Token, "", &record.id, 0);
                decision.ops.push(
                    PutToken {
                        record: record.clone(),
                    }
                    .into(),
                );
            }
            Ok((decision, ()))
        };
        let (committed, ()) = self.store.write(&call, &intent, decide).await?;
        let work = move |state: &dyn StateReader| {
            let stored = query::token(state, &id)?;
            stored
                .map(|stored| render(&stored))
                .ok_or_else(|| Fault::not_found("token", &id))
        };
        let rendered = self.store.read_after(&call, &committed, work).await?;
        Ok(Response::new(CreateTokenResponse {
            token: Some(rendered),
            secret: token.reveal(),
        }))
    }

    async fn list_tokens(
        &self,
        request: Request<ListTokensRequest>,
    ) -> Result<Response<ListTokensResponse>, Status> {
        let call = Call::of(&request)?;
        let work = |state: &dyn StateReader| {
            let found = query::tokens(state, None, LIST_MAX)?;
            Ok(ListTokensResponse {
                tokens: found.items.iter().map(render).collect(),
            })
        };
        Ok(Response::new(self.store.read(&call, work).await?))
    }

    async fn revoke_token(
        &self,
        request: Request<RevokeTokenRequest>,
    ) -> Result<Response<RevokeTokenResponse>, Status> {
        let call = Call::of(&request)?;
        let body = request.into_inner();
        let content = body.encode_to_vec();
        let intent = Intent::new(&call, "RevokeToken", &body.idempotency_key, &content)?;
        let decide = move |state: &dyn StateReader| {
            let id = body.id.clone();
            let known = !id.is_empty() && !id.chars().any(char::is_control);
            let stored = if known {
                query::token(state, &id)?
            } else {
                None
            };
            let stored = stored.ok_or_else(|| Fault::not_found("token", &id))?;
            refuse_last_admin(state, &stored.value)?;
            let mut decision = Decision::default();
            decision.relies_on(ResourceKind::Token, "", &id, stored.revision);
            decision.ops.push(DeleteToken { id }.into());
            Ok((decision, ()))
        };
        self.store.write(&call, &intent, decide).await?;
        Ok(Response::new(RevokeTokenResponse {}))
    }
}

fn check(request: &CreateTokenRequest) -> Result<Role, Fault> {
    bounded("name", &request.name, 1, NAME_CHARS_MAX)?;
    let role = match request.role() {
        WireRole::Admin => Role::Admin,
        WireRole::Viewer => Role::Viewer,
        WireRole::Edge => Role::Edge,
        WireRole::Unspecified => {
            return Err(Fault::field("role", "admin, viewer or edge"));
        }
    };
    if request.ttl_seconds > TTL_SECONDS_MAX {
        return Err(Fault::field(
            "ttl_seconds",
            "at most ten years, or 0 for no expiry",
        ));
    }
    if role != Role::Edge && !request.tags.is_empty() {
        return Err(Fault::field(
            "tags",
            "none: only tokens of edges carry tags",
        ));
    }
    if request.tags.len() > TAGS_MAX || !request.tags.iter().all(|tag| is_tag(tag)) {
        return Err(Fault::field("tags", "at most 64 sharding tags"));
    }
    Ok(role)
}

/// Without an administrator nobody could ever make a token again.
fn refuse_last_admin(state: &dyn StateReader, token: &TokenRecord) -> Result<(), Fault> {
    if Role::of(token) != Some(Role::Admin) {
        return Ok(());
    }
    let now = now_ms();
    let mut after = None;
    loop {
        let page = query::tokens(state, after.as_deref(), LIST_MAX)?;
        let other = page.items.iter().map(|stored| &stored.value).any(|other| {
            other.id != token.id
                && Role::of(other) == Some(Role::Admin)
                && other.expires_ms.is_none_or(|expires_ms| expires_ms > now)
        });
        match page.next {
            _ if other => return Ok(()),
            Some(next) => after = Some(next),
            None => {
                return Err(Fault::refused(
                    "LAST_ADMIN",
                    "this is the last administrator's token; make another one first",
                ));
            }
        }
    }
}

fn wire_role(role: Option<Role>) -> WireRole {
    match role {
        Some(Role::Admin) => WireRole::Admin,
        Some(Role::Viewer) => WireRole::Viewer,
        Some(Role::Edge) => WireRole::Edge,
        None => WireRole::Unspecified,
    }
}

fn render(token: &Resource<TokenRecord>) -> WireToken {
    let record = &token.value;
    WireToken {
        id: record.id.clone(),
        name: record.name.clone(),
        role: wire_role(Role::of(record)).into(),
        created_ms: record.created_ms,
        expires_ms: record.expires_ms.unwrap_or_default(),
        tags: record.tags.clone(),
    }
}
