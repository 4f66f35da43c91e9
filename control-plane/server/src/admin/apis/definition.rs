//! What a canonical document becomes when it is deployed, restored or given ids. Pure JSON work.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use tidegate_model::{Notice, document::entry_key};

/// Members that only management knows: they are no part of what an edge runs, and a rollback keeps
/// them as they are in the draft (`gravitee-v4.md` §1.2, §6.5).
const MANAGEMENT_MEMBERS: &[&str] = &[
    "_links",
    "apiBackground",
    "apiMedia",
    "apiPicture",
    "background",
    "categories",
    "createdAt",
    "crossId",
    "definitionContext",
    "deployedAt",
    "deploymentState",
    "description",
    "disableMembershipNotifications",
    "groups",
    "labels",
    "lifecycleState",
    "members",
    "metadata",
    "notifyMembers",
    "originContext",
    "pages",
    "picture",
    "primaryOwner",
    "state",
    "updatedAt",
    "visibility",
    "workflowState",
];
/// Members of a plan that only management knows (`gravitee-v4.md` §1.7).
const MANAGEMENT_PLAN_MEMBERS: &[&str] = &[
    "characteristics",
    "closedAt",
    "commentMessage",
    "commentRequired",
    "createdAt",
    "description",
    "excludedGroups",
    "generalConditions",
    "needRedeployAt",
    "order",
    "publishedAt",
    "type",
    "updatedAt",
    "validation",
];
/// Prefix of members that Tidegate itself keeps beside the definition.
const OWN_PREFIX: &str = "x-tidegate";

fn is_management(member: &str) -> bool {
    MANAGEMENT_MEMBERS.contains(&member) || member.starts_with(OWN_PREFIX)
}

fn is_plan_management(member: &str) -> bool {
    MANAGEMENT_PLAN_MEMBERS.contains(&member) || member.starts_with(OWN_PREFIX)
}

/// The part of a draft that edges run: no management members, only published and deprecated plans.
pub(super) fn deployed_part(draft: &Value) -> Value {
    let Value::Object(members) = draft else {
        return draft.clone();
    };
    let mut part = Map::new();
    for (name, value) in members {
        if name == "plans" {
            part.insert(name.clone(), Value::Array(live_plans(value)));
        } else if !is_management(name) {
            part.insert(name.clone(), value.clone());
        }
    }
    Value::Object(part)
}

fn live_plans(plans: &Value) -> Vec<Value> {
    let mut live = Vec::new();
    for plan in plans.as_array().into_iter().flatten() {
        if !PlanStage::of(plan).is_live() {
            continue;
        }
        let mut plan = plan.clone();
        if let Value::Object(members) = &mut plan {
            members.retain(|name, _| !is_plan_management(name));
        }
        live.push(plan);
    }
    live
}

/// The draft set back to what `deployed` holds.
///
/// Management members and staging plans stay as they are, live plans that the deployment does not
/// have are closed (their ids are in the second value), the others are reset to it.
pub(super) fn restored(draft: &Value, deployed: &Value) -> (Value, Vec<String>) {
    let (Value::Object(draft), Value::Object(deployed)) = (draft, deployed) else {
        return (deployed.clone(), Vec::new());
    };
    let (plans, closed) = restored_plans(draft.get("plans"), deployed.get("plans"));
    let mut result = Map::new();
    for (name, value) in deployed {
        result.insert(name.clone(), value.clone());
    }
    for (name, value) in draft {
        if is_management(name) {
            result.insert(name.clone(), value.clone());
        }
    }
    result.insert("plans".to_owned(), Value::Array(plans));
    (Value::Object(result), closed)
}

fn restored_plans(draft: Option<&Value>, deployed: Option<&Value>) -> (Vec<Value>, Vec<String>) {
    let list = |plans: Option<&Value>| plans.and_then(Value::as_array).cloned().unwrap_or_default();
    let (draft, deployed) = (list(draft), list(deployed));
    let mut closed = Vec::new();
    let mut plans = Vec::new();
    for mut plan in deployed.iter().cloned() {
        let kept = draft.iter().find(|other| plan_id(other) == plan_id(&plan));
        if let (Value::Object(plan), Some(Value::Object(kept))) = (&mut plan, kept) {
            for (name, value) in kept.iter().filter(|(name, _)| is_plan_management(name)) {
                plan.insert(name.clone(), value.clone());
            }
        }
        plans.push(plan);
    }
    for mut plan in draft {
        if deployed
            .iter()
            .any(|other| plan_id(other) == plan_id(&plan))
        {
            continue;
        }
        if PlanStage::of(&plan).is_live() {
            closed.extend(plan_id(&plan).map(str::to_owned));
            PlanStage::Closed.write(&mut plan);
        }
        plans.push(plan);
    }
    (plans, closed)
}

