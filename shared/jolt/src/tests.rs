//! What each operation does, what is refused, and that nothing gets out of bounds.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{TransformError, Transformation};

/// Applies one operation.
fn apply(operation: &str, spec: &Value, input: &Value) -> Result<Value, TransformError> {
    let specification = json!([{"operation": operation, "spec": spec}]);
    let transformation = Transformation::compile(&specification).unwrap();
    transformation.apply(input.clone())
}

#[track_caller]
fn check(operation: &str, spec: &Value, input: &Value, expected: &Value) {
    let output = apply(operation, spec, input).unwrap();
    assert_eq!(
        output.to_string(),
        expected.to_string(),
        "{operation} {spec}"
    );
}

#[test]
fn shift_moves_and_drops_what_is_not_named() {
    let input = json!({"rating": {"primary": {"value": 3}, "quality": {"value": 4}}, "x": 1});
    check(
        "shift",
        &json!({"rating": {"primary": {"value": "Rating"}, "*": {"value": "Secondary.&1.Value", "$": "Secondary.&1.Id"}}}),
        &input,
        &json!({"Rating": 3, "Secondary": {"quality": {"Id": "quality", "Value": 4}}}),
    );
    check("shift", &json!({"none": "a"}), &input, &Value::Null);
    check(
        "shift",
        &json!({"*": "&"}),
        &json!({"a": null, "b": [1]}),
        &json!({"a": null, "b": [1]}),
    );
    check(
        "shift",
        &json!({"x": ["a", "b.c"]}),
        &input,
        &json!({"a": 1, "b": {"c": 1}}),
    );
    check(
        "shift",
        &json!({"x": null, "*": "rest.&"}),
        &json!({"x": 1, "y": 2}),
        &json!({"rest": {"y": 2}}),
    );
}

#[test]
fn shift_makes_lists_of_what_meets_in_one_place() {
    let input = json!({"a": 1, "b": 2, "c": [3]});
    check(
        "shift",
        &json!({"*": "all"}),
        &input,
        &json!({"all": [1, 2, [3]]}),
    );
    check("shift", &json!({"a": "x[]"}), &input, &json!({"x": [1]}));
    check(
        "shift",
        &json!({"a": "x[1].y"}),
        &input,
        &json!({"x": [null, {"y": 1}]}),
    );
    check(
        "shift",
        &json!({"a": "[]", "b": "[]"}),
        &input,
        &json!([1, 2]),
    );
    check("shift", &json!({"c": ""}), &input, &json!([3]));
}

#[test]
fn shift_walks_arrays_by_position_and_counts_matches() {
    let input = json!({"items": [{"id": "a", "n": 1}, {"id": "b", "n": 2}, {"id": "c"}]});
    check(
        "shift",
        &json!({"items": {"*": {"id": "out[&1].name"}}}),
        &input,
        &json!({"out": [{"name": "a"}, {"name": "b"}, {"name": "c"}]}),
    );
    check(
        "shift",
        &json!({"items": {"1": {"id": "second"}}}),
        &input,
        &json!({"second": "b"}),
    );
    check(
        "shift",
        &json!({"items": {"*": {"n": "byId.@(1,id)"}}}),
        &input,
        &json!({"byId": {"a": 1, "b": 2}}),
    );
    check(
        "shift",
        &json!({"*": {"$": "list[#2].key", "@": "list[#2].value"}}),
        &json!({"x": 1, "y": 2}),
        &json!({"list": [{"key": "x", "value": 1}, {"key": "y", "value": 2}]}),
    );
}

#[test]
fn shift_matches_stars_alternatives_and_values() {
    check(
        "shift",
        &json!({"tag-*-*": "tags.&(0,2).&(0,1)", "rating_*": "r.&(0,1)", "a|b": "ab.&", "*": "other.&"}),
        &json!({"tag-x-y": 1, "rating_z": 2, "a": 3, "b": 4, "rating_": 5}),
        &json!({"tags": {"y": {"x": 1}}, "r": {"z": 2}, "ab": {"a": 3, "b": 4}, "other": {"rating_": 5}}),
    );
    let spec = json!({"gender": {"M": {"#male": "sex"}, "*": {"#other": "sex"}}});
    check(
        "shift",
        &spec,
        &json!({"gender": "M"}),
        &json!({"sex": "male"}),
    );
    check(
        "shift",
        &spec,
        &json!({"gender": true}),
        &json!({"sex": "other"}),
    );
}

