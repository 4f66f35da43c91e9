//! Comparing definitions: whether a draft differs from what is deployed, and in what.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::read::{is_same_label, member_path};

/// The members whose change makes a deployment necessary, besides `plans`.
const DEPLOYED_MEMBERS: &[&str] = &[
    "tags",
    "listeners",
    "endpointGroups",
    "analytics",
    "failover",
    "properties",
    "resources",
    "flowExecution",
    "flows",
    "responseTemplates",
    "services",
];
/// The members of a plan whose change makes a deployment necessary.
const DEPLOYED_PLAN_MEMBERS: &[&str] = &[
    "id",
    "crossId",
    "name",
    "mode",
    "security",
    "status",
    "selectionRule",
    "tags",
    "flows",
    "definitionVersion",
];
/// The members by which items of lists are recognised, best first.
const IDENTITY_MEMBERS: &[&str] = &["id", "name", "key"];

/// One place where two documents differ.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// Where, as a dotted path; items with an identity are named by it: `plans[name=Gold].status`.
    pub path: String,
    /// The value in the first document; `None` when it is absent there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Value>,
    /// The value in the second document; `None` when it is absent there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Value>,
}

/// True if a draft must be deployed again to take effect.
///
/// Only what runs counts: tags, listeners, endpoint groups, analytics, failover, properties, resources, plans that are
/// or were served, flows and their execution, response templates, services. Names, descriptions, labels and
/// the like do not. An absent member equals an empty one.
#[must_use]
pub fn out_of_sync(deployed: &Value, draft: &Value) -> bool {
    let differs = |name: &&str| !is_same(deployed.get(*name), draft.get(*name));
    DEPLOYED_MEMBERS.iter().any(differs) || running_plans(deployed) != running_plans(draft)
}

