//! What a group makes of what was found.

use std::sync::Arc;

use rand::{SeedableRng as _, rngs::SmallRng};
use serde_json::{Value, json};
use tidegate_expression::{Ambient, Lookup, Scope, Segment};
use tidegate_model::{Api, TagSelector};

use super::{Discovery, DiscoveryStatus, INSTANCES_MAX, Instance, state::Change};
use crate::{
    clock::SystemAmbient,
    compile::{NodeFacts, ServerIds},
    endpoint::{Endpoints, build},
};

struct NoVariables(SystemAmbient);

impl Scope for NoVariables {
    fn lookup(&self, _variable: &str, _path: &[Segment]) -> Lookup {
        Lookup::Undefined
    }

    fn ambient(&self) -> &dyn Ambient {
        &self.0
    }
}

fn compiled(name: &str, shared: &Value, previous: Option<&Endpoints>) -> Result<Endpoints, String> {
    let definition = json!({
        "id": "a", "name": "a", "apiVersion": "1", "type": "proxy",
        "listeners": [{"type": "http", "paths": [{"path": "/"}],
                       "entrypoints": [{"type": "http-proxy"}]}],
        "endpointGroups": [{"name": "g", "type": "http-proxy", "sharedConfiguration": shared,
            "endpoints": [{"name": "fixed", "type": "http-proxy", "secondary": true,
                           "configuration": {"target": "http://fixed.test"}}],
            "services": {"discovery": {"type": "dns-service-discovery",
                                       "configuration": {"name": name, "port": 8080}}}}],
        "plans": []
    });
    let api = Api::from_canonical(&definition).unwrap();
    let node = NodeFacts {
        id: "edge".to_owned(),
        tags: TagSelector::parse::<&str>(&[]).unwrap(),
        tenant: Some("eu".to_owned()),
        region: None,
        version: "test".to_owned(),
        system_proxy: None,
        servers: ServerIds::default(),
    };
    let scope = NoVariables(SystemAmbient);
    build(&api.endpoint_groups, &node, &scope, 1, previous).map_err(|error| error.path().to_owned())
}

fn group(name: &str) -> Endpoints {
    compiled(name, &json!({}), None).unwrap()
}

fn discovery(endpoints: &Endpoints) -> &Arc<Discovery> {
    endpoints.groups()[0].discovery().unwrap()
}

fn names(endpoints: &Endpoints) -> Vec<String> {
    let all = endpoints.groups()[0].endpoints();
    all.iter()
        .map(|endpoint| endpoint.name.to_string())
        .collect()
}

fn instance(id: &str) -> Instance {
    Instance::new(id, &format!("{id}.test"), 80)
}

#[test]
fn what_is_found_joins_what_is_written() {
    let endpoints = group("web.test");
    let mut random = SmallRng::seed_from_u64(1);
    assert_eq!(&*endpoints.next(&mut random).unwrap().name, "fixed");
    let change = discovery(&endpoints).publish(vec![instance("b"), instance("a")]);
    assert_eq!((change.added, change.removed), (2, 0));
    assert_eq!(names(&endpoints), ["a", "b", "fixed"]);
    assert_eq!(&*endpoints.next(&mut random).unwrap().name, "a");
    let named = endpoints.route("b:/x", &mut random).unwrap();
    assert_eq!(&*named.endpoint.name, "b");
    assert!(endpoints.route("c:/x", &mut random).is_none());
    discovery(&endpoints).publish(Vec::new());
    assert_eq!(names(&endpoints), ["fixed"]);
}

#[test]
fn an_endpoint_that_stays_is_the_same_one_whatever_its_weight() {
    let endpoints = group("web.test");
    discovery(&endpoints).publish(vec![instance("a"), instance("b")]);
    let before = endpoints.groups()[0].endpoints();
    let heavier = Instance {
        weight: 5,
        ..instance("a")
    };
    let change = discovery(&endpoints).publish(vec![heavier.clone()]);
    let expected = Change {
        added: 0,
        removed: 1,
        is_changed: true,
        left_out: 0,
    };
    assert_eq!(change, expected);
    assert!(Arc::ptr_eq(
        &before[0],
        &endpoints.groups()[0].endpoints()[0]
    ));
    let again = discovery(&endpoints).publish(vec![heavier]);
    assert_eq!(again, Change::default(), "nothing changes twice");
}

