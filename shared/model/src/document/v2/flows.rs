//! Flows, and the rules by path of version 1.

use serde_json::{Value, json};

use super::{Conversion, Members, REFUSED_UPSTREAM, carry, in_braces, is_empty, take};
use crate::read::{is_same_label, member_path};

/// Characters of a path that are repeated in remarks.
const PATTERN_CHARACTERS_MAX: usize = 80;

/// The flows of the API.
pub(super) fn root(old: &mut Members, conversion: &mut Conversion) -> Vec<Value> {
    of(old, "", conversion)
}

/// Takes the flows of an API or a plan, and its rules by path.
pub(super) fn of(owner: &mut Members, path: &str, conversion: &mut Conversion) -> Vec<Value> {
    let mut flows: Vec<Value> = conversion
        .take_objects(owner, &["flows"], path)
        .into_iter()
        .map(|(path, old)| flow(old, &path, conversion))
        .collect();
    if let Some(paths) = conversion.take_object(owner, &["paths"], path) {
        flows.extend(rules_by_path(
            paths,
            &member_path(path, "paths"),
            conversion,
        ));
    }
    flows
}

fn flow(mut old: Members, path: &str, conversion: &mut Conversion) -> Value {
    let mut new = Members::new();
    for name in ["id", "name", "enabled"] {
        carry(&mut old, &[name], &mut new, name);
    }
    let mut selectors = vec![http_selector(&mut old, path, conversion)];
    if let Some(Value::String(condition)) = take(&mut old, &["condition"])
        && !condition.trim().is_empty()
    {
        let condition = in_braces(condition.trim());
        selectors.push(json!({"type": "condition", "condition": condition}));
    }
    new.insert("selectors".to_owned(), Value::Array(selectors));
    for (from, to) in [("pre", "request"), ("post", "response")] {
        let steps = conversion.take_objects(&mut old, &[from, to], path);
        if steps.is_empty() {
            continue;
        }
        conversion.once(
            member_path(path, from),
            "pre and post are called request and response now",
        );
        let steps = steps
            .into_iter()
            .map(|(path, step)| self::step(step, to, &path, conversion))
            .collect();
        new.insert(to.to_owned(), Value::Array(steps));
    }
    if let Some(consumers) = take(&mut old, &["consumers"])
        && !is_empty(&consumers)
    {
        let message = "consumers have no counterpart in v4: the flow runs for every consumer";
        conversion.notice(member_path(path, "consumers"), message);
    }
    for name in ["stage", "resource"] {
        old.shift_remove(name);
    }
    carry(&mut old, &["tags"], &mut new, "tags");
    conversion.left_out(&old, path);
    Value::Object(new)
}

/// Makes sharding tags of the consumers of a flow that are tags; others stay.
pub(super) fn tags_of_consumers(flow: &mut Members) {
    let Some(Value::Array(consumers)) = flow.get_mut("consumers") else {
        return;
    };
    let text = |consumer: &Value, names: [&str; 2]| {
        names
            .iter()
            .find_map(|name| consumer.get(name)?.as_str())
            .map(str::to_owned)
    };
    let mut tags = Vec::new();
    consumers.retain(|consumer| {
        let kind = text(consumer, ["consumerType", "consumer_type"]);
        let id = text(consumer, ["consumerId", "consumer_id"]);
        match id.filter(|_| kind.is_some_and(|kind| is_same_label(&kind, "tag"))) {
            Some(id) => {
                tags.push(Value::String(id));
                false
            }
            None => true,
        }
    });
    if !tags.is_empty() {
        flow.insert("tags".to_owned(), Value::Array(tags));
    }
}

fn http_selector(old: &mut Members, path: &str, conversion: &mut Conversion) -> Value {
    let mut selector = Members::new();
    selector.insert("type".to_owned(), json!("http"));
    let names = ["path-operator", "pathOperator", "path_operator"];
    let mut operator = match take(old, &names) {
        Some(Value::Object(operator)) => {
            conversion.once(
                member_path(path, "path-operator"),
                "path-operator became an http selector",
            );
            operator
        }
        // Management writes path and operator side by side.
        Some(operator) => Members::from_iter([("operator".to_owned(), operator)]),
        None => Members::new(),
    };
    let own = take(old, &["path"]);
    let matched = take(&mut operator, &["path"]).or(own);
    selector.insert("path".to_owned(), matched.unwrap_or_else(|| json!("/")));
    let operator = take(&mut operator, &["operator"]);
    selector.insert(
        "pathOperator".to_owned(),
        operator.unwrap_or_else(|| json!("STARTS_WITH")),
    );
    carry(old, &["methods"], &mut selector, "methods");
    Value::Object(selector)
}

