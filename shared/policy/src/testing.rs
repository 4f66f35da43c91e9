//! An exchange for tests.

use std::sync::Arc;

use http::Method;
use http::uri::PathAndQuery;
use tidegate_expression::{Ambient, ValueMap};

use crate::{ApiFacts, Exchange, NodeFacts, RequestFacts, Services};

#[derive(Debug)]
struct FixedAmbient;

impl Ambient for FixedAmbient {
    fn now_ms(&self) -> u64 {
        0
    }

    fn nanos(&self) -> u64 {
        0
    }

    fn random(&self) -> u64 {
        0
    }
}

pub(crate) fn services() -> Services {
    Services::isolated(Arc::new(FixedAmbient))
}

/// `GET` of a target of the API `shop` below `/shop/`.
pub(crate) fn exchange(target: &'static str) -> Exchange {
    let target = PathAndQuery::from_static(target);
    let request = RequestFacts::new(Method::GET, target, Arc::from("/shop/"));
    let api = ApiFacts {
        id: "shop-id".into(),
        name: "Shop".into(),
        version: "1".into(),
        organization: "org".into(),
        environment: "env".into(),
        properties: Arc::new(ValueMap::from_iter([("limit", "10")])),
        endpoints: Arc::new(ValueMap::from_iter([("eu", "eu:")])),
        targets: Arc::default(),
        dictionaries: Arc::new(ValueMap::new()),
        resources: Arc::default(),
    };
    let node = NodeFacts {
        id: "edge-1".into(),
        version: "0.1.0".into(),
        tenant: None,
        sharding_tags: vec!["a".into(), "!b".into()],
        zone: None,
    };
    Exchange::new(request, Arc::new(api), Arc::new(node), &services())
}
