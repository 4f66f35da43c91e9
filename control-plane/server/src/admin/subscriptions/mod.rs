//! Subscriptions of applications to plans, and their API keys.

mod decide;
mod keys;

use std::{collections::BTreeMap, sync::Arc};

use prost::Message as _;
use tidegate_proto::admin::v1::{
    ApiKey, CreateSubscriptionRequest, CreateSubscriptionResponse, ExpireKeyRequest,
    GetSubscriptionRequest, KeyActionRequest, ListKeysRequest, ListKeysResponse,
    ListSubscriptionsRequest, ListSubscriptionsResponse, RenewKeyRequest, Subscription,
    SubscriptionActionRequest, SubscriptionStatus as WireStatus, UpdateSubscriptionRequest,
    subscription_service_server,
};
use tidegate_state::{
    KeyRecord, Resource, StateReader, SubscriptionRecord, SubscriptionStatus, query,
};
use tonic::{Request, Response, Status};

pub(super) use self::decide::follow_application;
use self::decide::{End, Step, Wish};
use super::{
    Call, Committed, Fault, Intent, Mint, Page, Store, bounded, environment, lookup, mint, reach,
};
use crate::edges::EdgeDirectory;

/// Most pairs of metadata.
const METADATA_MAX: usize = 25;
/// Most characters of a metadata key or value.
const METADATA_CHARS_MAX: usize = 1024;

/// Serves `tidegate.admin.v1.SubscriptionService`.
#[derive(Debug)]
pub(crate) struct SubscriptionService {
    store: Store,
    mint: Mint,
    edges: Arc<EdgeDirectory>,
}

impl SubscriptionService {
    pub(crate) fn new(store: Store, mint: Mint, edges: Arc<EdgeDirectory>) -> Self {
        Self { store, mint, edges }
    }

    /// What is stored after a write, once the edges have had a moment to learn of it.
    async fn answer(
        &self,
        call: &Call,
        committed: &Committed,
        environment: String,
        id: String,
    ) -> Result<Resource<SubscriptionRecord>, Fault> {
        let target = environment.clone();
        let work = move |state: &dyn StateReader| lookup::subscription(state, &target, &id);
        let stored = self.store.read_after(call, committed, work).await?;
        if may_be_on_edges(stored.value.status()) {
            let api_id = &stored.value.api_id;
            let revision = committed.revision;
            reach::edges(&self.store, &self.edges, &environment, api_id, revision).await?;
        }
        Ok(stored)
    }

    /// The answer that shows a key: only if the stored subscription really has it.
    async fn answer_key(
        &self,
        call: &Call,
        committed: &Committed,
        environment: String,
        id: String,
        made: (String, &Intent),
    ) -> Result<Response<CreateSubscriptionResponse>, Status> {
        let (key, intent) = made;
        let target = environment.clone();
        let pepper = move |state: &dyn StateReader| {
            Ok(lookup::environment(state, &target)?.value.api_key_pepper)
        };
        let pepper = self.store.read_after(call, committed, pepper).await?;
        let stored = self.answer(call, committed, environment, id).await?;
        let key_id = mint::resource_id("api-key", &intent.seed());
        let hash = keys::hash(&pepper, &key);
        let found = stored
            .value
            .keys
            .iter()
            .find(|found| found.id == key_id && found.hash == hash);
        Ok(Response::new(CreateSubscriptionResponse {
            api_key: found.map(|_| key).unwrap_or_default(),
            key: found.map(|found| render_key(&stored.value.id, found)),
            subscription: Some(render(&stored)),
        }))
    }

    async fn step(
        &self,
        request: Request<SubscriptionActionRequest>,
        method: &str,
        step: Step,
    ) -> Result<Response<Subscription>, Status> {
        let call = Call::of(&request)?;
        let body = request.into_inner();
        let intent = Intent::new(&call, method, &body.idempotency_key, &body.encode_to_vec())?;
        let environment = environment(&body.environment)?;
        let (target, id) = (environment.clone(), body.id.clone());
        let decide = move |state: &dyn StateReader| {
            Ok((decide::step(state, &target, &id, step, "", "")?, ()))
        };
        let (committed, ()) = self.store.write(&call, &intent, decide).await?;
        let stored = self.answer(&call, &committed, environment, body.id).await?;
        Ok(Response::new(render(&stored)))
    }