/// A step has the same members in both versions; only its surroundings changed.
fn step(mut step: Members, phase: &str, path: &str, conversion: &mut Conversion) -> Value {
    if let Some(Value::String(condition)) = step.get_mut("condition")
        && !condition.trim().is_empty()
    {
        *condition = in_braces(condition.trim());
    }
    let text = |from: Option<&Value>| from.and_then(Value::as_str).map(str::to_ascii_lowercase);
    let policy = text(step.get("policy")).unwrap_or_default();
    if REFUSED_UPSTREAM.contains(&policy.as_str()) {
        let message = format!("{policy} is kept as it is, though it differs in v4");
        conversion.notice(path, message);
    }
    let scope = text(step.get("configuration").and_then(|at| at.get("scope")));
    let is_other = scope.is_some_and(|scope| {
        let (direction, _) = scope.split_once('_').unwrap_or((scope.as_str(), ""));
        ["request", "response"].contains(&direction) && direction != phase
    });
    if is_other {
        let message = format!("the scope names another phase; the step runs in the {phase} phase");
        conversion.notice(member_path(path, "configuration.scope"), message);
    }
    Value::Object(step)
}

/// Version 1: path → rules, of which each names one policy by its member.
fn rules_by_path(paths: Members, path: &str, conversion: &mut Conversion) -> Vec<Value> {
    let mut flows = Vec::new();
    for (pattern, rules) in paths {
        let shown: String = pattern.chars().take(PATTERN_CHARACTERS_MAX).collect();
        let path = member_path(path, &shown);
        // Management writes `{"rules": […]}` where the runtime writes the list.
        let rules = match rules {
            Value::Object(mut members) if members.contains_key("rules") => {
                take(&mut members, &["rules"]).unwrap_or_else(|| json!([]))
            }
            other => other,
        };
        for (path, rule) in conversion.objects(rules, &path) {
            flows.extend(rule_as_flow(rule, &pattern, &path, conversion));
        }
    }
    flows
}

fn rule_as_flow(
    mut rule: Members,
    pattern: &str,
    path: &str,
    conversion: &mut Conversion,
) -> Option<Value> {
    let pattern = pattern.trim_end_matches(['*', '/']);
    let mut selector = Members::new();
    selector.insert("type".to_owned(), json!("http"));
    let matched = if pattern.is_empty() { "/" } else { pattern };
    selector.insert("path".to_owned(), json!(matched));
    selector.insert("pathOperator".to_owned(), json!("STARTS_WITH"));
    carry(&mut rule, &["methods"], &mut selector, "methods");
    let enabled = take(&mut rule, &["enabled"]).unwrap_or(Value::Bool(true));
    let description = take(&mut rule, &["description"]).unwrap_or_else(|| json!(""));
    let Some((policy, configuration)) = policy_of(&mut rule) else {
        conversion.wrong(path, &Value::Object(rule), "a rule with a policy");
        return None;
    };
    let scope = configuration.get("scope").and_then(Value::as_str);
    let is_response = scope
        .and_then(|scope| scope.split('_').next())
        .is_some_and(|direction| is_same_label(direction, "response"));
    let phase = if is_response { "response" } else { "request" };
    let message = format!("a rule with {policy} became a flow; it runs in the {phase} phase only");
    conversion.notice(path, message);
    conversion.left_out(&rule, path);
    let step = Members::from_iter([
        ("policy".to_owned(), json!(policy)),
        ("description".to_owned(), description),
        ("enabled".to_owned(), json!(true)),
        ("configuration".to_owned(), configuration),
    ]);
    let step = self::step(step, phase, path, conversion);
    Some(json!({"enabled": enabled, "selectors": [selector], phase: [step]}))
}

/// The policy of a rule and its configuration: under `policy`, or a member by the policy's name.
fn policy_of(rule: &mut Members) -> Option<(String, Value)> {
    if let Some(Value::Object(mut policy)) = take(rule, &["policy"]) {
        let Some(Value::String(name)) = take(&mut policy, &["name"]) else {
            return None;
        };
        let configuration = take(&mut policy, &["configuration"]);
        return Some((name, configuration.unwrap_or_else(|| json!({}))));
    }
    let name = rule.keys().next()?.clone();
    let configuration = rule.shift_remove(&name)?;
    Some((name, configuration))
}
