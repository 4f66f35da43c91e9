//! Lists, ranges, host names and whose address counts.

use std::net::IpAddr;
use std::rc::Rc;

use serde_json::{Value, json};
use tidegate_policy::{BoxFuture, CallError, NameResolver, Phase, Services};

use crate::testing::{example, exchange, failure, refusal, run_with, services};

const NAME: &str = "ip-filtering";

/// Knows `partner.example` alone.
#[derive(Debug)]
struct Names;

impl NameResolver for Names {
    fn resolve<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, CallError>> {
        let found = match host {
            "partner.example" => Ok(vec![
                IpAddr::from([192, 0, 2, 7]),
                "2001:db8::7".parse().unwrap(),
            ]),
            _ => Err(CallError::UnknownHost(host.to_owned())),
        };
        Box::pin(std::future::ready(found))
    }
}

/// The message of the refusal, if there is one.
fn refused(configuration: &Value, address: &str, forwarded: Option<&str>) -> Option<String> {
    let services = Services {
        names: Rc::new(Names),
        ..services()
    };
    let mut exchange = exchange();
    exchange.request.remote_address = address.parse().unwrap();
    if let Some(forwarded) = forwarded {
        exchange
            .request
            .headers
            .insert("x-forwarded-for", forwarded.parse().unwrap());
    }
    let outcome = run_with(
        NAME,
        configuration,
        Phase::Request,
        &mut exchange,
        &services,
    );
    if outcome.is_continue() {
        return None;
    }
    let failure = failure(outcome);
    assert_eq!(failure.status, 403);
    assert_eq!(failure.key, None);
    failure.message.map(|message| message.to_string())
}

fn passes(configuration: &Value, address: &str) -> bool {
    refused(configuration, address, None).is_none()
}

#[test]
fn the_example_of_the_readme_runs() {
    let configuration = example(include_str!("README.md"));
    assert!(passes(&configuration, "10.1.2.3"));
    assert!(passes(&configuration, "192.0.2.7"));
    assert!(!passes(&configuration, "10.0.0.7"));
    assert_eq!(
        refused(&configuration, "203.0.113.1", None).as_deref(),
        Some(
            "Your IP (203.0.113.1) or some proxies whereby your request pass through are not allowed to reach this resource."
        )
    );
}

#[test]
fn ranges_leave_their_edges_out_unless_they_are_inclusive() {
    let range = json!({"whitelistIps": ["10.0.0.0/24"]});
    let inclusive = json!({"whitelistIps": ["10.0.0.0/24"], "isInclusiveHostCount": true});
    for (address, in_range, in_inclusive) in [
        ("10.0.0.0", false, true),
        ("10.0.0.1", true, true),
        ("10.0.0.255", false, true),
        ("10.0.1.1", false, false),
        ("::ffff:10.0.0.9", true, true),
    ] {
        assert_eq!(passes(&range, address), in_range, "{address}");
        assert_eq!(passes(&inclusive, address), in_inclusive, "{address}");
    }
    let single = json!({"whitelistIps": ["10.0.0.4/32, 2001:db8::/32"]});
    assert!(passes(&single, "10.0.0.4"));
    assert!(passes(&single, "2001:db8::"));
}

#[test]
fn host_names_are_looked_up_and_an_unknown_one_refuses() {
    let partner = json!({"whitelistIps": ["partner.example"]});
    assert!(passes(&partner, "192.0.2.7"));
    assert!(passes(&partner, "2001:db8::7"));
    assert!(!passes(&partner, "192.0.2.8"));
    let only_6 = json!({"whitelistIps": ["partner.example"], "lookupIpVersion": "IPV6"});
    assert!(!passes(&only_6, "192.0.2.7"));
    let denied = json!({"blacklistIps": ["partner.example"]});
    assert!(!passes(&denied, "192.0.2.7"));
    assert!(passes(&denied, "192.0.2.8"));
    for list in ["whitelistIps", "blacklistIps"] {
        assert!(!passes(&json!({list: ["gone.example"]}), "192.0.2.8"));
    }
}

#[test]
fn every_forwarded_address_must_pass() {
    let allowed =
        json!({"matchAllFromXForwardedFor": true, "whitelistIps": ["10.0.0.1", "10.0.0.2"]});
    let denied = json!({"matchAllFromXForwardedFor": true, "blacklistIps": ["10.0.0.2"]});
    for (forwarded, passes_allowed, passes_denied) in [
        ("10.0.0.1", true, true),
        ("10.0.0.1, 10.0.0.2", true, false),
        ("10.0.0.1, 10.0.0.3", false, true),
        ("10.0.0.1, unknown", false, true),
        ("unknown", false, false),
    ] {
        let passes = |list| refused(list, "10.0.0.1", Some(forwarded)).is_none();
        assert_eq!(passes(&allowed), passes_allowed, "{forwarded}");
        assert_eq!(passes(&denied), passes_denied, "{forwarded}");
    }
    assert!(
        passes(&allowed, "10.0.0.1"),
        "without the header the client counts"
    );
}

#[test]
fn expressions_give_lists_and_addresses() {
    let configuration = json!({
        "useCustomIPAddress": true,
        "customIPAddress": "{#request.headers['X-Forwarded-For'][0]}",
        "whitelistIps": ["{('10.0.0.1,10.0.0.' + #api.properties['limit'])}"]
    });
    assert!(refused(&configuration, "127.0.0.1", Some("10.0.0.10")).is_none());
    assert!(refused(&configuration, "127.0.0.1", Some("10.0.0.11")).is_some());
    assert!(refused(&configuration, "127.0.0.1", None).is_some());
}

#[test]
fn nothing_configured_lets_everything_pass() {
    assert!(passes(&json!({}), "10.0.0.1"));
    assert!(passes(
        &json!({"whitelistIps": null, "blacklistIps": [""]}),
        "10.0.0.1"
    ));
}

#[test]
fn wrong_configuration_is_refused_with_its_place() {
    for (configuration, path) in [
        (
            json!({"whitelistIps": ["10.0.0.1", "10.0.0.300"]}),
            "whitelistIps[1]",
        ),
        (json!({"blacklistIps": ["10.0.0.0/33"]}), "blacklistIps[0]"),
        (
            json!({"useCustomIPAddress": true, "customIPAddress": "{#a +}"}),
            "customIPAddress",
        ),
    ] {
        assert_eq!(refusal(NAME, &configuration).path, path);
    }
}
