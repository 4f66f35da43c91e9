//! Regular expressions of listeners and selectors. Edges compile the same text; what does not compile there is found
//! here.

use regex::RegexBuilder;
use tidegate_model::{
    Violation,
    api::{Api, Flow, Listener, Selector},
};

/// Memory the program of one pattern may take.
const REGEX_BYTES_MAX: usize = 256 * 1024;
/// What a `:name` segment matches (`gravitee-v4.md` §3.3).
const PARAMETER: &str = r"[a-zA-Z0-9\-._~%!$&'()* +,;=:@|]+";
/// The origin that stands for every origin.
const ANY: &str = "*";

pub(crate) fn check(api: &Api, violations: &mut Vec<Violation>) {
    for (index, listener) in api.listeners.iter().enumerate() {
        let Listener::Http(http) = listener else {
            continue;
        };
        for (item, origin) in http
            .cors
            .iter()
            .flat_map(|cors| cors.allow_origin.iter().enumerate())
        {
            let path = format!("listeners[{index}].cors.allowOrigin[{item}]");
            check_origin(origin, path, violations);
        }
    }
    check_flows(&api.flows, "flows", violations);
    for (index, plan) in api.plans.iter().enumerate() {
        check_flows(&plan.flows, &format!("plans[{index}].flows"), violations);
    }
}

/// An origin with the signs of a pattern is one, of whole origins (`gravitee-v4.md` §1.3).
fn check_origin(origin: &str, path: String, violations: &mut Vec<Violation>) {
    if origin == ANY || !origin.contains(['(', '[', '*']) {
        return;
    }
    if let Err(reason) = compile(&format!("^(?:{origin})$")) {
        let expected = format!("an origin, or a regular expression of origins ({reason})");
        violations.push(Violation::new(path, format!("{origin:?}"), expected));
    }
}

fn check_flows(flows: &[Flow], path: &str, violations: &mut Vec<Violation>) {
    for (flow_index, flow) in flows.iter().enumerate() {
        for (index, selector) in flow.selectors.iter().enumerate() {
            let Selector::Http { path: pattern, .. } = selector else {
                continue;
            };
            if let Err(reason) = compile(&selector_pattern(pattern)) {
                let place = format!("{path}[{flow_index}].selectors[{index}].path");
                let expected =
                    format!("a path; its segments may be regular expressions ({reason})");
                violations.push(Violation::new(place, format!("{pattern:?}"), expected));
            }
        }
    }
}

/// Segments stand in the expression unescaped, except parameters.
fn selector_pattern(path: &str) -> String {
    let mut pattern = String::from("^");
    for segment in path.split('/').filter(|segment| !segment.is_empty()) {
        pattern.push('/');
        pattern.push_str(match segment.strip_prefix(':') {
            Some(name) if !name.is_empty() => PARAMETER,
            Some(_) | None => segment,
        });
    }
    pattern
}

fn compile(pattern: &str) -> Result<(), String> {
    let compiled = RegexBuilder::new(pattern)
        .size_limit(REGEX_BYTES_MAX)
        .build();
    compiled.map(drop).map_err(|error| {
        let text = error.to_string();
        let last = text.lines().last().unwrap_or_default();
        last.trim_start_matches("error: ").to_owned()
    })
}