#[test]
fn shift_reaches_up_and_across() {
    let input = json!({"id": 7, "kids": [{"n": "a"}], "labels": {"a": "A"}});
    check(
        "shift",
        &json!({"kids": {"*": {"@(2,id)": "kids[&1].parent", "n": "kids[&1].name"}}}),
        &input,
        &json!({"kids": [{"parent": 7, "name": "a"}]}),
    );
    check(
        "shift",
        &json!({"@labels": "copy"}),
        &input,
        &json!({"copy": {"a": "A"}}),
    );
    check(
        "shift",
        &json!({"@(0,labels.a)": "x", "@none": "y"}),
        &input,
        &json!({"x": "A"}),
    );
}

#[test]
fn shift_takes_special_characters_behind_backslashes() {
    check(
        "shift",
        &json!({"\\@type": "a\\.b", "\\$x": "\\&c"}),
        &json!({"@type": 1, "$x": 2}),
        &json!({"a.b": 1, "&c": 2}),
    );
}

#[test]
fn default_fills_what_is_missing_or_null() {
    check(
        "default",
        &json!({"a": 1, "b": {"c": "x"}, "d|e": 9, "list[]": {"1": "y", "*": "z"}, "*": 0}),
        &json!({"a": null, "b": {"c": 5}, "e": null, "f": null, "list": [null]}),
        &json!({"a": 1, "b": {"c": 5}, "e": 9, "f": 0, "list": ["z", "y"]}),
    );
    check(
        "default",
        &json!({"a": {"b": 1}}),
        &json!(null),
        &json!({"a": {"b": 1}}),
    );
    check(
        "default",
        &json!({"a": {"b": 1}}),
        &json!({"a": "text"}),
        &json!({"a": "text"}),
    );
    check(
        "default",
        &json!({"*": {"x": 1}}),
        &json!([{}, {"x": 2}]),
        &json!([{"x": 1}, {"x": 2}]),
    );
    let result = apply("default", &json!({"a": 1}), &json!([1]));
    assert_eq!(result, Err(TransformError::DefaultOfArray));
}

#[test]
fn remove_takes_members_and_elements_out() {
    check(
        "remove",
        &json!({"a": "", "b|c": {"x-*": ""}, "list": {"*": {"secret": ""}, "1": ""}}),
        &json!({"a": 1, "b": {"x-1": 1, "y": 2}, "c": {"x-": 3}, "list": [{"secret": 1, "n": 1}, 2]}),
        &json!({"b": {"y": 2}, "c": {"x-": 3}, "list": [{"n": 1}]}),
    );
}

#[test]
fn cardinality_makes_one_or_many() {
    check(
        "cardinality",
        &json!({"a": "ONE", "b": "MANY", "c": "MANY", "d": "ONE", "e": {"*": {"x*": "MANY"}}, "f": {"@": "MANY", "*": {"k": "ONE"}}}),
        &json!({"a": [1, 2], "b": 1, "c": null, "d": [], "e": [{"x1": 1, "y": 1}], "f": {"k": [1]}}),
        &json!({"a": 1, "b": [1], "c": [], "d": null, "e": [{"x1": [1], "y": 1}], "f": [{"k": 1}]}),
    );
}

#[test]
fn sort_orders_members_at_every_depth() {
    let specification = json!([{"operation": "sort"}]);
    let transformation = Transformation::compile(&specification).unwrap();
    let output =
        transformation.apply(json!({"b": {"z": 1, "a": [{"y": 1, "x": 2}]}, "~a": 1, "a": 2}));
    let expected = json!({"~a": 1, "a": 2, "b": {"a": [{"x": 2, "y": 1}], "z": 1}});
    assert_eq!(output.unwrap().to_string(), expected.to_string());
}

#[test]
fn modify_computes_in_place() {
    let input = json!({"first": "Ada", "last": "L", "n": "3", "list": [1, null, 3], "kids": [{"a": " x "}, {"a": 5}]});
    check(
        "modify-overwrite-beta",
        &json!({
            "name": "=concat(@(1,first),', ',@(1,last))",
            "n": "=toInteger",
            "last": "=toLower(@(1,last))",
            "list": "=squashNulls",
            "kids": {"*": {"a": "=trim", "b": "@(3,first)"}},
            "made": {"deep": [{"x": 1}, "fallback"]},
            "bad": ["=toInteger(@(1,first))", "none"]
        }),
        &input,
        &json!({"first": "Ada", "last": "l", "n": 3, "list": [1, 3],
            "kids": [{"a": "x", "b": "Ada"}, {"a": 5, "b": "Ada"}], "name": "Ada, L",
            "made": {"deep": {"x": 1}}, "bad": "none"}),
    );
}

