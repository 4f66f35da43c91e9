//! Tests of reading and writing files: golden files, limits, round trips.

use std::{fs, path::PathBuf};

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{
    ApiDocument, DEPTH_MAX, ExportFacts, SOURCE_BYTES_MAX, SourceDocument, Spelling, export,
    parse_source, to_yaml,
};
use crate::{api::Api, validate::validate_api};

const SPELLINGS: [Spelling; 4] = [
    Spelling::Runtime,
    Spelling::Envelope,
    Spelling::Gko,
    Spelling::Native,
];

fn testdata() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata")
}

/// Every input file with its content, sorted by name.
fn inputs() -> Vec<(String, Vec<u8>)> {
    let mut inputs: Vec<_> = fs::read_dir(testdata())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().unwrap().to_string_lossy().contains(".in."))
        .map(|path| {
            (
                path.file_name().unwrap().to_string_lossy().into_owned(),
                fs::read(&path).unwrap(),
            )
        })
        .collect();
    inputs.sort();
    assert!(inputs.len() > 10, "the golden files are missing");
    inputs
}

/// What reading and validating a file gives, as text for people.
fn transcript(name: &str, content: &[u8]) -> String {
    let documents = match parse_source(name, content) {
        Ok(documents) => documents,
        Err(violations) => {
            return violations
                .iter()
                .map(|violation| format!("violation: {violation}\n"))
                .collect();
        }
    };
    documents
        .iter()
        .map(|document| format!("---\n{}", describe(document)))
        .collect()
}

fn describe(document: &SourceDocument) -> String {
    match document {
        SourceDocument::Api(api) => {
            let mut text = format!(
                "api: id {:?}, name {:?}, {:?}, started {:?}, etag {:?}\n",
                api.id, api.name, api.spelling, api.desired_started, api.etag
            );
            for notice in &api.notices {
                text += &format!(
                    "notice: {}: {}: {}\n",
                    notice.code, notice.path, notice.message
                );
            }
            for violation in validate_api(&api.canonical, &[]).err().unwrap_or_default() {
                text += &format!("violation: {violation}\n");
            }
            text + &to_yaml(&api.canonical)
        }
        other => format!("{other:#?}\n"),
    }
}

#[test]
fn golden_files_read_as_before() {
    for (name, content) in inputs() {
        let (case, _) = name.split_once(".in.").unwrap();
        let path = testdata().join(format!("{case}.out.txt"));
        let found = transcript(&name, &content);
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&path, &found).unwrap();
        }
        let expected = fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(
            found, expected,
            "{name}: run with UPDATE_GOLDEN=1 if this is right"
        );
    }
}

