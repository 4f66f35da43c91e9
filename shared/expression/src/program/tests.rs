//! What expressions mean.

use proptest::prelude::*;

use super::{Folding, Machine, Program};
use crate::error::EvalErrorKind;
use crate::scope::{Ambient, Lookup, Scope, Segment};
use crate::syntax::tests::source;
use crate::value::{Value, parse_json};

/// A scope over a JSON document whose members are the variables.
struct Document(Value);

#[derive(Debug)]
struct Fixed;

impl Ambient for Fixed {
    fn now_ms(&self) -> u64 {
        1_700_000_000_000
    }

    fn nanos(&self) -> u64 {
        7
    }

    fn random(&self) -> u64 {
        0x0123_4567_89AB_CDEF
    }
}

impl Scope for Document {
    fn lookup(&self, variable: &str, _path: &[Segment]) -> Lookup {
        let Value::Map(variables) = &self.0 else {
            return Lookup::Undefined;
        };
        match variables.get(variable) {
            Some(value) => Lookup::found(value.clone(), 0),
            None => Lookup::Undefined,
        }
    }

    fn ambient(&self) -> &dyn Ambient {
        &Fixed
    }
}

fn document() -> Document {
    Document(
        parse_json(
            br#"{
                "request": {"method": "GET", "headers": {"X-A": ["1", "2"], "Country": ["fr"]},
                    "content": "{\"customer\":{\"id\":\"42\"},\"items\":[{\"p\":1},{\"p\":5}]}",
                    "timestamp": 1700000000001, "pathInfo": "/a"},
                "context": {"attributes": {"jwt.claims": {"groups": ["admin", "dev"]}, "n": 3}},
                "routing": {"fr": "eu", "us": "na"},
                "people": [{"name": "ann", "age": 30}, {"name": "bob", "age": 40}],
                "empty": ""
            }"#,
        )
        .unwrap(),
    )
}

fn eval(source: &str) -> Result<Value, EvalErrorKind> {
    let program = Program::compile(source, 0).unwrap_or_else(|error| panic!("{source}: {error}"));
    Machine::new(&document())
        .run(&program)
        .map_err(|error| error.kind)
}

fn check(source: &str, expected: impl Into<Value>) {
    assert_eq!(eval(source), Ok(expected.into()), "{source}");
}

#[test]
fn literals_and_operators_follow_the_type_rules() {
    check("1 + 2 * 3", 7);
    check("7 / 2", 3);
    check("7 / 2.0", 3.5);
    check("-7 % 3", -1);
    check("2 ^ 10", 1024);
    check("0x1F + 1L", 32);
    check("'it''s' + 1 + null", "it's1null");
    check("1 == 1.0", true);
    check("1 == '1'", false);
    check("null < 1", true);
    check("'a' lt 'b' and not false", true);
    check("1 between {1, 5}", true);
    check("'x' instanceof T(String)", true);
    check("(1 > 2) ? 'a' : 'b'", "b");
    check("#empty ?: 'fallback'", "fallback");
    check("'true' && 1 < 2", true);
    check("10 div 3 eq 3 or false", true);
}

#[test]
fn failures_say_what_is_wrong() {
    assert!(matches!(
        eval("#nothing.name"),
        Err(EvalErrorKind::NullTarget { .. })
    ));
    assert!(matches!(
        eval("#request.headers['none'][0]"),
        Err(EvalErrorKind::NullTarget { .. })
    ));
    assert!(matches!(
        eval("#people[9]"),
        Err(EvalErrorKind::OutOfRange {
            index: 9,
            length: 2
        })
    ));
    assert!(matches!(
        eval("1 < 'a'"),
        Err(EvalErrorKind::WrongType { .. })
    ));
    assert!(matches!(eval("1 / 0"), Err(EvalErrorKind::Arithmetic(_))));
    assert!(matches!(
        eval("9223372036854775807 + 1"),
        Err(EvalErrorKind::Arithmetic(_))
    ));
    assert!(matches!(eval("!5"), Err(EvalErrorKind::WrongType { .. })));
    assert!(matches!(
        eval("payload"),
        Err(EvalErrorKind::NullTarget { .. })
    ));
    assert_eq!(eval("#nothing?.name"), Ok(Value::Null));
    assert_eq!(eval("#request.missing"), Ok(Value::Null));
}

#[test]
fn expressions_seen_in_the_field_work() {
    check(
        "#request.headers['X-A'] != null ? #request.headers['X-A'][0] : 'default'",
        "1",
    );
    check(
        "#request.headers['X-B'] != null ? #request.headers['X-B'][0] : 'default'",
        "default",
    );
    check(
        "#jsonPath(#request.content, '$.customer.id') matches '[0-9]+'",
        true,
    );
    check(
        "#context.attributes['jwt.claims']['groups'].contains('admin')",
        true,
    );
    check("#routing[#request.headers['Country'][0]]", "eu");
    check("T(java.lang.Math).random() < 0.1", true);
    check("#request.content.length() > 0", true);
    check("(#request.timestamp - 1700000000000L) > 0", true);
    check("T(java.util.UUID).randomUUID().toString().length()", 36);
    check("T(System).currentTimeMillis()", 1_700_000_000_000_i64);
    check("T(Integer).parseInt('12') + T(Long).parseLong('1')", 13);
    check("#people.?[age > 35].![name]", Value::list(["bob".into()]));
    check("#people.^[age > 1].name", "ann");
    check("#people.$[#this.age > 1].name", "bob");
    check("#routing.?[value == 'eu'].keySet()[0]", "fr");
    check("{'a', 'b'}.contains('b') && {k: 1}.k == 1", true);
}

