//! Runs the steps of a flow phase in order.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use tidegate_expression::{Condition, Needs};

use crate::exchange::Exchange;
use crate::kind::{CompiledPolicy, Progress};
use crate::outcome::Outcome;
use crate::phase::Phase;
use crate::services::Services;

/// One step of a flow, ready to run.
#[derive(Clone, Debug)]
pub struct CompiledStep {
    /// Name for logs: the step's name, else the policy's.
    pub name: Arc<str>,
    /// The policy.
    pub policy: CompiledPolicy,
    /// The step is skipped unless this holds; a failing condition does not hold.
    pub condition: Option<Condition>,
    /// Bodies that policy and condition read.
    pub needs: Needs,
}

/// The steps of one phase of one flow.
#[derive(Clone, Debug, Default)]
pub struct Chain {
    steps: Box<[CompiledStep]>,
    needs: Needs,
}

impl Chain {
    /// Makes a chain of steps in order.
    #[must_use]
    pub fn new(steps: Vec<CompiledStep>) -> Self {
        let needs = steps
            .iter()
            .fold(Needs::NONE, |needs, step| needs | step.needs);
        Self {
            steps: steps.into(),
            needs,
        }
    }

    /// Returns the steps in order.
    #[must_use]
    pub fn steps(&self) -> &[CompiledStep] {
        &self.steps
    }

    /// Tells whether there is no step.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Tells which bodies the steps read.
    #[must_use]
    pub fn needs(&self) -> Needs {
        self.needs
    }

    /// Runs the steps until one ends the chain. Inline steps allocate no future.
    ///
    /// Phases other than request and response have no exchange to run on and continue at once.
    /// Dropping the future stops the chain between two steps or inside of an asynchronous one.
    pub async fn run(&self, phase: Phase, exchange: &mut Exchange, services: &Services) -> Outcome {
        for step in &self.steps {
            let is_skipped = step
                .condition
                .as_ref()
                .is_some_and(|condition| !condition.holds(exchange));
            if is_skipped {
                continue;
            }
            let outcome = match (&step.policy, phase) {
                (CompiledPolicy::Inline(policy), Phase::Request) => policy.on_request(exchange),
                (CompiledPolicy::Inline(policy), Phase::Response) => policy.on_response(exchange),
                (CompiledPolicy::Async(policy), Phase::Request) => {
                    finished(policy.on_request(exchange, services)).await
                }
                (CompiledPolicy::Async(policy), Phase::Response) => {
                    finished(policy.on_response(exchange, services)).await
                }
                _ => Outcome::Continue,
            };
            if !outcome.is_continue() {
                return outcome;
            }
        }
        Outcome::Continue
    }
}

async fn finished(progress: Progress<'_>) -> Outcome {
    match progress {
        Progress::Done(outcome) => outcome,
        Progress::Waiting(future) => future.await,
    }
}
