//! What templates render, and what is refused.

use bytes::Bytes;
use proptest::prelude::*;
use tidegate_policy::Exchange;

use super::{RenderError, Template};
use crate::testing::exchange;

fn scope() -> Exchange {
    let mut exchange = exchange();
    let body = br#"{"name": "Ada", "tags": ["a", "b"], "n": 3, "none": null, "deep": {"x": true}}"#;
    exchange.request.content.set(Bytes::from_static(body));
    exchange.attributes.set(&"role".into(), "admin".into());
    exchange
}

fn render(source: &str) -> Result<String, RenderError> {
    Template::compile(source).unwrap().render(&scope())
}

#[track_caller]
fn check(source: &str, expected: &str) {
    assert_eq!(render(source).as_deref(), Ok(expected), "{source}");
}

#[test]
fn values_of_the_exchange_are_printed() {
    for (source, expected) in [
        ("", ""),
        ("plain { } $ # text", "plain { } $ # text"),
        ("${request.method} ${request.params['page'][0]}", "GET 2"),
        ("${request.headers['X-Tenant'][0]}", "acme"),
        ("${request.headers['x-tenant']?first}", "acme"),
        (
            "${context.attributes['role']} ${context.attributes.role}",
            "admin admin",
        ),
        (
            "${request.jsonContent.deep.x} ${request.jsonContent.tags[1]}",
            "true b",
        ),
        ("${request.content?length}", "78"),
        ("${api.name}<#-- gone -->!", "Shop!"),
    ] {
        check(source, expected);
    }
}

#[test]
fn operators_group_and_compute() {
    for (source, expected) in [
        ("${1 + 2 * 3}", "7"),
        ("${(1 + 2) * 3}", "9"),
        ("${7 / 2} ${8 / 2} ${7 % 4} ${-3 + 1}", "3.5 4 3 -2"),
        ("${'a' + 1 + 'b'}", "a1b"),
        ("${(1 < 2 && !(2 lt 1))?c}", "true"),
        ("${(1 == 1.0)?string('yes', 'no')}", "yes"),
        ("${('a' != 'b' || nothing)?c}", "true"),
        ("${(2 &gt; 1)?then('more', 'less')}", "more"),
        ("${\"${request.method}!\"} ${r'${x}'}", "GET! ${x}"),
        ("${'it\\'s \"\\n\\t\\\\'}", "it's \"\n\t\\"),
        ("${{'a': 1, 'b': 2}.b}", "2"),
        ("${'héllo'[1]}", "é"),
    ] {
        check(source, expected);
    }
}

#[test]
fn missing_values_need_a_default() {
    for (source, expected) in [
        ("${nothing!'d'} ${nothing!}|", "d |"),
        ("${request.jsonContent.none!'d'}", "d"),
        ("${request.headers['none']!'d'}", "d"),
        ("${(request.headers['none'][0])!'d'}", "d"),
        ("${(a.b.c)!'d'}", "d"),
        ("${nothing!1 + 1}", "2"),
        ("${(nothing!1) + 1}", "2"),
        ("${nothing!'a' + 'b'}", "ab"),
        (
            "${(nothing??)?c} ${(api.name??)?c} ${((a.b)??)?c}",
            "false true false",
        ),
        (
            "${nothing?has_content?c} ${''?has_content?c} ${api.name?has_content?c}",
            "false false true",
        ),
    ] {
        check(source, expected);
    }
    for source in [
        "${nothing}",
        "${a.b!'d'}",
        "${request.headers['none'][0]!'d'}",
        "${request.none}",
    ] {
        assert!(
            matches!(render(source), Err(RenderError::Missing(_))),
            "{source}"
        );
    }
    let missing = render("${request.headers['none'][0]}").unwrap_err();
    assert_eq!(missing.to_string(), "request.headers['none'][0] is missing");
}

#[test]
fn conditions_choose_one_branch() {
    let source = "<#if x == 1>one<#elseif x == 2>two<#else>many</#if>";
    for (x, expected) in [(1, "one"), (2, "two"), (3, "many")] {
        check(&format!("<#assign x = {x}>{source}"), expected);
    }
    check("<#if false>a</#if>b", "b");
    assert!(matches!(
        render("<#if 1>a</#if>"),
        Err(RenderError::Type(_))
    ));
}

#[test]
fn lists_are_walked() {
    for (source, expected) in [
        ("<#list 1..3 as x>${x}</#list>", "123"),
        ("<#list 3..1 as x>${x}<#sep>, </#list>", "3, 2, 1"),
        (
            "<#list ['a', 'b'] as x>${x?index}${x?counter}${x_index}<#if x_has_next>,</#if></#list>",
            "010,121",
        ),
        ("<#list [] as x>a<#else>none</#list>", "none"),
        (
            "<#list {'a': 1, 'b': 2} as k, v>${k}=${v}<#sep>&</#sep></#list>",
            "a=1&b=2",
        ),
        (
            "<#list request.jsonContent.tags as t>${t}<#if t == 'a'><#break></#if></#list>",
            "a",
        ),
        (
            "<#list 1..2 as a><#list 1..2 as b>${a}${b} </#list></#list>",
            "11 12 21 22 ",
        ),
        (
            "<#assign s = ''><#list 1..3 as x><#assign s = s + x></#list>${s}",
            "123",
        ),
        (
            "<#list 1..2 as x>${x}<#sep><#if true>-</#if></#sep></#list>",
            "1-2",
        ),
    ] {
        check(source, expected);
    }
    assert!(render("<#list 'abc' as x></#list>").is_err());
}

