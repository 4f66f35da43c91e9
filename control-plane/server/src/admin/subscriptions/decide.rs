//! What subscriptions may become. Decisions only; each carries the object that edges get.

use std::collections::BTreeMap;

use aws_lc_rs::digest;
use bytes::Bytes;
use serde_json::Value;
use tidegate_model::{
    ApiId, ApplicationId, IdError, KeyObject, PlanId, SubscriptionId, SubscriptionObject,
};
use tidegate_state::{
    ApplicationRecord, Resource, ResourceKind, StateReader, SubscriptionRecord, SubscriptionStatus,
    op::PutSubscription, query,
};

use super::keys;
use crate::{
    admin::{
        Decision, Fault,
        apis::{PlanStage, find_plan, plan_id, text},
        lookup, mint,
    },
    auth::now_ms,
};

/// Subscriptions read at once.
const PAGE: usize = 500;

/// A wish for a subscription.
#[derive(Debug, Clone)]
pub(super) struct Wish {
    pub api: String,
    pub plan: String,
    pub application: String,
    pub starting_ms: Option<u64>,
    pub ending_ms: Option<u64>,
    pub metadata: BTreeMap<String, String>,
    /// The key the client chose, or the one made for it.
    pub key: String,
    pub custom_key: bool,
    /// Scoped idempotency key: ids follow from it.
    pub seed: String,
}

/// Id of the subscription that a call with this scoped idempotency key makes.
pub(super) fn created_id(seed: &str) -> String {
    mint::resource_id("subscription", seed)
}

/// Decides a new subscription.
pub(super) fn create(
    state: &dyn StateReader,
    environment: &str,
    wish: &Wish,
) -> Result<Decision, Fault> {
    let id = created_id(&wish.seed);
    let mut decision = Decision::default();
    if query::subscription(state, environment, &id)?.is_some() {
        return Ok(decision);
    }
    let pepper = lookup::environment(state, environment)?
        .value
        .api_key_pepper;
    let api = lookup::api(state, environment, &wish.api)?;
    let application = lookup::application(state, environment, &wish.application)?;
    let mut document = lookup::document(&api.value)?;
    let plan = find_plan(&mut document, &wish.plan);
    let plan = plan.ok_or_else(|| Fault::not_found("plan", &wish.plan))?;
    let security = subscribable(plan, &application.value)?;
    let plan_id = plan_id(plan).unwrap_or_default().to_owned();
    refuse_second(state, environment, &application.value, &plan_id)?;
    let manual = text(plan, "validation").is_some_and(|v| v.eq_ignore_ascii_case("manual"));
    let status = if manual {
        SubscriptionStatus::Pending
    } else {
        SubscriptionStatus::Accepted
    };
    let with_key = security == "api-key";
    if wish.custom_key && (!with_key || manual) {
        let expected = "no key: the plan has no keys, or one is made when it is accepted";
        return Err(Fault::field("api_key", expected));
    }
    let keys = if with_key && !manual {
        vec![keys::record(&pepper, &wish.key, &wish.seed, now_ms())]
    } else {
        Vec::new()
    };
    let record = SubscriptionRecord {
        id: id.clone(),
        api_id: api.value.id.clone(),
        plan_id,
        application_id: application.value.id.clone(),
        status: status.into(),
        starting_ms: wish.starting_ms,
        ending_ms: wish.ending_ms,
        keys,
        metadata: wish.metadata.clone(),
        object_hash: Bytes::new(),
    };
    check_period(&record)?;
    decision.relies_on(ResourceKind::Subscription, environment, &id, 0);
    decision.relies_on(ResourceKind::Api, environment, &api.value.id, api.revision);
    // Two calls that both see no open subscription must not both succeed.
    let application_id = &application.value.id;
    decision.relies_on(
        ResourceKind::Application,
        environment,
        application_id,
        application.revision,
    );
    put(&mut decision, environment, record, &application.value)?;
    // Moves the revision the line above relies on.
    decision.ops.push(
        tidegate_state::op::PutApplication {
            environment: environment.to_owned(),
            record: application.value,
        }
        .into(),
    );
    Ok(decision)
}