/// Where a plan is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::admin) enum PlanStage {
    Staging,
    Published,
    Deprecated,
    Closed,
}

impl PlanStage {
    /// Reads the status of a plan; staging unless it says otherwise.
    pub(in crate::admin) fn of(plan: &Value) -> Self {
        let status = plan
            .get("status")
            .and_then(Value::as_str)
            .unwrap_or_default();
        match status.to_ascii_lowercase().as_str() {
            "published" => Self::Published,
            "deprecated" => Self::Deprecated,
            "closed" => Self::Closed,
            _ => Self::Staging,
        }
    }

    pub(in crate::admin) fn as_str(self) -> &'static str {
        match self {
            Self::Staging => "staging",
            Self::Published => "published",
            Self::Deprecated => "deprecated",
            Self::Closed => "closed",
        }
    }

    /// True if edges see such a plan.
    pub(super) fn is_live(self) -> bool {
        matches!(self, Self::Published | Self::Deprecated)
    }

    /// True if a plan may go from `self` to `next` (`gravitee-v4.md` §6.6).
    pub(super) fn may_become(self, next: Self) -> bool {
        match next {
            Self::Staging => false,
            Self::Published => self == Self::Staging,
            Self::Deprecated => self == Self::Published,
            Self::Closed => self != Self::Closed,
        }
    }

    pub(super) fn write(self, plan: &mut Value) {
        if let Value::Object(members) = plan {
            members.insert("status".to_owned(), Value::from(self.as_str()));
        }
    }
}

/// Id of a plan, if it has one.
pub(in crate::admin) fn plan_id(plan: &Value) -> Option<&str> {
    text(plan, "id")
}

/// A text member, unless it is empty.
pub(in crate::admin) fn text<'a>(value: &'a Value, member: &str) -> Option<&'a str> {
    value
        .get(member)
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
}

/// Finds a plan of a document by id, else by name.
pub(in crate::admin) fn find_plan<'a>(
    document: &'a mut Value,
    plan: &str,
) -> Option<&'a mut Value> {
    let plans = document.get_mut("plans")?.as_array_mut()?;
    let at = plans
        .iter()
        .position(|candidate| plan_id(candidate) == Some(plan))
        .or_else(|| {
            plans
                .iter()
                .position(|candidate| text(candidate, "name") == Some(plan))
        })?;
    plans.get_mut(at)
}