fn one_api(name: &str, content: &[u8]) -> ApiDocument {
    match parse_source(name, content).unwrap().remove(0) {
        SourceDocument::Api(api) => api,
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn every_spelling_means_the_same() {
    let facts = ExportFacts {
        etag: Some("7".to_owned()),
        started: Some(false),
        in_sync: Some(true),
    };
    for (name, content) in inputs() {
        for document in parse_source(&name, &content).unwrap_or_default() {
            let SourceDocument::Api(api) = document else {
                continue;
            };
            for spelling in SPELLINGS {
                let text = export(&api.canonical, spelling, &facts);
                let again = one_api(&name, text.as_bytes());
                assert_eq!(
                    again.canonical, api.canonical,
                    "{name} as {spelling:?}:\n{text}"
                );
                assert_eq!(again.spelling, spelling, "{name}");
                if spelling != Spelling::Runtime {
                    assert_eq!(again.desired_started, Some(false), "{name} as {spelling:?}");
                }
                if matches!(spelling, Spelling::Gko | Spelling::Native) {
                    assert_eq!(again.etag.as_deref(), Some("7"), "{name} as {spelling:?}");
                }
            }
        }
    }
}

#[test]
fn bad_files_are_refused_with_their_place() {
    let deep = |open: &str, close: &str| format!("{}{}", open.repeat(100), close.repeat(100));
    let laughs: String = (1..30).fold(
        "a0: &a0 [x, x, x, x, x, x, x, x]\n".to_owned(),
        |text, n| {
            let alias = format!("*a{}, ", n - 1).repeat(8);
            format!("{text}a{n}: &a{n} [{alias}]\n")
        },
    );
    let cases: Vec<(Vec<u8>, &str, &str)> = vec![
        (b"".to_vec(), "x", "an empty file"),
        (b"# nothing\n---\n".to_vec(), "x", "an empty file"),
        (b"{\"a\": 1,\n \"a\": 2}".to_vec(), "x:2:2", "each key once"),
        (
            b"a: 1\nb:\n  c: 1\n  c: 2\n".to_vec(),
            "x:4:3",
            "each key once",
        ),
        (b"{\"a\": ]".to_vec(), "x:1:7", "a JSON value"),
        (b"{\"a\": \"\\ud800\"}".to_vec(), "x:1:7", "valid escapes"),
        (
            b"{\"a\": 123456789012345678901}".to_vec(),
            "x:1:7",
            "64 bits",
        ),
        (b"a: [1, 2\nb: 3\n".to_vec(), "x:", "YAML"),
        (b"a: 1\nb: \xff".to_vec(), "x:2:4", "UTF-8"),
        (b"\xff\xfe{\0}\0".to_vec(), "x", "UTF-16"),
        (vec![b' '; SOURCE_BYTES_MAX + 1], "x", "4194304 bytes"),
        (deep("[", "]").into_bytes(), "x:1:65", "64 levels"),
        (deep("{\"a\":[", "]}").into_bytes(), "x:1:", "64 levels"),
        (deep("- ", "x").into_bytes(), "x:1:", "64 levels"),
        (laughs.into_bytes(), "x:", "aliases replaced"),
        (b"a: &a [*a]\n".to_vec(), "x:", "a complete value"),
        (b"? [a]\n: b\n".to_vec(), "x:1:3", "a text as a key"),
        (
            b"a: &a {b: 1}\nc:\n  <<: *a\n".to_vec(),
            "x:3:3",
            "merge key",
        ),
        (b"just text".to_vec(), "x", "an object"),
        (b"{\"swagger\": \"2.0\"}".to_vec(), "x", "an API definition"),
    ];
    for (content, place, words) in cases {
        let shown = String::from_utf8_lossy(&content[..content.len().min(60)]).into_owned();
        let violations = parse_source("x", &content).unwrap_err();
        let text = violations[0].to_string();
        assert!(text.starts_with(place), "{shown:?}: {text}");
        assert!(text.contains(words), "{shown:?}: {text}");
    }
}

#[test]
fn nesting_up_to_the_limit_is_read() {
    for (open, close) in [("[", "]"), ("{a: ", "}"), ("{\"a\": ", "}")] {
        let text = format!("{}1{}", open.repeat(DEPTH_MAX), close.repeat(DEPTH_MAX));
        let violation = parse_source("x", text.as_bytes()).unwrap_err().remove(0);
        assert!(!violation.expected.contains("levels"), "{violation}");
    }
}

#[test]
fn aliases_and_several_documents_are_read() {
    let text = "\u{feff}apiVersion: tidegate/v1\nkind: Application\nmetadata: {name: &n one}\n---\n---\n\
                apiVersion: tidegate/v1\nkind: Application\nmetadata: {name: two}\nspec: {clientId: &c id, description: *c}\n";
    let documents = parse_source("x", text.as_bytes()).unwrap();
    let names: Vec<_> = documents
        .iter()
        .map(|document| match document {
            SourceDocument::Application(application) => application.name.as_str(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(names, ["one", "two"]);
}

#[test]
fn errors_of_several_documents_name_each() {
    let violations = parse_source("x", b"a: 1\n---\nb: 1\n").unwrap_err();
    let sources: Vec<_> = violations
        .iter()
        .map(|violation| violation.source.as_str())
        .collect();
    assert_eq!(sources, ["x:1 (document 1)", "x:3 (document 2)"]);
}

#[test]
fn a_billion_laughs_end_early_in_json_too() {
    let text = format!("[{}1]", "1,".repeat(1_200_000));
    let violations = parse_source("x", text.as_bytes()).unwrap_err();
    assert!(
        violations[0].expected.contains("values"),
        "{}",
        violations[0]
    );
}

/// Any JSON, with texts that YAML could take for something else.
pub(super) fn json_value() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        any::<String>(),
        "[ -~\n\t]{0,20}",
        "[-+0-9.eExo_:~#&*!|>%@`'\"{}\\[\\], ]{0,8}",
        proptest::sample::select(vec![
            "yes", "null", "~", "0x1F", "1e3", "- a", "a: b", "<<", "---", "a #b", "\u{85}"
        ])
        .prop_map(str::to_owned),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        proptest::num::f64::NORMAL.prop_map(Value::from),
        text.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 5, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::vec((text.clone(), inner), 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// A definition whose every free place holds anything.
fn definition() -> impl Strategy<Value = Value> {
    (json_value(), json_value(), json_value(), "[A-Za-z _-]{0,12}", proptest::collection::vec("[a-z ]{1,6}", 0..4)).prop_map(
        |(configuration, unknown, description, label, names)| {
            let plans: Vec<Value> = names
                .iter()
                .map(|name| json!({"name": name, "status": label, "security": {"type": label}, "order": unknown}))
                .collect();
            json!({
                "definitionVersion": "V4", "name": "n", "type": label, "description": description, "x": unknown,
                "flows": [{"request": [{"policy": "p", "configuration": configuration}],
                    "selectors": [{"type": "HTTP", "pathOperator": label, "methods": [label]}]}],
                "plans": plans,
                "pages": names.iter().map(|name| json!({"name": name})).collect::<Vec<_>>(),
            })
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn nothing_panics_the_parser(content in any::<Vec<u8>>(), text in "[-a-z:{}\\[\\]\"'&*,#!|>%?\n ]{0,60}") {
        let _ = parse_source("x", &content);
        let _ = parse_source("x", text.as_bytes());
    }

    #[test]
    fn json_and_yaml_read_back_what_was_written(value in json_value()) {
        let wrapped = json!({"listeners": [], "x": value});
        for text in [wrapped.to_string(), format!("{wrapped:#}"), to_yaml(&wrapped)] {
            let api = one_api("x", text.as_bytes());
            prop_assert_eq!(&api.canonical["x"], &wrapped["x"], "{}", text);
        }
    }

    #[test]
    fn any_definition_survives_every_spelling(document in definition()) {
        let canonical = one_api("x", document.to_string().as_bytes()).canonical;
        let _ = Api::from_canonical(&canonical);
        let _ = validate_api(&canonical, &[]);
        for spelling in SPELLINGS {
            let text = export(&canonical, spelling, &ExportFacts::default());
            prop_assert_eq!(&one_api("x", text.as_bytes()).canonical, &canonical, "{:?}: {}", spelling, text);
        }
    }
}