/// Security of a plan that `application` may subscribe to (`gravitee-v4.md` §1.7).
fn subscribable(plan: &Value, application: &ApplicationRecord) -> Result<String, Fault> {
    let name = text(plan, "name").unwrap_or_default();
    if PlanStage::of(plan) != PlanStage::Published {
        let stage = PlanStage::of(plan).as_str();
        return Err(Fault::refused(
            "PLAN_STATE",
            format!("plan {name:?} is {stage}"),
        ));
    }
    let security = plan
        .get("security")
        .and_then(|security| text(security, "type"));
    let security = security
        .unwrap_or_default()
        .to_ascii_lowercase()
        .replace('_', "-");
    match security.as_str() {
        "" | "key-less" | "keyless" => Err(Fault::refused(
            "PLAN_NOT_SUBSCRIBABLE",
            format!("plan {name:?} needs no subscription"),
        )),
        "jwt" | "oauth2" if application.client_id.is_empty() => Err(Fault::refused(
            "CLIENT_ID_MISSING",
            format!("plan {name:?} needs an application with a client id"),
        )),
        "mtls" if application.client_certificate.is_empty() => Err(Fault::refused(
            "CLIENT_CERTIFICATE_MISSING",
            format!("plan {name:?} needs an application with a client certificate"),
        )),
        _ => Ok(security),
    }
}

fn refuse_second(
    state: &dyn StateReader,
    environment: &str,
    application: &ApplicationRecord,
    plan_id: &str,
) -> Result<(), Fault> {
    let mut open = None;
    each_of_application(state, environment, &application.id, |found| {
        if found.value.plan_id == plan_id && found.value.status().is_open() {
            open = Some(found.value.id);
        }
        Ok(())
    })?;
    match open {
        None => Ok(()),
        Some(id) => Err(Fault::Exists {
            key: "SUBSCRIPTION_EXISTS",
            message: format!("the application has the open subscription {id:?} to this plan"),
        }),
    }
}

fn each_of_application(
    state: &dyn StateReader,
    environment: &str,
    application_id: &str,
    mut visit: impl FnMut(Resource<SubscriptionRecord>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut after = None;
    loop {
        let page = query::subscriptions_of_application(
            state,
            environment,
            application_id,
            after.as_deref(),
            PAGE,
        )?;
        for found in page.items {
            visit(found)?;
        }
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(()),
        }
    }
}

/// A step in the life of a subscription (`gravitee-v4.md` §6.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Accept,
    Reject,
    Pause,
    Resume,
    Close,
}

impl Step {
    fn target(self) -> SubscriptionStatus {
        match self {
            Self::Accept | Self::Resume => SubscriptionStatus::Accepted,
            Self::Reject => SubscriptionStatus::Rejected,
            Self::Pause => SubscriptionStatus::Paused,
            Self::Close => SubscriptionStatus::Closed,
        }
    }

    fn is_allowed_from(self, status: SubscriptionStatus) -> bool {
        match self {
            Self::Accept | Self::Reject => status == SubscriptionStatus::Pending,
            Self::Pause => status == SubscriptionStatus::Accepted,
            Self::Resume => status == SubscriptionStatus::Paused,
            Self::Close => status.is_open(),
        }
    }
}

/// Decides a step. `key` is the one to give at acceptance, if the plan has keys.
pub(super) fn step(
    state: &dyn StateReader,
    environment: &str,
    id: &str,
    step: Step,
    key: &str,
    seed: &str,
) -> Result<Decision, Fault> {
    let stored = lookup::subscription(state, environment, id)?;
    let status = stored.value.status();
    if status == step.target() && step != Step::Resume {
        return Ok(Decision::default());
    }
    if !step.is_allowed_from(status) {
        let message = format!("the subscription is {}", status_name(status));
        return Err(Fault::refused("SUBSCRIPTION_STATE", message));
    }
    change(state, environment, &stored, |record| {
        record.set_status(step.target());
        if step == Step::Accept && has_keys(state, environment, record)? {
            let pepper = lookup::environment(state, environment)?
                .value
                .api_key_pepper;
            record.keys.push(keys::record(&pepper, key, seed, now_ms()));
        }
        Ok(())
    })
}

/// Decides a new period of validity.
pub(super) fn set_period(
    state: &dyn StateReader,
    environment: &str,
    id: &str,
    starting_ms: Option<u64>,
    ending_ms: Option<u64>,
) -> Result<Decision, Fault> {
    let stored = lookup::subscription(state, environment, id)?;
    let optional = |given: u64| Some(given).filter(|ms| *ms != 0);
    change(state, environment, &stored, |record| {
        if let Some(given) = starting_ms {
            record.starting_ms = optional(given);
        }
        if let Some(given) = ending_ms {
            record.ending_ms = optional(given);
        }
        check_period(record)
    })
}