    async fn end_key(
        &self,
        call: Call,
        intent: Intent,
        environment: String,
        key: String,
        end: End,
    ) -> Result<Response<ApiKey>, Status> {
        let (target, named) = (environment.clone(), (environment.clone(), key.clone()));
        let decide = move |state: &dyn StateReader| {
            let (decision, subscription, key_id) = decide::end_key(state, &target, &key, end)?;
            Ok((decision, (subscription, key_id)))
        };
        let recall = move |state: &dyn StateReader| {
            let (stored, key_id) = decide::find_key(state, &named.0, &named.1)?;
            Ok((stored.value.id, key_id))
        };
        let writing = self.store.write_and_tell(&call, &intent, decide, recall);
        let (committed, (subscription, key_id)) = writing.await?;
        let stored = self
            .answer(&call, &committed, environment, subscription)
            .await?;
        let found = stored.value.keys.iter().find(|key| key.id == key_id);
        let found = found.ok_or_else(|| Fault::not_found("API key", &key_id))?;
        Ok(Response::new(render_key(&stored.value.id, found)))
    }

    fn new_key(&self, given: &str, intent: &Intent) -> Result<String, Fault> {
        if given.is_empty() {
            return Ok(self.mint.secret("api-key", &intent.seed())?);
        }
        keys::check_custom(given)?;
        Ok(given.to_owned())
    }
}

#[tonic::async_trait]
impl subscription_service_server::SubscriptionService for SubscriptionService {
    async fn create_subscription(
        &self,
        request: Request<CreateSubscriptionRequest>,
    ) -> Result<Response<CreateSubscriptionResponse>, Status> {
        let call = Call::of(&request)?;
        let mut body = request.into_inner();
        let metadata: BTreeMap<String, String> = body.metadata.drain().collect();
        check_metadata(&metadata)?;
        // A hash map encodes in any order, so the digest takes the pairs sorted.
        let content = [body.encode_to_vec(), format!("{metadata:?}").into_bytes()].concat();
        let intent = Intent::new(&call, "CreateSubscription", &body.idempotency_key, &content)?;
        let environment = environment(&body.environment)?;
        let key = self.new_key(&body.api_key, &intent)?;
        let wish = Wish {
            api: body.api,
            plan: body.plan,
            application: body.application,
            starting_ms: Some(body.starting_ms).filter(|ms| *ms != 0),
            ending_ms: Some(body.ending_ms).filter(|ms| *ms != 0),
            metadata,
            key: key.clone(),
            custom_key: !body.api_key.is_empty(),
            seed: intent.seed(),
        };
        let target = environment.clone();
        let decide =
            move |state: &dyn StateReader| Ok((decide::create(state, &target, &wish)?, ()));
        let (committed, ()) = self.store.write(&call, &intent, decide).await?;
        let id = decide::created_id(&intent.seed());
        self.answer_key(&call, &committed, environment, id, (key, &intent))
            .await
    }

    async fn get_subscription(
        &self,
        request: Request<GetSubscriptionRequest>,
    ) -> Result<Response<Subscription>, Status> {
        let call = Call::of(&request)?;
        let body = request.into_inner();
        let environment = environment(&body.environment)?;
        let work = move |state: &dyn StateReader| {
            Ok(render(&lookup::subscription(
                state,
                &environment,
                &body.id,
            )?))
        };
        Ok(Response::new(self.store.read(&call, work).await?))
    }

    async fn list_subscriptions(
        &self,
        request: Request<ListSubscriptionsRequest>,
    ) -> Result<Response<ListSubscriptionsResponse>, Status> {
        let call = Call::of(&request)?;
        let body = request.into_inner();
        let environment = environment(&body.environment)?;
        let list = ["subscriptions", &environment, &body.api, &body.application];
        let page = Page::parse(body.page_size, &body.page_token, &list)?;
        let work =
            move |state: &dyn StateReader| list_subscriptions(state, &environment, &body, &page);
        Ok(Response::new(self.store.read(&call, work).await?))
    }