#[test]
fn assignments_hold_texts_and_values() {
    check("<#assign a = 1 b = a + 1>${b}", "2");
    check("<#assign a>x${1 + 1}</#assign>${a}${a?length}", "x22");
    check("<#noparse>${x} <#if></#noparse>", "${x} <#if>");
}

#[test]
fn lines_of_directives_leave_no_lines() {
    check("a\n  <#if true>\nb\n  </#if>\nc\n", "a\nb\nc\n");
    check("a\n<#assign x = 1> <#-- c -->\nb", "a\nb");
    check("a <#if true>b</#if>\n", "a b\n");
    check("<#if true>\n  ${1}\n</#if>\n", "  1\n");
}

#[test]
fn built_ins_do_what_they_say() {
    for (source, expected) in [
        ("'Ab c'?upper_case", "AB C"),
        ("'Ab c'?lower_case", "ab c"),
        ("' ab'?cap_first", " Ab"),
        ("'Ab'?uncap_first", "ab"),
        ("' a '?trim", "a"),
        ("'a\"b\\\\\\n<'?json_string", r#"a\"b\\\n\u003C"#),
        ("\"it's >\"?js_string", r"it\'s \>"),
        ("'<a b=\"c\">&'?html", "&lt;a b=&quot;c&quot;&gt;&amp;"),
        ("\"'\"?xml", "&apos;"),
        ("'a b/é'?url", "a%20b%2F%C3%A9"),
        ("'1,2,3'?split(',')?size", "3"),
        ("['a', 'b']?join('-')", "a-b"),
        ("[]?join('-', 'none')", "none"),
        ("'aXbX'?replace('X', '--')", "a--b--"),
        ("'abc'?contains('b')?c", "true"),
        ("'abc'?starts_with('b')?c", "false"),
        ("'abc'?ends_with('c')?c", "true"),
        ("'abc'?index_of('c')", "2"),
        ("'abc'?substring(1)", "bc"),
        ("'abc'?substring(0, 2)", "ab"),
        ("'12'?number + 1", "13"),
        ("2.5?round + 2.4?floor + 2.1?ceiling + 2.9?int", "10"),
        ("1234567?c + 1?string", "12345671"),
        ("{'a': 1}?keys?join(',')", "a"),
        ("{'a': 1}?values?first", "1"),
        ("[1, 2]?seq_contains(2)?c", "true"),
        ("request.content?eval_json.tags?last", "b"),
        ("request.content?eval.n", "3"),
        (
            "1?is_number?c + 'a'?is_string?c + []?is_sequence?c",
            "truetruetrue",
        ),
    ] {
        check(&format!("${{{source}}}"), expected);
    }
    for source in [
        "1?upper_case",
        "'x'?number",
        "'{'?eval_json",
        "[]?first",
        "'abc'?substring(5)",
        "'a'?split('')",
    ] {
        assert!(render(&format!("${{{source}}}")).is_err(), "{source}");
    }
}

#[test]
fn what_is_wrong_is_refused_with_its_line() {
    for (source, line) in [
        ("a\nb ${", 2),
        ("${}", 1),
        ("${1 +}", 1),
        ("${a b}", 1),
        ("${'a}", 1),
        ("a\n\n<#else>", 3),
        ("<#if>x</#if>", 1),
        ("<#list x>y</#list>", 1),
        ("<#break>", 1),
        ("<#function f></#function>", 1),
        ("</#if>", 1),
        ("<#noparse>x", 1),
        ("<#-- x", 1),
        ("#{1}", 1),
        ("${.now}", 1),
        ("${99999999999999999999}", 1),
        ("${a?api}", 1),
        ("${a?substring()}", 1),
    ] {
        let error = Template::compile(source).unwrap_err();
        assert_eq!(error.line, line, "{source}: {error}");
    }
    for deep in [
        "<#if true>".repeat(500) + &"</#if>".repeat(500),
        format!("${{{}1{}}}", "(".repeat(500), ")".repeat(500)),
        format!("${{{}1}}", "1+".repeat(5000)),
        format!("${{{}true}}", "!".repeat(5000)),
        format!("${{a{}}}", ".b".repeat(5000)),
    ] {
        assert!(Template::compile(&deep).is_err());
    }
}

#[test]
fn work_and_output_are_bounded() {
    for source in [
        "<#list 1..99999 as a><#list 1..99999 as b></#list></#list>",
        "<#list 1..999999999 as a></#list>",
        "<#assign s = 'xxxxxxxx'><#list 1..100 as a><#assign s = s + s></#list>",
        "<#assign s = [1, 2]><#list 1..100 as a><#assign s = s + s></#list>",
        "<#assign s = 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'><#list 1..60 as a><#assign s = s?replace('x', 'xx')></#list>",
    ] {
        assert_eq!(render(source), Err(RenderError::Limit), "{source}");
    }
}

proptest! {
    #[test]
    fn no_template_does_harm(source in "(\\$\\{|\\}|<#if |<#list |<#else>|</#if>|</#list>|<#assign |>| as x|[a-c0-2.!?'\"()\\[\\]+*=\\n -]){0,24}") {
        if let Ok(template) = Template::compile(&source) {
            let _ = template.render(&scope());
        }
    }
}