/// Decides a new key. An earlier call with the same seed has made it already.
pub(super) fn renew_key(
    state: &dyn StateReader,
    environment: &str,
    id: &str,
    key: &str,
    seed: &str,
) -> Result<Decision, Fault> {
    let stored = lookup::subscription(state, environment, id)?;
    let pepper = lookup::environment(state, environment)?
        .value
        .api_key_pepper;
    let fresh = keys::record(&pepper, key, seed, now_ms());
    if stored.value.keys.iter().any(|key| key.id == fresh.id) {
        return Ok(Decision::default());
    }
    if stored.value.status() != SubscriptionStatus::Accepted {
        let message = format!("the subscription is {}", status_name(stored.value.status()));
        return Err(Fault::refused("SUBSCRIPTION_STATE", message));
    }
    if !has_keys(state, environment, &stored.value)? {
        return Err(Fault::refused(
            "PLAN_WITHOUT_KEYS",
            "the plan has no API keys",
        ));
    }
    change(state, environment, &stored, |record| {
        keys::renew(&mut record.keys, fresh, now_ms());
        Ok(())
    })
}

/// How one key ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Revoked,
    At(u64),
}

/// Decides the end of a key, named by its id or by itself.
pub(super) fn end_key(
    state: &dyn StateReader,
    environment: &str,
    key: &str,
    end: End,
) -> Result<(Decision, String, String), Fault> {
    let (stored, key_id) = find_key(state, environment, key)?;
    let subscription_id = stored.value.id.clone();
    let decision = change(state, environment, &stored, |record| {
        for key in record.keys.iter_mut().filter(|key| key.id == key_id) {
            match end {
                End::Revoked => key.revoked_ms = key.revoked_ms.or(Some(now_ms())),
                End::At(_) if key.revoked_ms.is_some() => {
                    return Err(Fault::refused("KEY_REVOKED", "the key is revoked"));
                }
                End::At(expires_ms) => key.expires_ms = Some(expires_ms),
            }
        }
        Ok(())
    })?;
    Ok((decision, subscription_id, key_id))
}

/// The subscription that has a key, and the id of that key, named by its id or by itself.
pub(super) fn find_key(
    state: &dyn StateReader,
    environment: &str,
    key: &str,
) -> Result<(Resource<SubscriptionRecord>, String), Fault> {
    // Never echoed: it may be a key.
    let unknown = || Fault::not_found("API key", "");
    if key.is_empty() || key.len() > 256 || key.chars().any(char::is_control) {
        return Err(unknown());
    }
    if let Some(found) = query::subscription_by_key_id(state, environment, key)? {
        return Ok((found, key.to_owned()));
    }
    let pepper = lookup::environment(state, environment)?
        .value
        .api_key_pepper;
    let hash = keys::hash(&pepper, key);
    let found = query::subscription_by_key_hash(state, environment, &hash)?.ok_or_else(unknown)?;
    let id = found
        .value
        .keys
        .iter()
        .find(|key| key.hash == hash)
        .map(|key| key.id.clone());
    Ok((found, id.ok_or_else(unknown)?))
}

/// Edits a stored subscription, and says nothing if that changes nothing.
fn change(
    state: &dyn StateReader,
    environment: &str,
    stored: &Resource<SubscriptionRecord>,
    edit: impl FnOnce(&mut SubscriptionRecord) -> Result<(), Fault>,
) -> Result<Decision, Fault> {
    let mut decision = Decision::default();
    let mut record = stored.value.clone();
    edit(&mut record)?;
    if record == stored.value {
        return Ok(decision);
    }
    let application = lookup::application(state, environment, &record.application_id)?;
    decision.relies_on(
        ResourceKind::Subscription,
        environment,
        &record.id,
        stored.revision,
    );
    let (id, revision) = (&application.value.id, application.revision);
    decision.relies_on(ResourceKind::Application, environment, id, revision);
    put(&mut decision, environment, record, &application.value)?;
    Ok(decision)
}