    async fn accept_subscription(
        &self,
        request: Request<SubscriptionActionRequest>,
    ) -> Result<Response<CreateSubscriptionResponse>, Status> {
        let call = Call::of(&request)?;
        let body = request.into_inner();
        let content = body.encode_to_vec();
        let intent = Intent::new(&call, "AcceptSubscription", &body.idempotency_key, &content)?;
        let environment = environment(&body.environment)?;
        let key = self.new_key("", &intent)?;
        let (target, id) = (environment.clone(), body.id.clone());
        let (made, seed) = (key.clone(), intent.seed());
        let decide = move |state: &dyn StateReader| {
            Ok((
                decide::step(state, &target, &id, Step::Accept, &made, &seed)?,
                (),
            ))
        };
        let (committed, ()) = self.store.write(&call, &intent, decide).await?;
        self.answer_key(&call, &committed, environment, body.id, (key, &intent))
            .await
    }

    async fn reject_subscription(
        &self,
        request: Request<SubscriptionActionRequest>,
    ) -> Result<Response<Subscription>, Status> {
        self.step(request, "RejectSubscription", Step::Reject).await
    }

    async fn pause_subscription(
        &self,
        request: Request<SubscriptionActionRequest>,
    ) -> Result<Response<Subscription>, Status> {
        self.step(request, "PauseSubscription", Step::Pause).await
    }

    async fn resume_subscription(
        &self,
        request: Request<SubscriptionActionRequest>,
    ) -> Result<Response<Subscription>, Status> {
        self.step(request, "ResumeSubscription", Step::Resume).await
    }

    async fn close_subscription(
        &self,
        request: Request<SubscriptionActionRequest>,
    ) -> Result<Response<Subscription>, Status> {
        self.step(request, "CloseSubscription", Step::Close).await
    }

    async fn update_subscription(
        &self,
        request: Request<UpdateSubscriptionRequest>,
    ) -> Result<Response<Subscription>, Status> {
        let call = Call::of(&request)?;
        let body = request.into_inner();
        let content = body.encode_to_vec();
        let intent = Intent::new(&call, "UpdateSubscription", &body.idempotency_key, &content)?;
        let environment = environment(&body.environment)?;
        let (target, id) = (environment.clone(), body.id.clone());
        let decide = move |state: &dyn StateReader| {
            let (starting_ms, ending_ms) = (body.starting_ms, body.ending_ms);
            Ok((
                decide::set_period(state, &target, &body.id, starting_ms, ending_ms)?,
                (),
            ))
        };
        let (committed, ()) = self.store.write(&call, &intent, decide).await?;
        let stored = self.answer(&call, &committed, environment, id).await?;
        Ok(Response::new(render(&stored)))
    }

    async fn list_keys(
        &self,
        request: Request<ListKeysRequest>,
    ) -> Result<Response<ListKeysResponse>, Status> {
        let call = Call::of(&request)?;
        let body = request.into_inner();
        let environment = environment(&body.environment)?;
        let work = move |state: &dyn StateReader| {
            let stored = lookup::subscription(state, &environment, &body.subscription)?.value;
            let keys = stored
                .keys
                .iter()
                .map(|key| render_key(&stored.id, key))
                .collect();
            Ok(ListKeysResponse { keys })
        };
        Ok(Response::new(self.store.read(&call, work).await?))
    }

    async fn renew_key(
        &self,
        request: Request<RenewKeyRequest>,
    ) -> Result<Response<CreateSubscriptionResponse>, Status> {
        let call = Call::of(&request)?;
        let body = request.into_inner();
        let content = body.encode_to_vec();
        let intent = Intent::new(&call, "RenewKey", &body.idempotency_key, &content)?;
        let environment = environment(&body.environment)?;
        let key = self.new_key(&body.api_key, &intent)?;
        let (target, id) = (environment.clone(), body.subscription.clone());
        let (made, seed) = (key.clone(), intent.seed());
        let decide = move |state: &dyn StateReader| {
            Ok((decide::renew_key(state, &target, &id, &made, &seed)?, ()))
        };
        let (committed, ()) = self.store.write(&call, &intent, decide).await?;
        self.answer_key(
            &call,
            &committed,
            environment,
            body.subscription,
            (key, &intent),
        )
        .await
    }

    async fn revoke_key(
        &self,
        request: Request<KeyActionRequest>,
    ) -> Result<Response<ApiKey>, Status> {
        let call = Call::of(&request)?;
        let body = request.into_inner();
        let intent = Intent::new(
            &call,
            "RevokeKey",
            &body.idempotency_key,
            &body.encode_to_vec(),
        )?;
        let environment = environment(&body.environment)?;
        self.end_key(call, intent, environment, body.key, End::Revoked)
            .await
    }

