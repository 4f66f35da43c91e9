//! What must hold in every state, checked by building it again from the resources alone.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::{
    ApiRecord, ApplicationRecord, DeploymentRecord, Hash, MemoryState, StateReader as _,
    SubscriptionRecord, Table, TokenRecord,
    key::{self, Index},
    query::{self, Record, Resource},
};

/// Demands all invariants of a state.
pub(crate) fn check(state: &MemoryState, environments: &[&str]) {
    let mut indexes = BTreeMap::new();
    let mut references = BTreeMap::new();
    for environment in environments {
        check_environment(state, environment, &mut indexes, &mut references);
    }
    for token in all::<TokenRecord>(state, "") {
        let hash = Hash::try_from(token.value.secret_hash.as_ref()).unwrap();
        let value = blake3::Hash::from(hash).to_hex();
        indexes.insert(
            key::index(Index::TokenSecret, "", &value),
            token.value.id.into(),
        );
    }
    let stored: BTreeMap<_, Bytes> = state
        .scan(Table::Index, &[], None, usize::MAX)
        .unwrap()
        .into_iter()
        .collect();
    assert_eq!(
        stored, indexes,
        "indexes equal a rebuild from the resources"
    );
    check_objects(state, &references);
}

fn check_environment(
    state: &MemoryState,
    environment: &str,
    indexes: &mut BTreeMap<Bytes, Bytes>,
    references: &mut BTreeMap<Hash, u64>,
) {
    let mut refer = |hash: &[u8]| *references.entry(hash.try_into().unwrap()).or_default() += 1;
    let mut index = |index, value: &str, owner: &str| {
        let key = key::index(index, environment, value);
        assert_eq!(
            indexes.insert(key, owner.to_owned().into()),
            None,
            "{value} is unique"
        );
    };
    let apis = all::<ApiRecord>(state, environment);
    let applications = all::<ApplicationRecord>(state, environment);
    let subscriptions = all::<SubscriptionRecord>(state, environment);
    for api in &apis {
        let api = &api.value;
        index(Index::ApiName, &api.name, &api.id);
        api.plan_ids
            .iter()
            .for_each(|plan_id| index(Index::PlanId, plan_id, &api.id));
        api.claims
            .iter()
            .for_each(|claim| index(Index::Claim, claim, &api.id));
        let live = query::live(state, environment, "api", &api.id).unwrap();
        assert_eq!(
            live.is_some(),
            api.deployed_number > 0,
            "live exactly when deployed"
        );
        let deployments = query::deployments(state, environment, &api.id, None, 1000).unwrap();
        let numbers: Vec<_> = deployments.items.iter().map(|found| found.number).collect();
        let kept = u64::try_from(numbers.len()).unwrap();
        let expected: Vec<_> = (0..kept).map(|back| api.deployed_number - back).collect();
        assert_eq!(
            numbers, expected,
            "the history is dense and ends at the newest"
        );
    }
    for application in &applications {
        let ApplicationRecord {
            id,
            name,
            client_id,
            ..
        } = &application.value;
        index(Index::ApplicationName, name, id);
        if !client_id.is_empty() {
            index(Index::ClientId, client_id, id);
        }
    }
    for subscription in &subscriptions {
        let record = &subscription.value;
        for key in &record.keys {
            index(Index::KeyId, &key.id, &record.id);
            index(Index::KeyHash, &key.hash, &record.id);
        }
        let api = apis
            .iter()
            .find(|api| api.value.id == record.api_id)
            .expect("its API exists");
        let plan_exists = api.value.plan_ids.contains(&record.plan_id);
        assert!(
            plan_exists || !record.status().is_open(),
            "its plan exists while it is open"
        );
        assert!(
            applications
                .iter()
                .any(|found| found.value.id == record.application_id)
        );
        if !record.object_hash.is_empty() {
            refer(&record.object_hash);
        }
        check_live(state, environment, &api.value, record);
    }
    for subscription in subscriptions {
        let SubscriptionRecord {
            id,
            api_id,
            application_id,
            ..
        } = subscription.value;
        let lists = [
            (Index::SubscriptionByApi, api_id),
            (Index::SubscriptionByApplication, application_id),
        ];
        for (list, owner) in lists {
            indexes.insert(
                key::index_member(list, environment, &owner, &id),
                Bytes::new(),
            );
        }
    }
    for live in query::live_objects(state, environment, None, 1000)
        .unwrap()
        .items
    {
        refer(&live.record.object_hash);
        let owner = apis.iter().any(|api| api.value.id == live.record.api_id);
        assert!(owner, "a live object belongs to an API");
    }
    let prefix = key::live_prefix(environment);
    for (_, bytes) in state
        .scan(Table::Deployment, &prefix, None, usize::MAX)
        .unwrap()
    {
        let stored = crate::draft::decode_stored(Table::Deployment, &bytes).unwrap();
        let deployment: DeploymentRecord = prost::Message::decode(stored.value).unwrap();
        refer(&deployment.object_hash);
        refer(&deployment.document_hash);
    }
}

/// A subscription's object is live exactly when it has one and its API is live, under the API's facts.
fn check_live(
    state: &MemoryState,
    environment: &str,
    api: &ApiRecord,
    record: &SubscriptionRecord,
) {
    let live = query::live(state, environment, "subscription", &record.id).unwrap();
    let api = query::live(state, environment, "api", &api.id).unwrap();
    match (live, api) {
        (Some(live), Some(api)) => {
            assert_eq!(live.value.object_hash, record.object_hash);
            assert_eq!(live.value.tags, api.value.tags);
            assert_eq!(live.value.plan_tags, api.value.plan_tags);
        }
        (None, Some(_)) => assert!(record.object_hash.is_empty()),
        (None, None) => {}
        (Some(_), None) => panic!("a subscription is live without its API"),
    }
}

fn check_objects(state: &MemoryState, references: &BTreeMap<Hash, u64>) {
    let entries = state.scan(Table::Object, &[], None, usize::MAX).unwrap();
    assert_eq!(
        entries.len(),
        2 * references.len(),
        "objects exist exactly while referenced"
    );
    for (hash, expected) in references {
        assert_eq!(query::object_references(state, hash).unwrap(), *expected);
        let bytes = query::object(state, hash)
            .unwrap()
            .expect("a referenced object is there");
        assert_eq!(blake3::hash(&bytes).as_bytes(), hash);
    }
}

fn all<T: Record>(state: &MemoryState, environment: &str) -> Vec<Resource<T>> {
    query::resources(state, environment, None, query::PAGE_MAX)
        .unwrap()
        .items
}
