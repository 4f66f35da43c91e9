//! What endpoints are built, and where the routing attribute leads.

use rand::{SeedableRng as _, rngs::SmallRng};
use serde_json::{Value, json};
use tidegate_expression::{Ambient, Lookup, Scope, Segment};
use tidegate_model::{Api, TagSelector};

use super::{Endpoints, build};
use crate::{
    clock::SystemAmbient,
    compile::{NodeFacts, ServerIds},
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

fn endpoints(members: &Value, tenant: Option<&str>) -> Result<Endpoints, String> {
    let definition = json!({
        "id": "a", "name": "a", "apiVersion": "1", "type": "proxy",
        "listeners": [{"type": "http", "paths": [{"path": "/"}],
                       "entrypoints": [{"type": "http-proxy"}]}],
        "endpointGroups": [{"name": "g", "type": "http-proxy", "endpoints": members}],
        "plans": []
    });
    let api = Api::from_canonical(&definition).unwrap();
    let node = NodeFacts {
        id: "edge".to_owned(),
        tags: TagSelector::parse::<&str>(&[]).unwrap(),
        tenant: tenant.map(str::to_owned),
        region: None,
        version: "test".to_owned(),
        system_proxy: None,
        servers: ServerIds::default(),
    };
    build(
        &api.endpoint_groups,
        &node,
        &NoVariables(SystemAmbient),
        1,
        None,
    )
    .map_err(|error| error.path().to_owned())
}

fn endpoint(name: &str, target: &str) -> Value {
    json!({"name": name, "type": "http-proxy", "configuration": {"target": target}})
}

#[test]
fn endpoints_of_other_tenants_are_left_out() {
    let mut eu = endpoint("eu", "http://eu.test");
    eu["tenants"] = json!(["eu"]);
    let members = json!([eu]);
    let mut random = SmallRng::seed_from_u64(1);
    for (tenant, is_there) in [(None, true), (Some("eu"), true), (Some("us"), false)] {
        let built = endpoints(&members, tenant).unwrap();
        assert_eq!(built.next(&mut random).is_some(), is_there, "{tenant:?}");
    }
}

#[test]
fn the_routing_attribute_names_an_endpoint_a_group_a_path_or_a_url() {
    let members = json!([
        endpoint("one", "http://one.test/base"),
        endpoint("two", "https://two.test")
    ]);
    let built = endpoints(&members, None).unwrap();
    let mut random = SmallRng::seed_from_u64(1);
    for (text, authority, path) in [
        ("one:/x", Some("one.test"), Some(("/x", None))),
        ("two:/x?q=1", Some("two.test"), Some(("/x", Some("q=1")))),
        ("one:", Some("one.test"), None),
        ("g:/y", Some("one.test"), Some(("/y", None))),
        ("none:/x", None, None),
        ("/z", Some("two.test"), Some(("/z", None))),
        ("http://[::1]:81/abs?q", Some("[::1]:81"), Some(("", None))),
        ("http:///nohost", None, None),
    ] {
        let found = built.route(text, &mut random);
        let target = found.as_ref().map(|found| match &found.elsewhere {
            Some((target, _)) => target.authority().to_str().unwrap(),
            None => found.endpoint.target.authority().to_str().unwrap(),
        });
        assert_eq!(target, authority, "{text}");
        let found = found.as_ref().and_then(|found| found.path.as_ref());
        let found = found.map(|(path, query)| (path.as_str(), query.as_deref()));
        assert_eq!(found, path, "{text}");
    }
}

#[test]
fn what_cannot_be_called_is_refused_with_its_place() {
    for target in ["ftp://x.test", "/path", "http://"] {
        let place = endpoints(&json!([endpoint("e", target)]), None).unwrap_err();
        assert!(
            place.starts_with("endpointGroups[0].endpoints[0]"),
            "{target}: {place}"
        );
    }
}

#[test]
fn a_store_that_is_no_file_of_fitting_size_is_refused_where_it_stands() {
    let directory = tempfile::tempdir().unwrap();
    let large = directory.path().join("large.pem");
    let file = std::fs::File::create(&large).unwrap();
    file.set_len(2 * 1024 * 1024).unwrap();
    let missing = directory.path().join("missing.pem");
    let device = std::path::Path::new("/dev/zero");
    for path in [&*large, &*missing, directory.path(), device] {
        let mut member = endpoint("one", "https://one.test");
        member["sharedConfigurationOverride"] =
            json!({"ssl": {"trustStore": {"type": "PEM", "path": path}}});
        member["inheritConfiguration"] = json!(false);
        let refused = endpoints(&json!([member]), None).unwrap_err();
        let expected = "endpointGroups[0].endpoints[0].ssl.trustStore";
        assert_eq!(refused, expected, "{}", path.display());
    }
}