    async fn expire_key(
        &self,
        request: Request<ExpireKeyRequest>,
    ) -> Result<Response<ApiKey>, Status> {
        let call = Call::of(&request)?;
        let body = request.into_inner();
        let intent = Intent::new(
            &call,
            "ExpireKey",
            &body.idempotency_key,
            &body.encode_to_vec(),
        )?;
        let environment = environment(&body.environment)?;
        if body.expires_ms == 0 {
            return Err(Fault::field("expires_ms", "a time in milliseconds since 1970").into());
        }
        self.end_key(
            call,
            intent,
            environment,
            body.key,
            End::At(body.expires_ms),
        )
        .await
    }
}

fn list_subscriptions(
    state: &dyn StateReader,
    environment: &str,
    request: &ListSubscriptionsRequest,
    page: &Page,
) -> Result<ListSubscriptionsResponse, Fault> {
    let after = page.after_id()?;
    let after = after.as_deref();
    let application = match request.application.as_str() {
        "" => None,
        name => Some(lookup::application(state, environment, name)?.value.id),
    };
    let api = match request.api.as_str() {
        "" => None,
        name => Some(lookup::api(state, environment, name)?.value.id),
    };
    let found = match (&application, &api) {
        (Some(id), _) => {
            query::subscriptions_of_application(state, environment, id, after, page.size)?
        }
        (None, Some(id)) => query::subscriptions_of_api(state, environment, id, after, page.size)?,
        (None, None) => query::subscriptions(state, environment, after, page.size)?,
    };
    // With both filters a page may hold fewer entries than asked for; its token still goes on.
    let wanted = |stored: &&Resource<SubscriptionRecord>| {
        api.as_ref().is_none_or(|api| stored.value.api_id == *api)
    };
    Ok(ListSubscriptionsResponse {
        subscriptions: found.items.iter().filter(wanted).map(render).collect(),
        next_page_token: page.next(found.next.as_deref()),
    })
}

/// True unless no edge can ever have heard of a subscription in this state.
fn may_be_on_edges(status: SubscriptionStatus) -> bool {
    match status {
        SubscriptionStatus::Accepted | SubscriptionStatus::Paused | SubscriptionStatus::Closed => {
            true
        }
        SubscriptionStatus::Unspecified
        | SubscriptionStatus::Pending
        | SubscriptionStatus::Rejected => false,
    }
}

fn check_metadata(metadata: &BTreeMap<String, String>) -> Result<(), Fault> {
    if metadata.len() > METADATA_MAX {
        return Err(Fault::field(
            "metadata",
            &format!("at most {METADATA_MAX} pairs"),
        ));
    }
    for (key, value) in metadata {
        bounded("metadata", key, 1, METADATA_CHARS_MAX)?;
        bounded("metadata", value, 0, METADATA_CHARS_MAX)?;
    }
    Ok(())
}

fn render(subscription: &Resource<SubscriptionRecord>) -> Subscription {
    let record = &subscription.value;
    let status = match record.status() {
        SubscriptionStatus::Unspecified => WireStatus::Unspecified,
        SubscriptionStatus::Pending => WireStatus::Pending,
        SubscriptionStatus::Accepted => WireStatus::Accepted,
        SubscriptionStatus::Rejected => WireStatus::Rejected,
        SubscriptionStatus::Paused => WireStatus::Paused,
        SubscriptionStatus::Closed => WireStatus::Closed,
    };
    Subscription {
        id: record.id.clone(),
        api_id: record.api_id.clone(),
        plan_id: record.plan_id.clone(),
        application_id: record.application_id.clone(),
        status: status.into(),
        starting_ms: record.starting_ms.unwrap_or_default(),
        ending_ms: record.ending_ms.unwrap_or_default(),
        etag: subscription.etag(),
        created_ms: subscription.created_ms,
        updated_ms: subscription.updated_ms,
        metadata: record.metadata.clone().into_iter().collect(),
    }
}

fn render_key(subscription_id: &str, key: &KeyRecord) -> ApiKey {
    ApiKey {
        id: key.id.clone(),
        subscription_id: subscription_id.to_owned(),
        created_ms: key.created_ms,
        expires_ms: key.expires_ms.unwrap_or_default(),
        revoked_ms: key.revoked_ms.unwrap_or_default(),
        hint: key.hint.clone(),
    }
}
