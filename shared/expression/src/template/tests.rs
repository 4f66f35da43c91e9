//! Splitting and mixing of text and expressions.

use proptest::prelude::*;

use super::{Condition, Template};
use crate::scope::{Ambient, Lookup, Scope, Segment};
use crate::value::Value;

struct Method;

impl Scope for Method {
    fn lookup(&self, variable: &str, path: &[Segment]) -> Lookup {
        match (variable, path) {
            ("request", [Segment::Key(key)]) if key.as_str() == "method" => Lookup::found("GET", 1),
            ("request", _) => Lookup::NoProperty(0),
            _ => Lookup::Undefined,
        }
    }

    fn ambient(&self) -> &dyn Ambient {
        unreachable!("no test asks for time")
    }
}

fn eval(source: &str) -> Value {
    Template::compile(source)
        .unwrap()
        .evaluate(&Method)
        .unwrap()
}

#[test]
fn a_whole_expression_keeps_its_type_and_mixed_text_is_text() {
    assert_eq!(eval("{#request.method}"), Value::from("GET"));
    assert_eq!(eval("{(1 + 1)}"), Value::from(2));
    assert_eq!(eval("{ #request.method == 'GET' }"), Value::from(true));
    assert_eq!(eval("{#request.method == 'GET'} "), Value::from("true "));
    assert_eq!(eval("a{#nothing}b{T(Math).abs(-1)}"), Value::from("ab1"));
    assert_eq!(
        eval("{#request.method}{#request.method}"),
        Value::from("GETGET")
    );
}

#[test]
fn text_that_is_no_expression_stays_as_it_is() {
    for source in [
        "",
        "plain",
        r#"{ "a": {"b": 1} }"#,
        "{}",
        "{Test}",
        "{T a}",
        "}{",
        "{{{",
    ] {
        let template = Template::compile(source).unwrap();
        assert_eq!(template.as_literal(), Some(source));
    }
}

#[test]
fn braces_balance_and_quoted_ones_do_not_count() {
    assert_eq!(
        eval("{#request.method + {1, 2}.size() + '}'}!"),
        Value::from("GET2}!")
    );
    let error = Template::compile("ab {#request.method").unwrap_err();
    assert_eq!(error.position, 3);
}

#[test]
fn conditions_hold_only_for_true() {
    for (source, expected) in [
        ("{#request.method == 'GET'}", true),
        (" {#request.method == 'GET'} ", true),
        ("#request.method == 'GET'", true),
        ("{#nothing}", false),
        ("{#nothing.name}", false),
        ("{#request.method}", false),
        ("true", true),
        ("", true),
    ] {
        assert_eq!(
            Condition::compile(source).unwrap().holds(&Method),
            expected,
            "{source}"
        );
    }
    assert_eq!(Condition::compile("  #a +").unwrap_err().position, 6);
}

proptest! {
    #[test]
    fn text_without_an_opening_evaluates_to_itself(source in "[^{]{0,80}") {
        prop_assert_eq!(eval(&source), Value::from(source.as_str()));
    }

    #[test]
    fn compiling_arbitrary_text_never_panics(source in "(\\{[#(T]|[{}'\"]|\\PC){0,60}") {
        if let Ok(template) = Template::compile(&source)
            && let Some(literal) = template.as_literal()
        {
            prop_assert_eq!(literal, source.as_str());
        }
    }
}
