//! What selectors find, and what texts become.

use bytes::Bytes;
use serde_json::{Value, json};
use tidegate_policy::{Exchange, Phase};

use super::BLOCKS;
use crate::testing::{compile, example, exchange, failure, run};

const NAME: &str = "html-json";

fn transformed(configuration: &Value, html: &str) -> (Value, Exchange) {
    let mut exchange = exchange();
    let body = Bytes::copy_from_slice(html.as_bytes());
    exchange.response.content.set(body);
    let headers = &mut exchange.response.headers;
    headers.insert("content-type", "text/html".parse().unwrap());
    let outcome = run(NAME, configuration, Phase::Response, &mut exchange);
    assert!(outcome.is_continue(), "{outcome:?}");
    let body = exchange.response.content.bytes().unwrap();
    (serde_json::from_slice(body).unwrap(), exchange)
}

/// The texts that a selector finds.
fn found(selector: &str, html: &str) -> Value {
    let configuration =
        json!({"selectors": [{"jsonName": "x", "selector": selector, "array": true}]});
    transformed(&configuration, html).0["x"].clone()
}

#[test]
fn the_example_of_the_readme_runs() {
    let html = "<title> A  shop </title><ul class='menu big'><li><a href='/a'>A</a><li><a href='/b'>B</a>\
        <li><a href='http://c'>C</a></ul>";
    let (json, exchange) = transformed(&example(include_str!("README.md")), html);
    assert_eq!(json, json!({"title": "A shop", "links": ["A", "B"]}));
    let content_type = &exchange.response.headers["content-type"];
    assert_eq!(content_type, "application/json; charset=UTF-8");
}

#[test]
fn selectors_find_elements_in_the_order_of_the_document() {
    let html = "<div id=a class='x y'><p>1</p><p lang=en-US>2<b>3</b></p><i></i></div>\
        <div id=b><p class=y>4</p><span>5</span><p>6</p></div>";
    for (selector, expected) in [
        ("p", json!(["1", "23", "4", "6"])),
        ("P", json!(["1", "23", "4", "6"])),
        ("#b p", json!(["4", "6"])),
        (".y", json!(["1 23", "4"])),
        (".x.y > p:first-child", json!(["1"])),
        ("div > b", json!([])),
        ("div b", json!(["3"])),
        ("body div p b", json!(["3"])),
        ("p + span", json!(["5"])),
        ("p ~ p", json!(["23", "6"])),
        ("p[lang|=en]", json!(["23"])),
        ("p[lang]", json!(["23"])),
        ("[class~=y]", json!(["1 23", "4"])),
        ("[id='b'] > :last-child", json!(["6"])),
        ("[lang$=US], span", json!(["23", "5"])),
        ("[lang*='n-']", json!(["23"])),
        ("[lang*='']", json!([])),
        ("p:not(.y)", json!(["1", "23", "6"])),
        ("p:not([lang]):not(:first-child)", json!(["6"])),
        ("p:nth-child(2n+1)", json!(["1", "4", "6"])),
        ("p:nth-child(even)", json!(["23"])),
        ("p:nth-of-type(-n+1)", json!(["1", "4"])),
        ("p:last-of-type", json!(["23", "6"])),
        ("p:nth-last-child(2)", json!(["23"])),
        ("span:only-of-type", json!(["5"])),
        ("i:empty", json!([""])),
        ("b:only-child", json!(["3"])),
        ("html:root > body > div:nth-child(2) p", json!(["4", "6"])),
        ("*:root", json!(["1 23 4 5 6"])),
    ] {
        assert_eq!(found(selector, html), expected, "{selector}");
    }
}

#[test]
fn texts_have_one_blank_between_blocks_and_none_between_words() {
    for (html, expected) in [
        ("<p>a<b>b</b>\n c</p>", "ab c"),
        ("<div>a<div>b</div>c</div>", "a b c"),
        ("a<br>b", "a b"),
        ("<p>a<script>x</script><style>y</style></p>", "a"),
        ("<table>x<tr><td>1<td>2</table>", "x 1 2"),
        ("&lt;a&gt; &eacute;&nbsp;", "<a> é\u{a0}"),
        ("", ""),
        ("<b><p>a</b>b</p>", "ab"),
    ] {
        let configuration = json!({"selectors": [{"jsonName": "x", "selector": "body"}]});
        let (json, _) = transformed(&configuration, html);
        assert_eq!(json["x"], expected.trim(), "{html}");
    }
}

#[test]
fn one_text_joins_all_and_what_is_not_found_is_empty() {
    let configuration = json!({"jsonAttributes": [
        {"jsonName": "all", "selector": "p"}, {"jsonName": "none", "selector": "q"},
        {"jsonName": "nones", "selector": "q", "array": true}
    ]});
    let (json, _) = transformed(&configuration, "<p>a</p><p>b</p>");
    assert_eq!(json, json!({"all": "a b", "none": "", "nones": []}));
}

#[test]
fn odd_documents_are_read_and_deep_ones_refused() {
    let odd = "<b><table><i><p></b>".repeat(100);
    assert!(super::Tree::parse(&odd).is_ok());
    let deep = "<div>".repeat(400) + "x";
    let configuration = json!({"selectors": [{"jsonName": "x", "selector": "div > div > i, b"}]});
    assert_eq!(transformed(&configuration, &deep).0, json!({"x": ""}));
    let mut exchange = exchange();
    exchange
        .response
        .content
        .set(Bytes::from("<div>".repeat(500_000)));
    let outcome = run(NAME, &configuration, Phase::Response, &mut exchange);
    assert_eq!(failure(outcome).status, 500);
}

#[test]
fn wrong_selectors_are_refused_with_what_is_wrong() {
    for (selector, found) in [
        ("", "the end"),
        ("p >", "the end"),
        ("p,,q", "','"),
        ("p:hover", ":hover"),
        ("p::before", "':'"),
        ("p:contains(x)", ":contains"),
        ("[a", "the end"),
        ("[a='b]", "quote"),
        (":nth-child(x)", "an+b"),
        (":not(p", "the end"),
        ("p q!", "'!'"),
    ] {
        let configuration = json!({"selectors": [{"jsonName": "x", "selector": selector}]});
        let error = compile(NAME, &configuration, Phase::Response).unwrap_err();
        assert_eq!(error.path, "selectors[0].selector");
        assert!(error.value.contains(found), "{selector}: {error}");
    }
}

#[test]
fn names_of_blocks_are_sorted() {
    assert!(BLOCKS.is_sorted());
}