/// Gives `document` the id `api_id` and every plan an id that no other API of the environment has.
///
/// A plan without id takes that of its twin in `stored`, so that applying a document twice changes
/// nothing: the plan with the same cross id, else with the same key in a Kubernetes manifest, else
/// with the same name. A plan id for which `taken` is true is replaced and kept as
/// `crossId`; a plan of `stored` with that cross id lends its own. `new_id` makes fresh ids.
pub(super) fn assign_ids(
    document: &mut Value,
    api_id: &str,
    stored: Option<&Value>,
    taken: &dyn Fn(&str) -> bool,
    new_id: &mut dyn FnMut() -> String,
) -> Vec<Notice> {
    let mut notices = Vec::new();
    if let Value::Object(members) = document {
        members.insert("id".to_owned(), Value::from(api_id));
    }
    let stored: &[Value] = stored
        .and_then(|s| s.get("plans"))
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice);
    let Some(plans) = document.get_mut("plans").and_then(Value::as_array_mut) else {
        return notices;
    };
    let mut used: BTreeSet<String> = plans
        .iter()
        .filter_map(plan_id)
        .filter(|id| !taken(id))
        .map(str::to_owned)
        .collect();
    for (index, plan) in plans.iter_mut().enumerate() {
        let given = plan_id(plan).map(str::to_owned);
        if given.as_deref().is_some_and(|id| !taken(id)) {
            continue;
        }
        let same = |other: &Value, member| {
            text(other, member).is_some() && text(other, member) == text(plan, member)
        };
        let key = entry_key(plan);
        let twin = match &given {
            Some(id) => stored
                .iter()
                .find(|other| text(other, "crossId") == Some(id)),
            // The Kubernetes form knows plans by their key, which outlives a change of name.
            None => stored
                .iter()
                .find(|other| same(other, "crossId"))
                .or_else(|| {
                    stored
                        .iter()
                        .find(|other| key.is_some() && entry_key(other) == key)
                })
                .or_else(|| stored.iter().find(|other| same(other, "name"))),
        };
        let id = twin
            .and_then(plan_id)
            .map(str::to_owned)
            .filter(|id| !used.contains(id))
            .unwrap_or_else(&mut *new_id);
        used.insert(id.clone());
        let Value::Object(members) = plan else {
            continue;
        };
        if let Some(given) = given {
            notices.push(Notice {
                code: "renamed-id",
                path: format!("plans[{index}].id"),
                message: format!(
                    "plan id {given:?} belongs to another API; this plan has {id:?} and keeps the \
                     old one as crossId"
                ),
            });
            members.insert("crossId".to_owned(), Value::from(given));
        }
        members.insert("id".to_owned(), Value::from(id));
    }
    notices
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn draft() -> Value {
        json!({
            "id": "a", "name": "A", "description": "d", "labels": ["x"], "x-tidegate-gko": {},
            "plans": [
                {"id": "p1", "name": "one", "status": "published", "order": 1},
                {"id": "p2", "name": "two", "status": "staging"},
                {"id": "p3", "name": "three", "status": "DEPRECATED"},
                {"id": "p4", "name": "four", "status": "closed"},
                {"id": "p5", "name": "five"},
            ],
            "unknown": 1,
        })
    }

    #[test]
    fn only_live_plans_and_runtime_members_are_deployed() {
        let expected = json!({
            "id": "a", "name": "A",
            "plans": [
                {"id": "p1", "name": "one", "status": "published"},
                {"id": "p3", "name": "three", "status": "DEPRECATED"},
            ],
            "unknown": 1,
        });
        assert_eq!(deployed_part(&draft()), expected);
    }

    #[test]
    fn a_restored_draft_deploys_to_the_same_content_again() {
        let old = deployed_part(&draft());
        let mut later = draft();
        later["unknown"] = json!(2);
        later["added"] = json!(true);
        later["labels"] = json!(["y"]);
        later["plans"][0]["name"] = json!("renamed");
        later["plans"].as_array_mut().unwrap().remove(2);
        later["plans"]
            .as_array_mut()
            .unwrap()
            .push(json!({"id": "p6", "status": "published"}));
        let (restored, closed) = restored(&later, &old);
        assert_eq!(deployed_part(&restored), old);
        assert_eq!(closed, ["p6"]);
        assert_eq!(restored["labels"], json!(["y"]));
        assert_eq!(restored["plans"][0]["order"], json!(1));
        assert!(restored.get("added").is_none());
    }

    #[test]
    fn plans_move_forward_only() {
        use PlanStage::{Closed, Deprecated, Published, Staging};
        let check = |from: PlanStage, allowed: &[PlanStage]| {
            for next in [Staging, Published, Deprecated, Closed] {
                assert_eq!(
                    from.may_become(next),
                    allowed.contains(&next),
                    "{from:?} {next:?}"
                );
            }
        };
        check(Staging, &[Published, Closed]);
        check(Published, &[Deprecated, Closed]);
        check(Deprecated, &[Closed]);
        check(Closed, &[]);
    }

    #[test]
    fn a_plan_without_id_keeps_the_one_it_had() {
        let stored = json!({"plans": [{"id": "old", "name": "one"}]});
        let mut document = json!({"plans": [{"name": "one"}, {"name": "two"}]});
        let mut next = 0;
        let notices = assign_ids(&mut document, "a", Some(&stored), &|_| false, &mut || {
            next += 1;
            format!("new-{next}")
        });
        assert!(notices.is_empty());
        assert_eq!(document["id"], "a");
        assert_eq!(document["plans"][0]["id"], "old");
        assert_eq!(document["plans"][1]["id"], "new-1");
    }

    #[test]
    fn a_taken_plan_id_is_replaced_once_and_the_same_way_ever_after() {
        let document = json!({"plans": [{"id": "shared", "name": "one"}]});
        let taken = |id: &str| id == "shared";
        let mut first = document.clone();
        let notices = assign_ids(&mut first, "a", None, &taken, &mut || "fresh".to_owned());
        assert_eq!(notices.len(), 1);
        assert_eq!(notices[0].path, "plans[0].id");
        assert_eq!(first["plans"][0]["id"], "fresh");
        assert_eq!(first["plans"][0]["crossId"], "shared");
        let mut second = document;
        assign_ids(
            &mut second,
            "a",
            Some(&first),
            &taken,
            &mut || unreachable!(),
        );
        assert_eq!(first, second);
    }
}
