//! Compiles arbitrary text as template and as condition, evaluates what compiles.
//!
//! Nothing may panic, run without bound, or change text that has no expression.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tidegate_expression::{Ambient, Condition, Lookup, Scope, Segment, Template, ValueMap};

#[derive(Debug)]
struct Fixed;

impl Ambient for Fixed {
    fn now_ms(&self) -> u64 {
        1_700_000_000_000
    }

    fn nanos(&self) -> u64 {
        1
    }

    fn random(&self) -> u64 {
        0x5DEE_CE66_D1A4_F087
    }
}

/// Answers one path at once, one in halves, and leaves the rest undefined.
struct Sample;

impl Scope for Sample {
    fn lookup(&self, variable: &str, path: &[Segment]) -> Lookup {
        match (variable, path.first().and_then(Segment::as_key)) {
            ("request", Some("method")) => Lookup::found("GET", 1),
            ("request", Some("content")) => Lookup::found(r#"{"a":[{"b":1},{"b":2}]}"#, 1),
            ("request", _) => Lookup::NoProperty(0),
            ("map", _) => Lookup::found(ValueMap::from_iter([("a", 1), ("b", 2)]), 0),
            _ => Lookup::Undefined,
        }
    }

    fn ambient(&self) -> &dyn Ambient {
        &Fixed
    }
}

fuzz_target!(|source: &str| {
    if let Ok(template) = Template::compile(source) {
        if let Some(literal) = template.as_literal() {
            assert_eq!(literal, source);
        }
        let _ = template.evaluate(&Sample);
    }
    if let Ok(condition) = Condition::compile(source) {
        let _ = condition.holds(&Sample);
    }
});