#[test]
fn text_methods_follow_java() {
    check("'a,b,,'.split(',').size()", 2);
    check("'a1b22'.replaceAll('([0-9]+)', '<$1>')", "a<1>b<22>");
    check("'héllo'.substring(1, 3)", "él");
    check("'héllo'.indexOf('l')", 2);
    check("' x '.trim().toUpperCase()", "X");
    check("'abc'.charAt(1) + 'abc'[2]", "bc");
    check("'hello'.hashCode()", 99_162_322);
    check("'abc'.matches('a|abc')", true);
    check(
        "T(java.net.URLEncoder).encode('a b&ü', 'UTF-8')",
        "a+b%26%C3%BC",
    );
    check("T(java.net.URLDecoder).decode('a+b%26', 'UTF-8')", "a b&");
    check(
        "T(java.util.Base64).getEncoder().encodeToString('hi'.getBytes())",
        "aGk=",
    );
    check("T(String).join('-', {1, 2})", "1-2");
    check("#xmlEscape('<a>&')", "&lt;a&gt;&amp;");
    check("T(Math).max(1, 2) + T(Math).floorMod(-1, 3)", 4);
}

#[test]
fn what_is_not_allowed_is_refused_when_compiling_with_its_place() {
    for (source, position, found) in [
        ("1 +", 3, "the end of the expression"),
        ("#a.getClass()", 2, "method 'getClass'"),
        (
            "T(java.lang.Runtime).getRuntime()",
            0,
            "class java.lang.Runtime",
        ),
        ("T(System).exit(1)", 0, "System.exit with 1 arguments"),
        ("new String('a')", 0, "'new'"),
        (
            "#xpath('a', 'b')",
            0,
            "#xpath, which Tidegate does not offer",
        ),
        ("'open", 0, "text that is never closed"),
        ("'a' matches '('", 12, "("),
        ("#a ~ 1", 3, "'~'"),
        ("'a'.substring()", 3, "method 'substring' with 0 arguments"),
        ("99999999999999999999", 0, "99999999999999999999"),
    ] {
        let error = Program::compile(source, 0).expect_err(source);
        assert_eq!(
            (error.position, error.found.as_str()),
            (position, found),
            "{source}"
        );
        assert!(!error.expected.is_empty());
    }
}

#[test]
fn limits_stop_deep_long_and_greedy_expressions() {
    let deep = format!("{}1{}", "(".repeat(5000), ")".repeat(5000));
    assert!(Program::compile(&deep, 0).is_err());
    assert!(Program::compile(&"!".repeat(5000), 0).is_err());
    assert!(Program::compile(&vec!["1"; 5000].join("+"), 0).is_err());
    assert!(Program::compile(&format!("{{{}}}", vec!["1"; 5000].join(",")), 0).is_err());
    assert_eq!(
        eval("'aaaaaaaaaa'.repeat(1000000).replace('a', 'aaaa')"),
        Err(EvalErrorKind::Limit("length of text"))
    );
}

#[test]
fn nested_loops_run_out_of_steps() {
    let numbers = Value::list((0..400).map(Value::from));
    let scope = Document(crate::value::ValueMap::from_iter([("n", numbers)]).into());
    let program = Program::compile("#n.![#n.![#n.size()]]", 0).unwrap();
    let error = Machine::new(&scope).run(&program).unwrap_err();
    assert_eq!(error.kind, EvalErrorKind::Limit("evaluation steps"));
}

#[test]
fn lists_of_one_long_text_do_not_fill_the_memory() {
    let long = "('a'.repeat(10000000))";
    let source = format!("(#people.![{long}] + #people.![{long}].toString()).length()");
    assert_eq!(eval(&source), Err(EvalErrorKind::Limit("length of text")));
}

#[test]
fn patterns_computed_per_element_run_out_of_steps() {
    let items = Value::list((0..200).map(|index| format!("[a-z]{index}").into()));
    let scope = Document(crate::value::ValueMap::from_iter([("n", items)]).into());
    let program = Program::compile("#n.![#this.replaceAll(#this, '')]", 0).unwrap();
    let error = Machine::new(&scope).run(&program).unwrap_err();
    assert_eq!(error.kind, EvalErrorKind::Limit("evaluation steps"));
    assert!(Program::compile("#a.split('[')", 0).is_err());
}

#[test]
fn needs_and_variables_are_known_when_compiling() {
    let program = |source| Program::compile(source, 0).unwrap();
    assert!(
        program("#request.content.length() > 0")
            .needs()
            .request_content
    );
    assert!(program("#request.jsonContent.a").needs().request_content);
    assert!(program("#request[#x]").needs().request_content);
    assert!(!program("#request.headers['a'][0]").needs().request_content);
    assert!(
        program("#jsonPath(#response.content, '$.a')")
            .needs()
            .response_content
    );
    assert!(program("{1}.![#secrets]").mentions("secrets"));
    assert!(!program("#request.method").mentions("secrets"));
}

proptest! {
    #[test]
    fn folding_constants_changes_no_result(source in source()) {
        let folded = Program::compile_with(&source, 0, Folding::On);
        let plain = Program::compile_with(&source, 0, Folding::Off);
        prop_assert_eq!(folded.is_ok(), plain.is_ok());
        if let (Ok(folded), Ok(plain)) = (folded, plain) {
            let scope = document();
            let folded = Machine::new(&scope).run(&folded);
            let plain = Machine::new(&scope).run(&plain);
            prop_assert_eq!(format!("{folded:?}"), format!("{plain:?}"));
        }
    }

    #[test]
    fn arbitrary_text_never_panics(source in "\\PC{0,60}") {
        if let Ok(program) = Program::compile(&source, 0) {
            let _ = Machine::new(&document()).run(&program);
        }
    }
}