#[test]
fn tenants_priorities_and_names_are_respected() {
    let endpoints = group("web.test");
    let of = |tenant: &str, id: &str| Instance {
        tenant: Some(tenant.into()),
        ..instance(id)
    };
    let later = Instance {
        priority: 10,
        ..instance("later")
    };
    let odd = Instance::new("x:1/y", "x.test", 80);
    let same = Instance::new("fixed", "y.test", 80);
    discovery(&endpoints).publish(vec![of("us", "us"), of("eu", "eu"), later, odd, same]);
    assert_eq!(
        names(&endpoints),
        ["eu", "fixed-2", "x-1-y", "fixed", "later"]
    );
}

#[test]
fn nothing_that_a_source_says_goes_beyond_the_limits() {
    let endpoints = group("web.test");
    let many = (0..INSTANCES_MAX + 7).map(|number| instance(&format!("i{number}")));
    let mut found: Vec<Instance> = many.collect();
    found.push(Instance::new("bad", "not a host", 80));
    found.push(Instance::new(&"é".repeat(5000), "long.test", 80));
    let change = discovery(&endpoints).publish(found);
    assert!(change.left_out >= 8, "{change:?}");
    let all = endpoints.groups()[0].endpoints();
    assert!(all.len() <= INSTANCES_MAX + 1);
    assert!(all.iter().all(|endpoint| endpoint.name.len() <= 260));
}

#[test]
fn a_failure_keeps_what_is_known() {
    let endpoints = group("web.test");
    let discovery = discovery(&endpoints);
    discovery.failed("no route".to_owned());
    assert_eq!(discovery.progress().status, DiscoveryStatus::Waiting);
    discovery.publish(vec![instance("a")]);
    assert_eq!(discovery.progress().status, DiscoveryStatus::Current);
    discovery.failed("no route".to_owned());
    let progress = discovery.progress();
    assert_eq!(progress.status, DiscoveryStatus::Stale);
    assert_eq!(progress.cause, "no route");
    assert_eq!(discovery.counts(), (1, 2));
    assert_eq!(names(&endpoints), ["a", "fixed"]);
}

#[test]
fn a_new_definition_begins_with_what_the_one_before_knew_of_the_same_source() {
    let before = group("web.test");
    discovery(&before).publish(vec![instance("a")]);
    let shared = json!({"http": {"readTimeout": 50}});
    let same = compiled("web.test", &shared, Some(&before)).unwrap();
    assert_eq!(names(&same), ["a", "fixed"]);
    let read_timeout = same.groups()[0].endpoints()[0]
        .target
        .options()
        .read_timeout;
    assert_eq!(read_timeout.as_millis(), 50, "the new options hold");
    let other = compiled("other.test", &shared, Some(&before)).unwrap();
    assert_eq!(names(&other), ["fixed"]);
}

#[test]
fn found_endpoints_are_called_by_the_name_they_were_found_under() {
    let endpoints = group("web.test");
    let named = Instance {
        name: Some("web.test".into()),
        secured: Some(true),
        path: Some("/base".into()),
        ..Instance::new("one", "10.0.0.1", 8443)
    };
    discovery(&endpoints).publish(vec![named]);
    let endpoint = &endpoints.groups()[0].endpoints()[0];
    assert_eq!(endpoint.target.authority(), "web.test:8443");
    assert_eq!(endpoint.target.options().host, "10.0.0.1");
    assert!(endpoint.target.options().tls.is_some());
    assert_eq!(endpoint.path.base(), "/base");
}

#[test]
fn what_cannot_be_used_is_refused_with_its_place() {
    assert_eq!(
        compiled("a..b", &json!({}), None).unwrap_err(),
        "endpointGroups[0].services.discovery.configuration.name"
    );
}
