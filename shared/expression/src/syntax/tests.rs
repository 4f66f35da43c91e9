//! Printing and parsing are inverse.

use proptest::prelude::*;

use super::parse;

/// Source texts of expressions, mostly valid ones.
pub(crate) fn source() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        (-50_i64..50).prop_map(|value| value.to_string()),
        (0_u32..400).prop_map(|value| format!("{value}.5")),
        "[a-c0-9' ]{0,4}".prop_map(|text| format!("'{}'", text.replace('\'', "''"))),
        prop_oneof!["true", "false", "null"],
        prop_oneof![
            Just("#request.method".to_owned()),
            Just("#request.headers['X-A'][0]".to_owned()),
            Just("#people".to_owned()),
            Just("T(Math).PI".to_owned()),
            Just("{:}".to_owned()),
        ],
    ];
    leaf.prop_recursive(5, 40, 3, |inner| {
        let op = prop_oneof![
            Just("+"),
            Just("-"),
            Just("*"),
            Just("/"),
            Just("%"),
            Just("^"),
            Just("=="),
            Just("!="),
            Just("<"),
            Just(">="),
            Just("&&"),
            Just("or"),
            Just("matches"),
        ];
        prop_oneof![
            (inner.clone(), op, inner.clone()).prop_map(|(a, op, b)| format!("{a} {op} {b}")),
            inner.clone().prop_map(|a| format!("({a})")),
            inner.clone().prop_map(|a| format!("!{a}")),
            inner.clone().prop_map(|a| format!("-{a}")),
            (inner.clone(), inner.clone(), inner.clone())
                .prop_map(|(a, b, c)| format!("({a}) ? {b} : {c}")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) ?: {b}")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{{{a}, {b}}}")),
            inner.clone().prop_map(|a| format!("{{k: {a}, 'l m': 2}}")),
            inner
                .clone()
                .prop_map(|a| format!("({a}).toString().length()")),
            inner.clone().prop_map(|a| format!("({a})?.empty")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a})[{b}]")),
            inner.clone().prop_map(|a| format!("#people.?[age > {a}]")),
            inner
                .clone()
                .prop_map(|a| format!("{{1,2}}.![{a} + #this]")),
            inner.prop_map(|a| format!("T(Math).abs({a})")),
        ]
    })
}

proptest! {
    #[test]
    fn printed_trees_parse_to_themselves(source in source()) {
        if let Ok(expr) = parse(&source, 0) {
            let printed = expr.to_string();
            let again = parse(&printed, 0).map_err(|error| TestCaseError::fail(format!("{printed}: {error}")))?;
            prop_assert_eq!(&again, &expr, "{}", printed);
        }
    }
}

#[test]
fn positions_count_from_the_given_offset() {
    let error = parse("1 + )", 10).unwrap_err();
    assert_eq!(error.position, 14);
    assert_eq!(
        error.to_string(),
        "at position 14: found ')', expected a value"
    );
}

#[test]
fn precedence_is_that_of_the_reference_engine() {
    for (source, printed) in [
        ("1 + 2 * 3", "(1 + (2 * 3))"),
        ("a || b && !c", "(a || (b && (!c)))"),
        ("a == b && c < 1 + 1", "((a == b) && (c < (1 + 1)))"),
        ("a ? b : c ? d : e", "(a ? b : (c ? d : e))"),
        ("a ?: b", "(a ?: b)"),
        ("1 - 2 - 3", "((1 - 2) - 3)"),
        ("#a.b['c'][0]?.d(1)", "#a.b['c'][0]?.d(1)"),
        ("-5.abs()", "(-5.abs())"),
    ] {
        assert_eq!(parse(source, 0).unwrap().to_string(), printed, "{source}");
    }
}
