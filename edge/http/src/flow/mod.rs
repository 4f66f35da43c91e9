//! Flows of one chain (a plan's or the API's): which run for a request, and running them.
//! Source: `gravitee-v4.md` §3.3.

mod path_pattern;
mod selection;
#[cfg(test)]
mod tests;

use http::Method;
use tidegate_expression::{Condition, Needs};
use tidegate_policy::{Chain, Exchange, Outcome, PathParameter, Phase, Services};

pub use path_pattern::{Coverage, PathPattern};
pub use selection::Selection;

/// How flows of one chain are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FlowMode {
    /// Every matching flow runs, in order.
    #[default]
    Default,
    /// Only the flow whose path fits best runs.
    BestMatch,
}

/// The http selector of a flow.
#[derive(Debug)]
pub struct HttpSelector {
    /// Path behind the context path.
    pub path: PathPattern,
    /// Accepted methods; empty accepts all.
    pub methods: Box<[Method]>,
}

impl HttpSelector {
    fn matches(&self, method: &Method, path_info: &str) -> bool {
        self.accepts_method(method) && self.path.matches(path_info)
    }

    fn accepts_method(&self, method: &Method) -> bool {
        self.methods.is_empty() || self.methods.contains(method)
    }
}

/// One enabled flow, compiled.
#[derive(Debug)]
pub struct CompiledFlow {
    /// Present unless the flow has no http selector.
    pub http: Option<HttpSelector>,
    /// Present if the flow has a condition selector.
    pub condition: Option<Condition>,
    /// True for a selector that never matches here (another kind of API, or unknown).
    pub is_foreign: bool,
    /// Steps before the endpoint is called.
    pub request: Chain,
    /// Steps after the endpoint answered.
    pub response: Chain,
}

impl CompiledFlow {
    fn matches(&self, exchange: &Exchange) -> bool {
        let request = &exchange.request;
        !self.is_foreign
            && self
                .http
                .as_ref()
                .is_none_or(|http| http.matches(&request.method, request.path.info()))
            && self
                .condition
                .as_ref()
                .is_none_or(|condition| condition.holds(exchange))
    }
}

/// The enabled flows of one chain.
#[derive(Debug, Default)]
pub struct Flows {
    flows: Box<[CompiledFlow]>,
    mode: FlowMode,
    selector_needs: Needs,
    has_parameters: bool,
}

impl Flows {
    /// Makes a chain of enabled flows, in order.
    #[must_use]
    pub fn new(flows: Vec<CompiledFlow>, mode: FlowMode) -> Self {
        let conditions = flows.iter().filter_map(|flow| flow.condition.as_ref());
        let selector_needs =
            conditions.fold(Needs::NONE, |needs, condition| needs | condition.needs());
        let has_parameters = flows
            .iter()
            .filter_map(|flow| flow.http.as_ref())
            .any(|http| http.path.has_parameters());
        Self {
            flows: flows.into(),
            mode,
            selector_needs,
            has_parameters,
        }
    }

    /// True without any enabled flow.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.flows.is_empty()
    }

    /// Bodies that choosing flows reads.
    #[must_use]
    pub fn selector_needs(&self) -> Needs {
        self.selector_needs
    }

    /// Adds the path parameters of every flow whose http selector accepts the request, whether the
    /// flow will run or not.
    pub fn collect_parameters(&self, exchange: &mut Exchange) {
        if !self.has_parameters {
            return;
        }
        let request = &exchange.request;
        let mut found: Vec<PathParameter> = Vec::new();
        let selectors = self.flows.iter().filter_map(|flow| flow.http.as_ref());
        for http in selectors.filter(|http| http.accepts_method(&request.method)) {
            http.path.parameters(request.path.info(), |name, value| {
                let is_known = request
                    .path_parameters
                    .iter()
                    .chain(&found)
                    .any(|known| *known.name == **name && known.value.as_str() == value);
                if !is_known {
                    found.push(PathParameter {
                        name: name.clone(),
                        value: value.into(),
                    });
                }
            });
        }
        exchange.request.path_parameters.append(&mut found);
    }

    /// Chooses the flows that run for this exchange, on the request and later on the response.
    #[must_use]
    pub fn select(&self, exchange: &Exchange) -> Selection {
        if self.flows.is_empty() {
            return Selection::default();
        }
        let matching = (0..)
            .zip(&self.flows)
            .filter(|(_, flow)| flow.matches(exchange));
        match self.mode {
            FlowMode::Default => matching.map(|(index, _)| index).collect(),
            FlowMode::BestMatch => {
                let scored = matching
                    .filter_map(|(index, flow)| flow.http.as_ref().map(|http| (index, &http.path)));
                selection::best(scored, exchange.request.path.info())
                    .into_iter()
                    .collect()
            }
        }
    }

    /// Bodies that the chosen flows read, on the request and on the response.
    #[must_use]
    pub fn needs(&self, selection: &Selection) -> Needs {
        self.chosen(selection).fold(Needs::NONE, |needs, flow| {
            needs | flow.request.needs() | flow.response.needs()
        })
    }

    /// Runs the chosen flows' steps of a phase until one ends the chain.
    pub async fn run(
        &self,
        selection: &Selection,
        phase: Phase,
        exchange: &mut Exchange,
        services: &Services,
    ) -> Outcome {
        for flow in self.chosen(selection) {
            let chain = if phase == Phase::Response {
                &flow.response
            } else {
                &flow.request
            };
            let outcome = chain.run(phase, exchange, services).await;
            if !outcome.is_continue() {
                return outcome;
            }
        }
        Outcome::Continue
    }

    fn chosen(&self, selection: &Selection) -> impl Iterator<Item = &CompiledFlow> {
        selection.iter().filter_map(|index| self.flows.get(index))
    }
}