#[test]
fn modify_modes_differ_in_what_they_replace() {
    let input = json!({"null": null, "set": 1});
    let spec = json!({"null": 9, "set": 9, "new": 9, "?absent": 9});
    check(
        "modify-overwrite-beta",
        &spec,
        &input,
        &json!({"null": 9, "set": 9, "new": 9}),
    );
    check(
        "modify-default-beta",
        &spec,
        &input,
        &json!({"null": 9, "set": 1, "new": 9}),
    );
    check(
        "modify-define-beta",
        &spec,
        &input,
        &json!({"null": null, "set": 1, "new": 9}),
    );
    check(
        "modify-define-beta",
        &json!({"+set": 2}),
        &input,
        &json!({"null": null, "set": 2}),
    );
    check(
        "modify-overwrite-beta",
        &json!({"a": {"[1]": "x"}}),
        &json!({}),
        &json!({"a": [null, "x"]}),
    );
    check(
        "modify-overwrite-beta",
        &json!({"a": {"[*]": "=toUpper"}}),
        &json!({"a": ["x", 1]}),
        &json!({"a": ["X", 1]}),
    );
}

#[test]
fn functions_give_what_they_say_or_nothing() {
    let input = json!({"t": "a,b,,", "l": [3, 1, 2], "d": ["x", "y", "x"], "s": "héllo", "n": null,
        "o": {"a": null, "b": {"c": null}}, "f": "2.50"});
    for (call, expected) in [
        ("=toUpper(@(1,s))", json!("HÉLLO")),
        ("=join('-',@(1,d))", json!("x-y-x")),
        ("=join(',',@(1,s),@(1,n),1)", json!("héllo,1")),
        ("=split(',',@(1,t))", json!(["a", "b"])),
        ("=split('[,]+',@(1,t))", json!(["a", "b"])),
        ("=substring(@(1,s),1,3)", json!("él")),
        ("=leftPad(@(1,s),7,'*')", json!("**héllo")),
        ("=rightPad(@(1,s),7,'*')", json!("héllo**")),
        ("=min(@(1,l))", json!(1)),
        ("=max(1,2.5,'7')", json!(7)),
        ("=avg(@(1,l))", json!(2.0)),
        ("=abs(-4)", json!(4)),
        ("=intSum(@(1,l))", json!(6)),
        ("=doubleSum(1,0.5)", json!(1.5)),
        ("=intSubtract(5,7)", json!(-2)),
        ("=divide(5,2)", json!(2.5)),
        ("=divideAndRound(2,10,3)", json!(3.33)),
        ("=toInteger(@(1,f))", json!(2)),
        ("=toDouble(@(1,f))", json!(2.5)),
        ("=toBoolean('TRUE')", json!(true)),
        ("=toString(12)", json!("12")),
        ("=size(@(1,l))", json!(3)),
        ("=size(@(1,s))", json!(5)),
        ("=squashDuplicates(@(1,d))", json!(["x", "y"])),
        ("=recursivelySquashNulls(@(1,o))", json!({"b": {}})),
        ("=firstElement(@(1,l))", json!(3)),
        ("=lastElement(@(1,l))", json!(2)),
        ("=elementAt(1,@(1,l))", json!(1)),
        ("=elementAt(@(1,l),1)", json!(1)),
        ("=sort(@(1,l))", json!([1, 2, 3])),
        ("=toList(1,'a')", json!([1, "a"])),
        ("=concat('it\\'s, ',true)", json!("it's, true")),
    ] {
        let output = apply("modify-overwrite-beta", &json!({"out": call}), &input).unwrap();
        assert_eq!(output["out"], expected, "{call}");
    }
    for call in [
        "=noop",
        "=toUpper(@(1,n))",
        "=substring(@(1,s),3,9)",
        "=divide(1,0)",
        "=toInteger('x')",
        "=elementAt(9,@(1,l))",
        "=notNull(@(1,n))",
        "=split('(',@(1,t))",
        "=leftPad('a',999999999,'b')",
        "=intSum(9223372036854775807,1)",
    ] {
        let output = apply("modify-overwrite-beta", &json!({"out": call}), &input).unwrap();
        assert_eq!(output.get("out"), None, "{call}");
    }
}