fn is_same(a: Option<&Value>, b: Option<&Value>) -> bool {
    let present = |value: Option<&Value>| value.filter(|value| !is_nothing(value)).cloned();
    present(a) == present(b)
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// What edges see of the plans that are served, in document order.
fn running_plans(document: &Value) -> Vec<Map<String, Value>> {
    let is_served = |plan: &&Value| {
        let status = plan
            .get("status")
            .and_then(Value::as_str)
            .unwrap_or("staging");
        ["published", "deprecated"]
            .iter()
            .any(|served| is_same_label(served, status))
    };
    let running = |plan: &Value| {
        let member = |name: &&str| {
            let value = plan.get(*name).filter(|value| !is_nothing(value))?;
            Some(((*name).to_owned(), value.clone()))
        };
        DEPLOYED_PLAN_MEMBERS.iter().filter_map(member).collect()
    };
    let plans = document.get("plans").and_then(Value::as_array);
    plans
        .into_iter()
        .flatten()
        .filter(is_served)
        .map(running)
        .collect()
}

/// Everything in which two documents differ, in the order of the first, then of the second.
///
/// Items of lists are matched by `id`, `name` or `key` when every item of both lists has one and none
/// appears twice; other lists are compared item by item.
#[must_use]
pub fn differences(from: &Value, to: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    compare("", Some(from), Some(to), &mut found);
    found
}

fn compare(path: &str, from: Option<&Value>, to: Option<&Value>, found: &mut Vec<Difference>) {
    match (from, to) {
        (Some(Value::Object(from)), Some(Value::Object(to))) => {
            for (name, value) in from {
                compare(&member_path(path, name), Some(value), to.get(name), found);
            }
            for (name, value) in to.iter().filter(|(name, _)| !from.contains_key(*name)) {
                compare(&member_path(path, name), None, Some(value), found);
            }
        }
        (Some(Value::Array(from)), Some(Value::Array(to))) => compare_lists(path, from, to, found),
        (from, to) if from == to => {}
        (from, to) => found.push(Difference {
            path: path.to_owned(),
            from: from.cloned(),
            to: to.cloned(),
        }),
    }
}

fn compare_lists(path: &str, from: &[Value], to: &[Value], found: &mut Vec<Difference>) {
    let identity = IDENTITY_MEMBERS
        .iter()
        .find(|name| identifies(name, from) && identifies(name, to));
    let Some(identity) = identity else {
        for index in 0..from.len().max(to.len()) {
            compare(
                &format!("{path}[{index}]"),
                from.get(index),
                to.get(index),
                found,
            );
        }
        return;
    };
    let name_of = |item: &Value| {
        item.get(identity)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let item_path = |name: &str| format!("{path}[{identity}={name}]");
    let find = |items: &'_ [Value], name: &str| items.iter().position(|item| name_of(item) == name);
    for item in from {
        let name = name_of(item);
        let other = find(to, &name).map(|index| &to[index]);
        compare(&item_path(&name), Some(item), other, found);
    }
    for item in to {
        let name = name_of(item);
        if find(from, &name).is_none() {
            compare(&item_path(&name), None, Some(item), found);
        }
    }
    let order = |items: &[Value], others: &[Value]| -> Vec<String> {
        items
            .iter()
            .map(&name_of)
            .filter(|name| find(others, name).is_some())
            .collect()
    };
    let (order_from, order_to) = (order(from, to), order(to, from));
    if order_from != order_to {
        found.push(Difference {
            path: format!("{path}.(order)"),
            from: Some(Value::from(order_from)),
            to: Some(Value::from(order_to)),
        });
    }
}

/// True if every item has a text under `name` and no two have the same.
fn identifies(name: &str, items: &[Value]) -> bool {
    let mut seen = std::collections::HashSet::new();
    items.iter().all(|item| {
        item.get(name)
            .and_then(Value::as_str)
            .is_some_and(|id| seen.insert(id))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{differences, out_of_sync};

    #[test]
    fn only_what_runs_makes_a_draft_out_of_sync() {
        let deployed = json!({
            "name": "a", "tags": [],
            "plans": [{"name": "p", "status": "published", "description": "x"}]
        });
        let changed = |pointer: &str, value: Value| {
            let mut draft = deployed.clone();
            match pointer.rsplit_once('/') {
                Some((parent, name)) => draft.pointer_mut(parent).unwrap()[name] = value,
                None => draft[pointer] = value,
            }
            out_of_sync(&deployed, &draft)
        };
        assert!(!changed("name", json!("b")));
        assert!(!changed("flows", json!([])));
        assert!(!changed("/plans/0/description", json!("y")));
        assert!(!changed("labels", json!(["l"])));
        assert!(changed("tags", json!(["t"])));
        assert!(changed("/plans/0/status", json!("closed")));
        assert!(changed("/plans/0/flows", json!([{"name": "f"}])));
    }

    #[test]
    fn staging_plans_do_not_count() {
        let deployed = json!({"plans": []});
        let draft = json!({"plans": [{"name": "p", "status": "staging"}]});
        assert!(!out_of_sync(&deployed, &draft));
    }

    #[test]
    fn items_are_matched_by_identity() {
        let from = json!({"plans": [{"id": "1", "s": 1}, {"id": "2"}], "n": [1, 2]});
        let to = json!({"plans": [{"id": "3"}, {"id": "1", "s": 2}], "n": [1]});
        let found = differences(&from, &to);
        let paths: Vec<_> = found
            .iter()
            .map(|difference| difference.path.as_str())
            .collect();
        assert_eq!(
            paths,
            ["plans[id=1].s", "plans[id=2]", "plans[id=3]", "n[1]"]
        );
    }

    #[test]
    fn a_changed_order_is_a_difference() {
        let from = json!({"flows": [{"name": "a"}, {"name": "b"}]});
        let to = json!({"flows": [{"name": "b"}, {"name": "a"}]});
        assert_eq!(differences(&from, &to)[0].path, "flows.(order)");
        assert!(differences(&from, &from).is_empty());
    }
}
