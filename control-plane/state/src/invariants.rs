//! What must hold in every state, checked by building it again from the resources alone.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::{
    ApiRecord, ApplicationRecord, AssetKind, AssetRecord, DeploymentRecord, FeedRecord, Hash,
    MemoryState, StateReader as _, SubscriptionRecord, Table, TokenRecord,
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

/// What a state must hold, collected from its resources.
struct Rebuild<'a> {
    environment: &'a str,
    indexes: &'a mut BTreeMap<Bytes, Bytes>,
    references: &'a mut BTreeMap<Hash, u64>,
}

impl Rebuild<'_> {
    fn index(&mut self, index: Index, value: &str, owner: &str) {
        let key = key::index(index, self.environment, value);
        let before = self.indexes.insert(key, owner.to_owned().into());
        assert_eq!(before, None, "{value} is unique");
    }

    fn list(&mut self, list: Index, owner: &str, member: &str) {
        let key = key::index_member(list, self.environment, owner, member);
        self.indexes.insert(key, Bytes::new());
    }

    fn mark(&mut self, feed: &str) {
        let key = key::index(Index::Feed, self.environment, feed);
        self.indexes.insert(key, Bytes::new());
    }

    fn refer(&mut self, hash: &[u8]) {
        *self.references.entry(hash.try_into().unwrap()).or_default() += 1;
    }
}

#[expect(clippy::too_many_lines, reason = "one check for each table")]
fn check_environment(
    state: &MemoryState,
    environment: &str,
    indexes: &mut BTreeMap<Bytes, Bytes>,
    references: &mut BTreeMap<Hash, u64>,
) {
    let mut rebuild = Rebuild {
        environment,
        indexes,
        references,
    };
    let apis = all::<ApiRecord>(state, environment);
    for api in &apis {
        check_api(state, &api.value, &mut rebuild);
    }
    let applications = all::<ApplicationRecord>(state, environment);
    for application in &applications {
        let ApplicationRecord {
            id,
            name,
            client_id,
            ..
        } = &application.value;
        rebuild.index(Index::ApplicationName, name, id);
        if !client_id.is_empty() {
            rebuild.index(Index::ClientId, client_id, id);
        }
    }
    for subscription in all::<SubscriptionRecord>(state, environment) {
        let record = subscription.value;
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
        check_live(state, environment, &api.value, &record);
        check_subscription(&record, &mut rebuild);
    }
    for live in query::live_objects(state, environment, None, 1000)
        .unwrap()
        .items
    {
        rebuild.refer(&live.record.object_hash);
        let owner = apis.iter().any(|api| api.value.id == live.record.api_id);
        assert!(
            owner || live.record.is_everywhere,
            "a live object belongs to an API or to the environment"
        );
    }
    let assets = all::<AssetRecord>(state, environment);
    for asset in &assets {
        check_asset(state, &asset.value, &mut rebuild);
    }
    for feed in all::<FeedRecord>(state, environment) {
        if !feed.value.object_hash.is_empty() {
            rebuild.refer(&feed.value.object_hash);
        }
    }
    let prefix = key::live_prefix(environment);
    for (_, bytes) in state
        .scan(Table::Deployment, &prefix, None, usize::MAX)
        .unwrap()
    {
        let stored = crate::draft::decode_stored(Table::Deployment, &bytes).unwrap();
        let deployment: DeploymentRecord = prost::Message::decode(stored.value).unwrap();
        rebuild.refer(&deployment.object_hash);
        rebuild.refer(&deployment.document_hash);
    }
}

fn check_api(state: &MemoryState, api: &ApiRecord, rebuild: &mut Rebuild<'_>) {
    rebuild.index(Index::ApiName, &api.name, &api.id);
    for plan_id in &api.plan_ids {
        rebuild.index(Index::PlanId, plan_id, &api.id);
    }
    for claim in &api.claims {
        rebuild.index(Index::Claim, claim, &api.id);
    }
    for (list, groups) in [
        (Index::AssetUse, &api.groups),
        (Index::AssetLiveUse, &api.deployed_groups),
    ] {
        for group in groups {
            rebuild.list(list, group, &api.id);
        }
    }
    for group in &api.deployed_groups {
        let kind = AssetKind::SharedPolicyGroup;
        let group = query::asset(state, rebuild.environment, kind, group).unwrap();
        assert!(
            group.is_some_and(|group| group.value.is_deployed),
            "an API runs with deployed groups only"
        );
    }
    if api.has_feed {
        rebuild.mark(&format!("properties/{}", api.id));
    }
    let properties = query::live(state, rebuild.environment, "properties", &api.id).unwrap();
    let live = query::live(state, rebuild.environment, "api", &api.id).unwrap();
    if let Some(properties) = properties {
        let live = live.as_ref().expect("properties are live with their API");
        assert!(api.has_feed);
        assert_eq!(properties.value.tags, live.value.tags);
        assert_eq!(properties.value.plan_tags, live.value.plan_tags);
    }
    assert_eq!(
        live.is_some(),
        api.deployed_number > 0,
        "live exactly when deployed"
    );
    let page = query::deployments(state, rebuild.environment, &api.id, None, 1000).unwrap();
    let numbers: Vec<_> = page.items.iter().map(|found| found.number).collect();
    let kept = u64::try_from(numbers.len()).unwrap();
    let expected: Vec<_> = (0..kept).map(|back| api.deployed_number - back).collect();
    assert_eq!(
        numbers, expected,
        "the history is dense and ends at the newest"
    );
}

fn check_asset(state: &MemoryState, asset: &AssetRecord, rebuild: &mut Rebuild<'_>) {
    let kind = AssetKind::try_from(asset.kind).unwrap();
    let environment = rebuild.environment;
    let id = asset.id.as_str();
    rebuild.index(Index::AssetName, &query::asset_key(kind, &asset.name), id);
    if !asset.alias.is_empty() {
        rebuild.index(Index::AssetAlias, &query::asset_key(kind, &asset.alias), id);
    }
    if asset.is_deployed && asset.has_feed {
        rebuild.mark(&query::asset_key(kind, id));
    }
    let live = query::live(state, environment, kind.name(), id).unwrap();
    assert_eq!(live.is_some(), asset.is_deployed);
    assert!(live.is_none_or(|live| live.value.is_everywhere));
    let owner = kind.owner(id);
    let page = query::deployments(state, environment, &owner, None, 1000).unwrap();
    assert_eq!(
        page.items.first().map(|newest| newest.number).unwrap_or(0),
        asset.deployed_number
    );
}

fn check_subscription(record: &SubscriptionRecord, rebuild: &mut Rebuild<'_>) {
    for key in &record.keys {
        rebuild.index(Index::KeyId, &key.id, &record.id);
        rebuild.index(Index::KeyHash, &key.hash, &record.id);
    }
    rebuild.list(Index::SubscriptionByApi, &record.api_id, &record.id);
    rebuild.list(
        Index::SubscriptionByApplication,
        &record.application_id,
        &record.id,
    );
    if !record.object_hash.is_empty() {
        rebuild.refer(&record.object_hash);
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
