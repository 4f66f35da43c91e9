//! Publishing, deprecating and closing plans: edits of the draft. Edges see them at the next deployment.

use tidegate_state::{StateReader, SubscriptionStatus, op::PutSubscription, query};

use super::{
    definition::{PlanStage, find_plan, plan_id},
    deploy::groups,
    draft,
};
use crate::admin::{Decision, Fault, lookup};

/// Subscriptions that closing a plan closes in the same transaction.
const SUBSCRIPTIONS_MAX: usize = 1000;
/// Subscriptions read at once.
const PAGE: usize = 500;

/// Decides that `plan` (id or name) moves to `next`. The second value is the plan's id.
pub(super) fn advance(
    state: &dyn StateReader,
    environment: &str,
    api: &str,
    plan: &str,
    next: PlanStage,
) -> Result<(Decision, String), Fault> {
    let stored = lookup::api(state, environment, api)?;
    let mut document = lookup::document(&stored.value)?;
    let found = find_plan(&mut document, plan).ok_or_else(|| Fault::not_found("plan", plan))?;
    let id = plan_id(found).unwrap_or_default().to_owned();
    let stage = PlanStage::of(found);
    if stage == next {
        return Ok((Decision::default(), id));
    }
    if !stage.may_become(next) {
        return Err(Fault::refused(
            "PLAN_STATE",
            format!("a {} plan cannot become {}", stage.as_str(), next.as_str()),
        ));
    }
    next.write(found);
    let started = stored.value.started;
    let checked =
        draft::check(groups(state, environment), document, started, &[])?.map_err(|found| {
            Fault::Refused {
                key: "PLAN_REFUSED",
                message: format!("the API is not valid with plan {plan:?} {}", next.as_str()),
                violations: found,
            }
        })?;
    let mut decision = Decision::default();
    let relied = Some((&stored.value, stored.revision));
    draft::put(state, &mut decision, environment, &checked, relied)?;
    if next == PlanStage::Closed {
        close_subscriptions(state, &mut decision, environment, &stored.value.id, &id)?;
    }
    Ok((decision, id))
}

/// The id of `plan` (id or name).
pub(super) fn named(
    state: &dyn StateReader,
    environment: &str,
    api: &str,
    plan: &str,
) -> Result<String, Fault> {
    let stored = lookup::api(state, environment, api)?;
    let mut document = lookup::document(&stored.value)?;
    let found = find_plan(&mut document, plan).ok_or_else(|| Fault::not_found("plan", plan))?;
    Ok(plan_id(found).unwrap_or_default().to_owned())
}

fn close_subscriptions(
    state: &dyn StateReader,
    decision: &mut Decision,
    environment: &str,
    api_id: &str,
    plan: &str,
) -> Result<(), Fault> {
    let mut after = None;
    let mut closed = 0;
    loop {
        let page = query::subscriptions_of_api(state, environment, api_id, after.as_deref(), PAGE)?;
        for found in page.items {
            if found.value.plan_id != plan || !found.value.status().is_open() {
                continue;
            }
            closed += 1;
            if closed > SUBSCRIPTIONS_MAX {
                return Err(Fault::refused(
                    "PLAN_IN_USE",
                    format!(
                        "the plan has more than {SUBSCRIPTIONS_MAX} open subscriptions; close some \
                         first"
                    ),
                ));
            }
            decision.relies_on(
                tidegate_state::ResourceKind::Subscription,
                environment,
                &found.value.id,
                found.revision,
            );
            let mut record = found.value;
            record.set_status(SubscriptionStatus::Closed);
            let environment = environment.to_owned();
            decision.ops.push(
                PutSubscription {
                    environment,
                    record,
                    object: None,
                }
                .into(),
            );
        }
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(()),
        }
    }
}