/// Decides that the objects of an application's subscriptions carry its new client id.
pub(in crate::admin) fn follow_application(
    state: &dyn StateReader,
    decision: &mut Decision,
    environment: &str,
    application: &ApplicationRecord,
) -> Result<(), Fault> {
    each_of_application(state, environment, &application.id, |found| {
        if found.value.status() == SubscriptionStatus::Accepted {
            let (id, revision) = (&found.value.id, found.revision);
            decision.relies_on(ResourceKind::Subscription, environment, id, revision);
            put(decision, environment, found.value, application)?;
        }
        Ok(())
    })
}

fn put(
    decision: &mut Decision,
    environment: &str,
    record: SubscriptionRecord,
    application: &ApplicationRecord,
) -> Result<(), Fault> {
    let object = match record.status() {
        SubscriptionStatus::Accepted => Some(object(&record, application)?),
        SubscriptionStatus::Pending
        | SubscriptionStatus::Rejected
        | SubscriptionStatus::Paused
        | SubscriptionStatus::Closed
        | SubscriptionStatus::Unspecified => None,
    };
    let environment = environment.to_owned();
    decision.ops.push(
        PutSubscription {
            environment,
            record,
            object,
        }
        .into(),
    );
    Ok(())
}

/// SHA-256 of a PEM certificate's DER in hexadecimal: edges compare, they need not know it.
fn fingerprint(pem: &str) -> Option<String> {
    let (_, certificate) = x509_parser::pem::parse_x509_pem(pem.as_bytes()).ok()?;
    let digest = digest::digest(&digest::SHA256, &certificate.contents);
    let digits = digest.as_ref().iter().map(|byte| format!("{byte:02x}"));
    Some(digits.collect())
}

/// The bytes edges get of an accepted subscription: no revoked keys, hashes only.
fn object(record: &SubscriptionRecord, application: &ApplicationRecord) -> Result<Bytes, Fault> {
    let stored_id = |error: IdError| Fault::Internal(format!("stored id: {error}"));
    let keys = record.keys.iter().filter(|key| key.revoked_ms.is_none());
    let object = SubscriptionObject {
        id: SubscriptionId::parse(record.id.as_str()).map_err(stored_id)?,
        api: ApiId::parse(record.api_id.as_str()).map_err(stored_id)?,
        plan: PlanId::parse(record.plan_id.as_str()).map_err(stored_id)?,
        application: ApplicationId::parse(record.application_id.as_str()).map_err(stored_id)?,
        client_id: Some(application.client_id.clone()).filter(|id| !id.is_empty()),
        client_certificate: fingerprint(&application.client_certificate),
        starting_ms: record.starting_ms,
        ending_ms: record.ending_ms,
        metadata: record.metadata.clone(),
        keys: keys
            .map(|key| KeyObject {
                id: key.id.clone(),
                hash: key.hash.clone(),
                expires_ms: key.expires_ms,
            })
            .collect(),
    };
    serde_json::to_vec(&object)
        .map(Bytes::from)
        .map_err(|error| Fault::Internal(format!("a subscription does not serialise: {error}")))
}

/// True if the plan of a subscription works with API keys.
fn has_keys(
    state: &dyn StateReader,
    environment: &str,
    record: &SubscriptionRecord,
) -> Result<bool, Fault> {
    let api = lookup::api(state, environment, &record.api_id)?;
    let mut document = lookup::document(&api.value)?;
    let plan = find_plan(&mut document, &record.plan_id);
    let security = plan.as_deref().and_then(|plan| plan.get("security"));
    let security = security
        .and_then(|security| text(security, "type"))
        .unwrap_or_default();
    Ok(security.to_ascii_lowercase().replace('_', "-") == "api-key")
}

fn check_period(record: &SubscriptionRecord) -> Result<(), Fault> {
    match (record.starting_ms, record.ending_ms) {
        (Some(starting_ms), Some(ending_ms)) if ending_ms <= starting_ms => {
            Err(Fault::field("ending_ms", "a time after starting_ms"))
        }
        _ => Ok(()),
    }
}

fn status_name(status: SubscriptionStatus) -> &'static str {
    match status {
        SubscriptionStatus::Pending => "pending",
        SubscriptionStatus::Accepted => "accepted",
        SubscriptionStatus::Rejected => "rejected",
        SubscriptionStatus::Paused => "paused",
        SubscriptionStatus::Closed => "closed",
        SubscriptionStatus::Unspecified => "unknown",
    }
}