#[test]
fn what_is_wrong_is_refused_with_its_place() {
    for (specification, path) in [
        (json!("x"), ""),
        (json!([]), ""),
        (json!([{"operation": "fly"}]), "[0].operation"),
        (json!([{"operation": "shift"}]), "[0].spec"),
        (
            json!([{"operation": "shift", "spec": {"a": 1}}]),
            "[0].spec.a",
        ),
        (
            json!([{"operation": "shift", "spec": {"a": {"b": "x[y]"}}}]),
            "[0].spec.a.b",
        ),
        (
            json!([{"operation": "shift", "spec": {"a*&": "x"}}]),
            "[0].spec.a*&",
        ),
        (
            json!([{"operation": "shift", "spec": {"a": "@(1,b"}}]),
            "[0].spec.a",
        ),
        (
            json!([{"operation": "remove", "spec": {"a": "x"}}]),
            "[0].spec.a",
        ),
        (
            json!([{"operation": "cardinality", "spec": {"a": "TWO"}}]),
            "[0].spec.a",
        ),
        (
            json!([{"operation": "default", "spec": {"a[]": {"b": 1}}}]),
            "[0].spec.a[].b",
        ),
        (
            json!([{"operation": "sort"}, {"operation": "modify-define-beta", "spec": {"a": "=fly()"}}]),
            "[1].spec.a",
        ),
        (
            json!([{"operation": "modify-define-beta", "spec": {"a": "^x"}}]),
            "[0].spec.a",
        ),
        (
            json!({"operation": "shift", "spec": {"a": 1}}),
            "[0].spec.a",
        ),
    ] {
        let error = Transformation::compile(&specification).unwrap_err();
        assert_eq!(error.path, path, "{specification}: {error}");
    }
    let mut deep = json!("x");
    for _ in 0..100 {
        deep = json!({"a": deep});
    }
    let specification = json!([{"operation": "shift", "spec": deep}]);
    assert!(Transformation::compile(&specification).is_err());
}

#[test]
fn work_size_and_positions_are_bounded() {
    let many: Value = (0..3000).map(|index| json!({"k": index})).collect();
    let spec = json!({"*": {"@(1)": "copies[]", "@(2)": "all[]"}});
    assert_eq!(apply("shift", &spec, &many), Err(TransformError::Work));
    let far = json!({"a": "x[99999999]"});
    assert_eq!(
        apply("shift", &far, &json!({"a": 1})),
        Err(TransformError::Index)
    );
    let computed = json!({"a": "x[@(0)]"});
    let result = apply("shift", &computed, &json!({"a": "4000000000"}));
    assert_eq!(result, Err(TransformError::Index));
    // Every operation wraps the document once more; the depth is checked between them.
    let wrap = json!({"operation": "shift", "spec": {"@": vec!["a"; 20].join(".")}});
    let specification = Value::Array(vec![wrap; 30]);
    let transformation = Transformation::compile(&specification).unwrap();
    assert_eq!(transformation.apply(json!(1)), Err(TransformError::Depth));
}

fn documents() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-c0-2&@$#*|.\\[\\]()=]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[a-c0-2&@$#*|,.\\\\\\[\\]()?+]{0,5}", inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_specification_and_no_document_do_harm(
        operation in prop::sample::select(vec![
            "shift", "default", "remove", "cardinality", "sort",
            "modify-overwrite-beta", "modify-default-beta", "modify-define-beta",
        ]),
        spec in documents(),
        input in documents(),
    ) {
        let specification = json!([{"operation": operation, "spec": spec}]);
        if let Ok(transformation) = Transformation::compile(&specification) {
            let _ = transformation.apply(input);
        }
    }

    #[test]
    fn shifting_everything_to_its_own_name_changes_nothing(input in documents()) {
        prop_assume!(input.as_object().is_some_and(|members| !members.is_empty()));
        let output = apply("shift", &json!({"*": "&"}), &input).unwrap();
        prop_assert_eq!(output, input);
    }

    #[test]
    fn sorting_changes_no_value(input in documents()) {
        let output = apply("sort", &json!({}), &input).unwrap();
        prop_assert_eq!(output, input);
    }
}
