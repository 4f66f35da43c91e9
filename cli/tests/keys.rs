//! Applications, subscriptions and API keys, as a consumer meets them on an edge.

mod definitions;

use std::time::Duration;

use definitions::{TIDEGATE, keyed};
use tidegate_testkit::{System, Upstream, eventually, http};

/// Changes of keys must be effective within this time.
const ONE_SECOND: Duration = Duration::from_secs(1);

fn call(system: &System, key: &str) -> anyhow::Result<u16> {
    Ok(http::get_with(system.edge(0)?, "/paid", &[("X-Gravitee-Api-Key", key)])?.status)
}

fn subscribed() -> anyhow::Result<(System, Upstream, String, String)> {
    let system = System::start(TIDEGATE, &["--no-sample"])?;
    let upstream = Upstream::start("paid")?;
    system.deploy("paid.yaml", &keyed("Paid", "/paid", upstream.address()))?;
    system.ok(&["app", "create", "shop"])?;
    let made = system.json(&[
        "subscription",
        "create",
        "--api",
        "Paid",
        "--plan",
        "Keyed",
        "--app",
        "shop",
    ])?;
    let key = made["apiKey"].as_str().unwrap_or_default().to_owned();
    let subscription = made["id"].as_str().unwrap_or_default().to_owned();
    assert_eq!(made["status"], "ACCEPTED", "{made}");
    eventually("the key to work", ONE_SECOND, || {
        Ok(call(&system, &key)? == 200)
    })?;
    Ok((system, upstream, subscription, key))
}

#[test]
fn a_key_opens_the_door_and_nothing_else_does() -> anyhow::Result<()> {
    let (system, upstream, _, key) = subscribed()?;
    let edge = system.edge(0)?;
    assert_eq!(
        http::get(edge, &format!("/paid?api-key={key}"))?.status,
        200
    );
    let refused = http::get(edge, "/paid")?;
    assert_eq!(refused.status, 401);
    assert_eq!(refused.text(), "Unauthorized", "no Accept header: text");
    let refused = http::get_with(
        edge,
        "/paid",
        &[
            ("X-Gravitee-Api-Key", "wrong-key-wrong"),
            ("Accept", "application/json"),
        ],
    )?;
    assert_eq!(refused.status, 401);
    assert_eq!(
        refused.json()?,
        serde_json::json!({"message": "Unauthorized", "http_status_code": 401})
    );
    let before = upstream.requests();
    let seen = http::get_with(edge, "/paid", &[("X-Gravitee-Api-Key", &key)])?.text();
    assert!(!seen.contains(&key), "the key reached the upstream: {seen}");
    assert_eq!(upstream.requests(), before + 1);
    Ok(())
}

#[test]
fn a_revoked_key_is_dead_within_a_second() -> anyhow::Result<()> {
    let (system, _upstream, subscription, key) = subscribed()?;
    let keys = system.json(&["key", "list", "--subscription", &subscription])?;
    let id = keys[0]["id"].as_str().unwrap_or_default().to_owned();
    assert!(
        !keys.to_string().contains(&key),
        "a key is shown once: {keys}"
    );
    system.ok(&["key", "revoke", &id])?;
    eventually("the key to be refused", ONE_SECOND, || {
        Ok(call(&system, &key)? == 401)
    })
}

#[test]
fn a_renewed_key_works_beside_the_old_one() -> anyhow::Result<()> {
    let (system, _upstream, subscription, old) = subscribed()?;
    let renewed = system.json(&["key", "renew", "--subscription", &subscription])?;
    let new = renewed["apiKey"].as_str().unwrap_or_default().to_owned();
    assert_ne!(new, old);
    eventually("the new key to work", ONE_SECOND, || {
        Ok(call(&system, &new)? == 200)
    })?;
    assert_eq!(call(&system, &old)?, 200, "the old key has a grace period");
    Ok(())
}

#[test]
fn an_expired_key_says_so() -> anyhow::Result<()> {
    let (system, _upstream, _, key) = subscribed()?;
    system.ok(&["key", "expire", &key, "--at", "2020-01-01T00:00:00Z"])?;
    eventually("the key to be refused", ONE_SECOND, || {
        Ok(call(&system, &key)? == 401)
    })
}

#[test]
fn pausing_and_closing_a_subscription_stops_its_keys() -> anyhow::Result<()> {
    let (system, _upstream, subscription, key) = subscribed()?;
    system.ok(&["subscription", "pause", &subscription])?;
    eventually("the pause", ONE_SECOND, || Ok(call(&system, &key)? == 401))?;
    system.ok(&["subscription", "resume", &subscription])?;
    eventually("the resumption", ONE_SECOND, || {
        Ok(call(&system, &key)? == 200)
    })?;
    system.ok(&[
        "subscription",
        "update",
        &subscription,
        "--ending-at",
        "2020-01-01T00:00:00Z",
    ])?;
    eventually("the end date", ONE_SECOND, || {
        Ok(call(&system, &key)? == 401)
    })?;
    system.ok(&["subscription", "close", &subscription])?;
    system.refused(&["subscription", "resume", &subscription])?;
    Ok(())
}

#[test]
fn an_own_key_is_taken_as_given_and_never_stored() -> anyhow::Result<()> {
    let (system, _upstream, ..) = subscribed()?;
    system.ok(&["app", "create", "second"])?;
    let own = "my-very-own-key-0123456789";
    let made = system.json(&[
        "subscription",
        "create",
        "--api",
        "Paid",
        "--plan",
        "Keyed",
        "--app",
        "second",
        "--api-key",
        own,
    ])?;
    assert_eq!(made["apiKey"], own);
    eventually("the key to work", ONE_SECOND, || {
        Ok(call(&system, own)? == 200)
    })?;
    for folder in ["control-1", "edge-1", "logs"] {
        assert!(
            !contains(&system.data_dir().join(folder), own.as_bytes())?,
            "the key lies in {folder} in clear text"
        );
    }
    Ok(())
}

fn contains(folder: &std::path::Path, needle: &[u8]) -> anyhow::Result<bool> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let found = match path.is_dir() {
            true => contains(&path, needle)?,
            false => std::fs::read(&path)?
                .windows(needle.len())
                .any(|window| window == needle),
        };
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}
