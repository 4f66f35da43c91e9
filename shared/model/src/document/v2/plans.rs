//! Plans: their security is an object now, and the old members are spelled differently.

use serde_json::{Value, json};

use super::{Conversion, Members, flows, take};
use crate::read::{member_path, object_in_text};

/// Old spellings of members that mean the same.
const RENAMED: &[(&str, &str)] = &[
    ("selection_rule", "selectionRule"),
    ("comment_required", "commentRequired"),
    ("comment_message", "commentMessage"),
    ("general_conditions", "generalConditions"),
    ("excluded_groups", "excludedGroups"),
    ("created_at", "createdAt"),
    ("updated_at", "updatedAt"),
    ("published_at", "publishedAt"),
    ("closed_at", "closedAt"),
    ("need_redeploy_at", "needRedeployAt"),
    ("cross_id", "crossId"),
];

/// Converts `plans`, a list or a map by id.
pub(super) fn convert(old: &mut Members, new: &mut Members, conversion: &mut Conversion) {
    let plans = match take(old, &["plans"]) {
        None => return,
        Some(Value::Object(by_id)) => by_id
            .into_iter()
            .map(|(id, mut plan)| {
                if let Value::Object(members) = &mut plan {
                    members.entry("id").or_insert(Value::String(id));
                }
                plan
            })
            .collect(),
        Some(other) => other,
    };
    let plans = conversion
        .objects(plans, "plans")
        .into_iter()
        .map(|(path, plan)| self::plan(plan, &path, conversion))
        .collect();
    new.insert("plans".to_owned(), Value::Array(plans));
}

fn plan(mut plan: Members, path: &str, conversion: &mut Conversion) -> Value {
    // The API a plan belongs to is the one it is written in.
    for name in ["api", "apis", "definitionVersion"] {
        plan.shift_remove(name);
    }
    for (from, to) in RENAMED {
        if let Some(value) = take(&mut plan, &[to, from]) {
            plan.insert((*to).to_owned(), value);
        }
    }
    security(&mut plan, path, conversion);
    if plan.get("status").is_none_or(Value::is_null) {
        let message = "a plan without a status is served, as the operator does";
        conversion.notice(member_path(path, "status"), message);
        plan.insert("status".to_owned(), json!("published"));
    }
    let flows = flows::of(&mut plan, path, conversion);
    if !flows.is_empty() {
        plan.insert("flows".to_owned(), Value::Array(flows));
    }
    Value::Object(plan)
}

fn security(plan: &mut Members, path: &str, conversion: &mut Conversion) {
    let Some(Value::String(kind)) = plan.get("security") else {
        return;
    };
    let mut security = Members::new();
    security.insert("type".to_owned(), json!(kind));
    let definition = take(plan, &["securityDefinition", "security_definition"]);
    match definition {
        None => {}
        Some(Value::String(text)) => match object_in_text(&text) {
            Some(configuration) => {
                security.insert("configuration".to_owned(), configuration);
            }
            None => {
                // Not shown: it may hold a secret.
                let message = "an object, or a text that holds one as JSON";
                conversion.wrong(
                    &member_path(path, "securityDefinition"),
                    &json!({}),
                    message,
                );
            }
        },
        Some(configuration) => {
            security.insert("configuration".to_owned(), configuration);
        }
    }
    conversion.once(
        member_path(path, "security"),
        "security and securityDefinition became security.type and security.configuration",
    );
    plan.insert("security".to_owned(), Value::Object(security));
}
