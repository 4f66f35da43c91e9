//! Stylesheets with what they make, what is refused, and hostile input.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use crate::{Limits, Stylesheet, TransformError};

const HEAD: &str =
    "<xsl:stylesheet version=\"1.0\" xmlns:xsl=\"http://www.w3.org/1999/XSL/Transform\">";

fn stylesheet(top: &str) -> Stylesheet {
    let text = format!("{HEAD}<xsl:output omit-xml-declaration=\"yes\"/>{top}</xsl:stylesheet>");
    Stylesheet::compile(&text).unwrap_or_else(|error| panic!("{error}: {top}"))
}

fn transformed(top: &str, source: &str) -> Result<String, TransformError> {
    let output = stylesheet(top).transform(source, &[], &Limits::default());
    output.map(|output| output.text)
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn instructions_make_what_the_recommendation_says() {
    let source = "<o id=\"7\"><i n=\"b\">2</i><i n=\"a\">10</i><i n=\"c\">1</i><e/></o>";
    let root = |body: &str| format!("<xsl:template match=\"/\">{body}</xsl:template>");
    let cases = [
        // Built-in rules.
        (String::new(), "2101"),
        (root("<r a=\"{o/@id}-{{}}\"><xsl:value-of select=\"count(//i)\"/></r>"), "<r a=\"7-{}\">3</r>"),
        (
            root("<xsl:for-each select=\"o/i\"><xsl:sort select=\".\" data-type=\"number\"/>\
                  <xsl:value-of select=\"@n\"/><xsl:if test=\"position() != last()\">,</xsl:if></xsl:for-each>"),
            "c,b,a",
        ),
        (
            root("<xsl:for-each select=\"o/i\"><xsl:sort select=\"@n\" order=\"descending\"/>\
                  <xsl:number value=\"position()\" format=\"I. \"/><xsl:value-of select=\".\"/> </xsl:for-each>"),
            "I. 1II. 2III. 10",
        ),
        (
            "<xsl:template match=\"@*|node()\"><xsl:copy><xsl:apply-templates select=\"@*|node()\"/></xsl:copy>\
             </xsl:template><xsl:template match=\"i[@n='a']\"/>".to_owned(),
            "<o id=\"7\"><i n=\"b\">2</i><i n=\"c\">1</i><e/></o>",
        ),
        (
            "<xsl:template match=\"i[2]\" priority=\"3\">second</xsl:template>\
             <xsl:template match=\"i\">one</xsl:template><xsl:template match=\"o/i\">in o</xsl:template>".to_owned(),
            "in osecondin o",
        ),
        (
            "<xsl:template match=\"/\"><xsl:apply-templates select=\"o/i[last()]\" mode=\"m\">\
             <xsl:with-param name=\"p\" select=\"'x'\"/></xsl:apply-templates></xsl:template>\
             <xsl:template match=\"i\" mode=\"m\"><xsl:param name=\"p\"/><xsl:param name=\"q\" select=\"1+1\"/>\
             <xsl:value-of select=\"concat($p,$q,.)\"/></xsl:template>".to_owned(),
            "x21",
        ),
        (
            root("<xsl:call-template name=\"t\"><xsl:with-param name=\"n\" select=\"3\"/></xsl:call-template>")
                + "<xsl:template name=\"t\"><xsl:param name=\"n\"/><xsl:if test=\"$n &gt; 0\">\
                   <xsl:value-of select=\"$n\"/><xsl:call-template name=\"t\"><xsl:with-param name=\"n\" \
                   select=\"$n - 1\"/></xsl:call-template></xsl:if></xsl:template>",
            "321",
        ),
        (
            root("<xsl:choose><xsl:when test=\"o/@id = 8\">8</xsl:when><xsl:when test=\"o/i = 10\">ten</xsl:when>\
                  <xsl:otherwise>no</xsl:otherwise></xsl:choose>"),
            "ten",
        ),
        (
            root("<xsl:variable name=\"v\"><a/>text</xsl:variable><xsl:copy-of select=\"$v\"/>\
                  <xsl:value-of select=\"string-length($v)\"/>"),
            "<a/>text4",
        ),
        (
            root("<xsl:element name=\"p:{name(o)}\" namespace=\"urn:x\"><xsl:attribute name=\"a\">b\
                  <xsl:value-of select=\"1\"/></xsl:attribute><xsl:comment>a--b</xsl:comment>\
                  <xsl:processing-instruction name=\"t\">c</xsl:processing-instruction></xsl:element>"),
            "<p:o xmlns:p=\"urn:x\" a=\"b1\"><!--a- -b--><?t c?></p:o>",
        ),
        (
            "<xsl:key name=\"k\" match=\"i\" use=\"@n\"/>".to_owned()
                + &root("<xsl:value-of select=\"key('k', 'a')\"/><xsl:value-of select=\"key('k', //i/@n)[3]\"/>"),
            "101",
        ),
        (
            "<xsl:attribute-set name=\"s\"><xsl:attribute name=\"x\">1</xsl:attribute></xsl:attribute-set>".to_owned()
                + &root("<r xsl:use-attribute-sets=\"s\" y=\"2\"/>"),
            "<r x=\"1\" y=\"2\"/>",
        ),
        (
            "<xsl:decimal-format name=\"d\" decimal-separator=\",\" grouping-separator=\".\"/>".to_owned()
                + &root("<xsl:value-of select=\"format-number(1234.5, '#.##0,00', 'd')\"/>"),
            "1.234,50",
        ),
        (
            root("<xsl:for-each select=\"//i\"><xsl:number/>/<xsl:number level=\"any\" count=\"o|i\" format=\"a\"/> \
                  </xsl:for-each>"),
            "1/b2/c3/d",
        ),
        (root("<xsl:text>&lt;&amp;</xsl:text><xsl:value-of select=\"'&lt;'\" disable-output-escaping=\"yes\"/>"), "&lt;&amp;<"),
        (
            "<xsl:variable name=\"a\" select=\"$b + 1\"/><xsl:variable name=\"b\" select=\"1\"/>".to_owned()
                + &root("<xsl:value-of select=\"$a\"/>"),
            "2",
        ),
    ];
    for (top, result) in cases {
        assert_eq!(transformed(&top, source).as_deref(), Ok(result), "{top}");
    }
}

#[test]
fn expressions_give_what_the_recommendation_says() {
    let source =
        "<r xmlns:p=\"urn:p\"><a x=\"1\">one</a><p:b> t  w </p:b><c><d>4</d><d>5</d></c></r>";
    for (expression, result) in [
        ("1 + 2 * 3 - -4 div 2", "9"),
        ("5 mod 3 = 2 and not(false())", "true"),
        ("'a' = 'a' or 1 div 0 &lt; 0", "true"),
        ("1 div 0", "Infinity"),
        ("number('x')", "NaN"),
        ("round(2.5) + floor(-1.5) + ceiling(1.2)", "3"),
        ("substring('12345', 1.5, 2.6)", "234"),
        ("substring('12345', 0, 3)", "12"),
        ("substring('12345', -42, 1 div 0)", "12345"),
        ("substring-before('a=b=c', '=')", "a"),
        ("substring-after('a=b=c', '=')", "b=c"),
        ("translate('bar', 'abc', 'AB')", "BAr"),
        ("normalize-space(//*[local-name() = 'b'])", "t w"),
        (
            "concat(name(/*/*[2]), ' ', namespace-uri(/*/*[2]))",
            "p:b urn:p",
        ),
        ("sum(//d) + count(//@*)", "10"),
        ("//d[2]/preceding-sibling::d", "4"),
        ("name(//d[1]/ancestor::*[1])", "c"),
        ("name(//d[1]/ancestor::*[last()])", "r"),
        ("string(//a/following::d[1])", "4"),
        ("count(//d[1]/preceding::node())", "4"),
        ("//*[@x = 1] | //d[. &gt; 4]", "one"),
        ("(//d)[last()]", "5"),
        ("count(/descendant-or-self::node())", "11"),
        ("//c/*[position() = 2][1]", "5"),
        ("boolean(//none) or string-length('äöü') = 3", "true"),
        ("//d != 4", "true"),
        ("not(//d = 6)", "true"),
        ("starts-with('abc', 'ab') and contains('abc', 'bc')", "true"),
        ("generate-id(//a) = generate-id(/r/a)", "true"),
        ("-(-3)", "3"),
        ("4-3", "1"),
        ("self::node()[//a]/r/a/@x", "1"),
        ("system-property('xsl:version')", "1"),
        (
            "element-available('xsl:if') and not(element-available('xsl:import'))",
            "true",
        ),
    ] {
        let top = format!(
            "<xsl:template match=\"/\"><xsl:value-of select=\"{expression}\"/></xsl:template>"
        );
        assert_eq!(
            transformed(&top, source).as_deref(),
            Ok(result),
            "{expression}"
        );
    }
}

#[test]
fn results_are_written_by_their_method() {
    let run = |output: &str, body: &str| {
        let text = format!(
            "{HEAD}{output}<xsl:template match=\"/\">{body}</xsl:template></xsl:stylesheet>"
        );
        let output = Stylesheet::compile(&text).unwrap();
        let output = output.transform("<s/>", &[], &Limits::default()).unwrap();
        (output.media_type, output.text)
    };
    let (xml, html, text) = ("application/xml", "text/html", "text/plain");
    for (rules, body, media_type, result) in [
        (
            "",
            "<a><b/></a>",
            xml,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><a><b/></a>",
        ),
        (
            "<xsl:output indent=\"yes\" standalone=\"yes\" doctype-system=\"a.dtd\"/>",
            "<a><b><c>t</c></b></a>",
            xml,
            "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n<!DOCTYPE a SYSTEM \"a.dtd\">\n\
             <a>\n  <b>\n    <c>t</c>\n  </b>\n</a>",
        ),
        (
            "",
            "<html><br/><p a=\"&lt;\"/><script>a &lt; b</script></html>",
            html,
            "<html><br><p a=\"<\"></p><script>a < b</script></html>",
        ),
        (
            "<xsl:output method=\"text\"/>",
            "<a>x&amp;<b>y</b></a>",
            text,
            "x&y",
        ),
        (
            "<xsl:output omit-xml-declaration=\"yes\" cdata-section-elements=\"c\" media-type=\"text/x\"/>",
            "<a><c>&lt;]]&gt;</c></a>",
            "text/x",
            "<a><c><![CDATA[<]]]]><![CDATA[>]]></c></a>",
        ),
        (
            "<xsl:output omit-xml-declaration=\"yes\"/>",
            "<a xmlns=\"urn:a\" xmlns:b=\"urn:b\" b:x=\"1\"><b:c><d xmlns=\"\"/></b:c></a>",
            xml,
            "<a xmlns=\"urn:a\" xmlns:b=\"urn:b\" b:x=\"1\"><b:c><d xmlns=\"\"/></b:c></a>",
        ),
    ] {
        let expected = (media_type.to_owned(), result.to_owned());
        assert_eq!(run(rules, body), expected, "{rules} {body}");
    }
}

#[test]
fn parameters_replace_values_and_spaces_are_stripped() {
    let sheet = stylesheet(
        "<xsl:param name=\"p\" select=\"'own'\"/><xsl:variable name=\"v\" select=\"'v'\"/>\
         <xsl:strip-space elements=\"*\"/><xsl:preserve-space elements=\"k\"/>\
         <xsl:template match=\"/\"><xsl:value-of select=\"concat($p,$v,count(//text()))\"/></xsl:template>",
    );
    let given = |name: &str| vec![(name.to_owned(), "given".to_owned())];
    let source = "<a> <b> </b><k> </k><c xml:space=\"preserve\"> </c></a>";
    for (parameters, result) in [
        (vec![], "ownv2"),
        (given("p"), "givenv2"),
        (given("v"), "ownv2"),
    ] {
        let output = sheet
            .transform(source, &parameters, &Limits::default())
            .unwrap();
        assert_eq!(output.text, result);
    }
    assert_eq!(sheet.parameters().collect::<Vec<_>>(), ["p"]);
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn what_is_not_supported_is_refused_by_its_name() {
    for (top, place, reason) in [
        ("<xsl:import href=\"a\"/>", "xsl:import", "fetched"),
        ("<xsl:include href=\"a\"/>", "xsl:include", "fetched"),
        (
            "<xsl:function name=\"f\"/>",
            "xsl:function",
            "not supported",
        ),
        (
            "<xsl:namespace-alias stylesheet-prefix=\"a\" result-prefix=\"b\"/>",
            "xsl:namespace-alias",
            "not supported",
        ),
        (
            "<xsl:output encoding=\"ISO-8859-1\"/>",
            "@encoding of xsl:output",
            "UTF-8",
        ),
        (
            "<xsl:template match=\"a\"><xsl:for-each-group select=\"b\"/></xsl:template>",
            "xsl:for-each-group",
            "not supported",
        ),
        (
            "<xsl:template match=\"a\"><xsl:apply-imports/></xsl:template>",
            "xsl:apply-imports",
            "not supported",
        ),
        (
            "<xsl:template match=\"a\"><xsl:value-of select=\"document('x')\"/></xsl:template>",
            "@select of xsl:value-of",
            "document() is not supported",
        ),
        (
            "<xsl:template match=\"a\"><xsl:value-of select=\"upper-case(.)\"/></xsl:template>",
            "@select of xsl:value-of",
            "upper-case()",
        ),
        (
            "<xsl:template match=\"a\"><xsl:value-of select=\"if (1) then 2 else 3\"/></xsl:template>",
            "@select of xsl:value-of",
            "if()",
        ),
        (
            "<xsl:template match=\"a\"><xsl:value-of select=\"namespace::*\"/></xsl:template>",
            "@select of xsl:value-of",
            "namespace axis",
        ),
        (
            "<xsl:template match=\"a\"><xsl:value-of select=\"p:a\"/></xsl:template>",
            "@select of xsl:value-of",
            "not declared",
        ),
        (
            "<xsl:template match=\"a\"><b c=\"{d\"/></xsl:template>",
            "@c of b",
            "not closed",
        ),
        (
            "<xsl:template match=\"a\"><xsl:value-of/></xsl:template>",
            "@select of xsl:value-of",
            "missing",
        ),
        (
            "<xsl:template match=\"a\"><xsl:number from=\"b\"/></xsl:template>",
            "@from of xsl:number",
            "not supported",
        ),
        (
            "<xsl:template match=\"a\"><xsl:call-template name=\"b\"/></xsl:template>",
            "@name of xsl:call-template",
            "no such template",
        ),
        (
            "<xsl:template match=\"ancestor::a\"/>",
            "@match of xsl:template",
            "child and attribute",
        ),
        ("<xsl:template/>", "xsl:template", "neither match nor name"),
        ("<a/>", "a", "without namespace"),
    ] {
        let error = Stylesheet::compile(&format!("{HEAD}{top}</xsl:stylesheet>")).unwrap_err();
        assert_eq!(error.place, place, "{top}: {error}");
        assert!(error.reason.contains(reason), "{top}: {error}");
    }
    for text in [
        "",
        "<a",
        "<a/>",
        "<!DOCTYPE a [<!ENTITY b \"c\">]><a/>",
        "<xsl:stylesheet/>",
    ] {
        assert!(Stylesheet::compile(text).is_err(), "{text}");
    }
}

#[test]
fn every_transformation_ends_within_its_limits() {
    let endless = "<xsl:template match=\"/\"><xsl:apply-templates select=\".\"/></xsl:template>";
    let named = "<xsl:template match=\"/\" name=\"t\"><a><xsl:call-template name=\"t\"/></a></xsl:template>";
    let doubling = "<xsl:template match=\"/\"><xsl:call-template name=\"t\"/></xsl:template>\
        <xsl:template name=\"t\"><xsl:param name=\"n\" select=\"40\"/><xsl:if test=\"$n &gt; 0\">\
        <xsl:call-template name=\"t\"><xsl:with-param name=\"n\" select=\"$n - 1\"/></xsl:call-template>\
        <xsl:call-template name=\"t\"><xsl:with-param name=\"n\" select=\"$n - 1\"/></xsl:call-template>\
        </xsl:if></xsl:template>";
    let growing = "<xsl:template match=\"/\"><xsl:call-template name=\"t\"><xsl:with-param name=\"s\" \
        select=\"'0123456789'\"/></xsl:call-template></xsl:template><xsl:template name=\"t\"><xsl:param name=\"s\"/>\
        <xsl:call-template name=\"t\"><xsl:with-param name=\"s\" select=\"concat($s, $s)\"/></xsl:call-template>\
        </xsl:template>";
    let circle = "<xsl:variable name=\"a\" select=\"$b\"/><xsl:variable name=\"b\" select=\"$a\"/>\
        <xsl:template match=\"/\"><xsl:value-of select=\"$a\"/></xsl:template>";
    let ended = "<xsl:template match=\"/\"><xsl:message terminate=\"yes\">enough</xsl:message></xsl:template>";
    let many = "<xsl:template match=\"/\"><xsl:value-of select=\"count(//*[count(//*[count(//*) &gt; 3]) &gt; 3])\"/>\
        </xsl:template>";
    let source = format!("<a>{}</a>", "<b/>".repeat(2_000));
    for (top, error) in [
        (endless, TransformError::Limit("templates within templates")),
        (named, TransformError::Limit("templates within templates")),
        (doubling, TransformError::Limit("work")),
        (growing, TransformError::Limit("length of a text")),
        (
            circle,
            TransformError::Dynamic("the variable $a depends on itself".to_owned()),
        ),
        (ended, TransformError::Terminated("enough".to_owned())),
        (many, TransformError::Limit("work")),
    ] {
        let limits = Limits {
            steps: 2_000_000,
            time: Duration::from_secs(600),
            ..Limits::default()
        };
        let outcome = stylesheet(top).transform(&source, &[], &limits);
        assert_eq!(outcome.unwrap_err(), error, "{top}");
    }
    let (limits, begun) = (
        Limits {
            steps: u64::MAX,
            time: Duration::from_millis(50),
            ..Limits::default()
        },
        Instant::now(),
    );
    let outcome = stylesheet(doubling).transform(&source, &[], &limits);
    assert_eq!(outcome.unwrap_err(), TransformError::Limit("time"));
    assert!(begun.elapsed() < Duration::from_secs(60));
}

#[test]
fn hostile_sources_are_refused() {
    let copy = "<xsl:template match=\"/\"><xsl:copy-of select=\".\"/></xsl:template>";
    let deep = format!("{}{}", "<a>".repeat(10_000), "</a>".repeat(10_000));
    for source in [
        "",
        "text",
        "<a>",
        "<a/><b/>",
        "<a b='1' b='2'/>",
        "<p:a/>",
        "<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>",
        "<a>&x;</a>",
        "<a><?xml?></b>",
        &deep,
    ] {
        let outcome = transformed(copy, source);
        assert!(
            matches!(outcome, Err(TransformError::Source(_))),
            "{source:.40}: {outcome:?}"
        );
    }
}

proptest! {
    #[test]
    fn any_expression_compiles_or_not(text in "[a-z0-9@/\\[\\]().*|$'\"=<>+ :-]{0,40}") {
        let text = text.replace('<', "&lt;").replace('"', "&quot;");
        let top = format!(
            "{HEAD}<xsl:template match=\"/\"><xsl:value-of select=\"{text}\"/></xsl:template></xsl:stylesheet>"
        );
        if let Ok(sheet) = Stylesheet::compile(&top) {
            let _ = sheet.transform("<a b=\"c\"><d>1</d>2</a>", &[], &Limits::default());
        }
    }
}
