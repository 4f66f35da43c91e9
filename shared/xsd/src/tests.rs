//! What fits a schema and what does not, and what a schema may not say.

use proptest::prelude::*;

use crate::{Invalid, Schema};

/// A schema of the namespace `urn:t`, which is also the default one.
fn schema(body: &str) -> String {
    format!(
        "<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema' xmlns='urn:t' xmlns:t='urn:t' \
         targetNamespace='urn:t' elementFormDefault='qualified'>{body}</xs:schema>"
    )
}

fn compiled(body: &str) -> Schema {
    Schema::compile(&schema(body)).unwrap()
}

/// Checks documents of the root `r`, given by what stands between `<r` and its end.
fn check(body: &str, cases: &[(&str, bool)]) {
    let schema = compiled(body);
    for (rest, expected) in cases {
        let document = format!(
            "<r xmlns='urn:t' xmlns:t='urn:t' xmlns:o='urn:o' xmlns:xs='http://www.w3.org/2001/XMLSchema' \
             xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance'{rest}</r>"
        );
        let result = schema.check(&document);
        assert_eq!(result.is_ok(), *expected, "{document}: {result:?}");
    }
}

/// Checks texts of a simple type.
fn texts(kind: &str, fit: &[&str], unfit: &[&str]) {
    let schema = compiled(&format!("<xs:element name='r' type='{kind}'/>"));
    for (list, expected) in [(fit, true), (unfit, false)] {
        for text in list {
            let result = schema.check(&format!("<r xmlns='urn:t'>{text}</r>"));
            assert_eq!(result.is_ok(), expected, "{kind} {text:?}: {result:?}");
        }
    }
}

#[test]
fn types_of_the_specification_read_their_texts() {
    texts("xs:string", &["", " a\n"], &["<a/>"]);
    texts("xs:boolean", &["true", " 0 ", "1"], &["", "yes", "TRUE"]);
    texts(
        "xs:decimal",
        &["1", "-1.50", "+.5", "5.", "99999999999999999999.1"],
        &["", ".", "1e3", "1,0"],
    );
    texts(
        "xs:integer",
        &["0", "-0", "+12", "99999999999999999999"],
        &["1.0", "", "-", "a"],
    );
    texts("xs:byte", &["127", "-128", "+007"], &["128", "-129"]);
    texts(
        "xs:unsignedLong",
        &["18446744073709551615"],
        &["18446744073709551616", "-1"],
    );
    texts("xs:positiveInteger", &["1"], &["0", "-1"]);
    texts("xs:negativeInteger", &["-1"], &["0"]);
    texts(
        "xs:double",
        &["1e3", "-INF", "NaN", "+.5"],
        &["inf", "nan", "infinity", ""],
    );
}

#[test]
fn times_of_the_specification_read_their_texts() {
    texts(
        "xs:date",
        &[
            "2024-02-29",
            "-0001-01-01",
            "12024-01-01Z",
            "2024-01-01+14:00",
        ],
        &[
            "2023-02-29",
            "0000-01-01",
            "24-01-01",
            "2024-13-01",
            "2024-01-01+14:01",
            "2024-1-1",
        ],
    );
    texts(
        "xs:dateTime",
        &[
            "2024-01-01T24:00:00",
            "2024-01-01T10:00:00.5Z",
            "2024-12-31T23:59:59-01:30",
        ],
        &[
            "2024-01-01",
            "2024-01-01T24:00:01",
            "2024-01-01T10:00:60",
            "2024-01-01T10:00",
            "2024-01-01T10:00:00.",
        ],
    );
    texts(
        "xs:time",
        &["10:00:00", "00:00:00.001Z"],
        &["25:00:00", "10:00"],
    );
    texts("xs:gYear", &["2024", "-0044"], &["44", "2024-01"]);
    texts("xs:gYearMonth", &["2024-12"], &["2024-13"]);
    texts("xs:gMonthDay", &["--02-29"], &["--02-30", "02-29"]);
    texts("xs:gDay", &["---31"], &["---32"]);
    texts("xs:gMonth", &["--12"], &["--13"]);
    texts(
        "xs:duration",
        &["P1Y", "-P1Y2M3DT4H5M6.7S", "PT0S"],
        &["P", "PT", "P1S", "P1M1Y", "PT1.5M", "1Y"],
    );
}

#[test]
fn names_and_bytes_of_the_specification_read_their_texts() {
    texts("xs:hexBinary", &["", "0aFF"], &["0", "0g"]);
    texts(
        "xs:base64Binary",
        &["", "aGk=", "aG kh"],
        &["a", "====", "aGk"],
    );
    texts("xs:anyURI", &["", "http://a/?b=c#d", "../x"], &["a b", "<"]);
    texts(
        "xs:language",
        &["de", "en-US-x1"],
        &["1", "abcdefghi", "de-"],
    );
    texts("xs:NCName", &["a-b.c", "é"], &["a:b", "1a", ""]);
    texts("xs:Name", &["a:b", ":x"], &["-a"]);
    texts("xs:NMTOKEN", &["1a:b"], &["a b", ""]);
    texts("xs:NMTOKENS", &["a b", "a"], &["a ,"]);
    texts("xs:QName", &["a", "t:a"], &["t:a:b", ":a"]);
    texts("xs:token", &[" a  b "], &[]);
}

#[test]
fn facets_narrow_types_over_all_steps_in_any_order_of_declaration() {
    check(
        "<xs:element name='r' type='c'/>
         <xs:simpleType name='c'><xs:restriction base='b'><xs:maxLength value='3'/></xs:restriction></xs:simpleType>
         <xs:simpleType name='b'><xs:restriction base='t:a'><xs:pattern value='[a-z]*'/><xs:pattern value='[0-9]*'/></xs:restriction></xs:simpleType>
         <xs:simpleType name='a'><xs:restriction base='xs:token'><xs:minLength value='2'/></xs:restriction></xs:simpleType>",
        &[(">ab", true), (">123", true), (">a", false), (">abcd", false), (">a1", false), ("> ab ", true)],
    );
    for (facets, base, fit, unfit) in [
        (
            "<xs:minInclusive value='1.5'/><xs:maxExclusive value='10'/>",
            "decimal",
            "1.50",
            "10.0",
        ),
        ("<xs:minExclusive value='1'/>", "int", "2", "1"),
        ("<xs:maxInclusive value='0'/>", "double", "-INF", "NaN"),
        (
            "<xs:minInclusive value='2024-01-01Z'/>",
            "date",
            "2024-01-01-05:00",
            "2023-12-31",
        ),
        (
            "<xs:totalDigits value='3'/><xs:fractionDigits value='1'/>",
            "decimal",
            "0012.50",
            "12.34",
        ),
        (
            "<xs:enumeration value='1'/><xs:enumeration value=' 2 '/>",
            "int",
            "02",
            "3",
        ),
        ("<xs:length value='2'/>", "hexBinary", "0aff", "0a"),
        ("<xs:length value='2'/>", "base64Binary", "aGk=", "aGkh"),
        (
            "<xs:whiteSpace value='collapse'/><xs:enumeration value='a b'/>",
            "string",
            " a   b ",
            "ab",
        ),
        ("<xs:pattern value='\\i\\c*'/>", "string", "a-1", "1a"),
        (
            "<xs:pattern value='[a-z-[aeiou]]+'/>",
            "string",
            "xyz",
            "xaz",
        ),
        (
            "<xs:pattern value='\\p{Lu}\\d{2,}|\\^$'/>",
            "string",
            "^$",
            "A1",
        ),
        ("<xs:pattern value='a.c'/>", "string", "abc", "ac"),
        ("<xs:pattern value='[^-&amp;]'/>", "string", "a", "-"),
    ] {
        let body = format!(
            "<xs:element name='r'><xs:simpleType><xs:restriction base='xs:{base}'>{facets}</xs:restriction>\
             </xs:simpleType></xs:element>"
        );
        check(
            &body,
            &[(&format!(">{fit}"), true), (&format!(">{unfit}"), false)],
        );
    }
}

#[test]
fn lists_and_unions_check_their_parts() {
    check(
        "<xs:element name='r' type='l'/>
         <xs:simpleType name='l'><xs:restriction><xs:simpleType><xs:list itemType='u'/></xs:simpleType>
           <xs:maxLength value='3'/></xs:restriction></xs:simpleType>
         <xs:simpleType name='u'><xs:union memberTypes='small xs:date'>
           <xs:simpleType><xs:restriction base='xs:string'><xs:enumeration value='none'/></xs:restriction></xs:simpleType>
           </xs:union></xs:simpleType>
         <xs:simpleType name='small'><xs:restriction base='xs:int'><xs:maxInclusive value='3'/></xs:restriction></xs:simpleType>",
        &[(">1 2024-01-01  none", true), (">", true), (">4", false), (">1 1 1 1", false), (">other", false)],
    );
}

#[test]
fn sequences_choices_and_repetitions_are_followed() {
    check(
        "<xs:element name='r'><xs:complexType><xs:sequence>
           <xs:element name='a'/><xs:element name='b' minOccurs='0' maxOccurs='2'/>
           <xs:choice minOccurs='0' maxOccurs='unbounded'><xs:element name='c'/><xs:sequence><xs:element name='d'/><xs:element name='e'/></xs:sequence></xs:choice>
         </xs:sequence></xs:complexType></xs:element>",
        &[
            ("><a/>", true), ("><a/><b/><b/>", true), ("><a/><c/><d/><e/><c/>", true), (">  <a/>\n", true),
            (">", false), ("><b/>", false), ("><a/><b/><b/><b/>", false), ("><a/><d/>", false),
            ("><a/><d/><c/>", false), ("><a/>x", false), ("><a/><t:b/>", true), ("><a/><o:b/>", false),
            ("><a xmlns=''/>", false),
        ],
    );
}

#[test]
fn counts_of_elements_and_groups_are_exact() {
    check(
        "<xs:element name='r'><xs:complexType><xs:sequence>
           <xs:element name='a' minOccurs='2' maxOccurs='1000000'/>
           <xs:group ref='g' minOccurs='1' maxOccurs='2'/>
         </xs:sequence></xs:complexType></xs:element>
         <xs:group name='g'><xs:sequence><xs:element name='x'/><xs:element name='y' minOccurs='0'/></xs:sequence></xs:group>",
        &[
            ("><a/><a/><x/>", true), ("><a/><a/><a/><x/><y/><x/>", true), ("><a/><x/>", false),
            ("><a/><a/>", false), ("><a/><a/><x/><x/><x/>", false), ("><a/><a/><y/>", false),
        ],
    );
    check(
        "<xs:element name='r'><xs:complexType><xs:sequence minOccurs='3' maxOccurs='unbounded'>
           <xs:element name='a' minOccurs='0'/><xs:element name='b'/></xs:sequence></xs:complexType></xs:element>",
        &[("><b/><a/><b/><b/>", true), ("><b/><b/>", false), ("><b/><b/><b/><b/>", true), ("><b/><b/><b/><a/>", false)],
    );
}

#[test]
fn all_takes_each_element_once_in_any_order() {
    check(
        "<xs:element name='r'><xs:complexType><xs:all><xs:element name='a'/><xs:element name='b' minOccurs='0'/></xs:all></xs:complexType></xs:element>",
        &[
            ("><b/><a/>", true),
            ("><a/>", true),
            ("><b/>", false),
            ("><a/><a/>", false),
            ("><c/>", false),
            (">", false),
        ],
    );
    check(
        "<xs:element name='r'><xs:complexType><xs:all minOccurs='0'><xs:element name='a'/></xs:all></xs:complexType></xs:element>",
        &[(">", true), ("><a/>", true)],
    );
}

#[test]
fn attributes_are_required_typed_and_fixed() {
    check(
        "<xs:element name='r'><xs:complexType>
           <xs:attribute name='n' type='xs:int' use='required'/><xs:attribute name='f' fixed=' 1 ' type='xs:int'/>
           <xs:attributeGroup ref='g'/><xs:attribute ref='t:q'/><xs:attribute ref='xml:lang'/>
         </xs:complexType></xs:element>
         <xs:attributeGroup name='g'><xs:attributeGroup ref='h'/></xs:attributeGroup>
         <xs:attributeGroup name='h'><xs:attribute name='in'/></xs:attributeGroup>
         <xs:attribute name='q' type='xs:boolean'/>",
        &[
            (" n='1'>", true), (" n='1' f='01' in='x' t:q='true' xml:lang='de'>", true), (">", false),
            (" n='x'>", false), (" n='1' f='2'>", false), (" n='1' q='true'>", false), (" n='1' t:q='x'>", false),
            (" n='1' other='x'>", false), (" n='1' xsi:schemaLocation='a b'>", true), (" n='1'>x", false),
        ],
    );
}

#[test]
fn extensions_and_restrictions_inherit() {
    check(
        "<xs:element name='r' type='derived'/>
         <xs:complexType name='derived'><xs:complexContent><xs:extension base='basic'><xs:sequence><xs:element name='y'/></xs:sequence><xs:attribute name='b'/></xs:extension></xs:complexContent></xs:complexType>
         <xs:complexType name='basic'><xs:sequence><xs:element name='x'/></xs:sequence><xs:attribute name='a' use='required'/></xs:complexType>",
        &[(" a='' b=''><x/><y/>", true), (" a=''><x/>", false), (" a=''><y/>", false), ("><x/><y/>", false)],
    );
    check(
        "<xs:element name='r' type='narrow'/>
         <xs:complexType name='narrow'><xs:complexContent><xs:restriction base='wide'><xs:sequence><xs:element name='x'/></xs:sequence><xs:attribute name='a' use='prohibited'/></xs:restriction></xs:complexContent></xs:complexType>
         <xs:complexType name='wide'><xs:sequence><xs:element name='x' minOccurs='0'/></xs:sequence><xs:attribute name='a'/><xs:attribute name='b'/></xs:complexType>",
        &[(" b=''><x/>", true), (">", false), (" a=''><x/>", false)],
    );
    check(
        "<xs:element name='r' type='price'/>
         <xs:complexType name='price'><xs:simpleContent><xs:restriction base='money'><xs:maxInclusive value='9'/><xs:attribute name='unit' fixed='EUR'/></xs:restriction></xs:simpleContent></xs:complexType>
         <xs:complexType name='money'><xs:simpleContent><xs:extension base='xs:decimal'><xs:attribute name='unit'/></xs:extension></xs:simpleContent></xs:complexType>",
        &[(" unit='EUR'>9.0", true), (">10", false), (" unit='USD'>1", false), (">x", false), (">1<x/>", false)],
    );
}

#[test]
fn documents_may_choose_derived_types_and_nothing_else() {
    check(
        "<xs:element name='r' type='b' nillable='true'/>
         <xs:complexType name='b' abstract='true'><xs:sequence/></xs:complexType>
         <xs:complexType name='d'><xs:complexContent><xs:extension base='b'><xs:sequence><xs:element name='x' type='xs:int' nillable='true'/></xs:sequence></xs:extension></xs:complexContent></xs:complexType>
         <xs:complexType name='other'><xs:sequence/></xs:complexType>",
        &[
            (" xsi:type='d'><x>1</x>", true), (" xsi:type='t:d'><x xsi:nil='true'/>", true), (">", false),
            (" xsi:type='other'>", false), (" xsi:type='none'>", false), (" xsi:type='d'><x xsi:nil='true'>1</x>", false),
            (" xsi:type='d' xsi:nil='1'>", true), (" xsi:type='d'><x xsi:type='xs:byte'>1</x>", true),
            (" xsi:type='d'><x xsi:type='xs:string'>1</x>", false), (" xsi:type='d'><x/>", false),
        ],
    );
}

#[test]
fn members_of_a_substitution_group_stand_for_its_head() {
    check(
        "<xs:element name='r'><xs:complexType><xs:sequence><xs:element ref='h' maxOccurs='3'/></xs:sequence></xs:complexType></xs:element>
         <xs:element name='n' type='xs:byte' substitutionGroup='m'/>
         <xs:element name='m' type='xs:int' substitutionGroup='h'/>
         <xs:element name='h' abstract='true'/>",
        &[("><m>300</m><n>1</n>", true), ("><n>300</n>", false), ("><h/>", false), ("><m>x</m>", false)],
    );
}

#[test]
fn wildcards_admit_namespaces_and_check_what_is_known() {
    check(
        "<xs:element name='r'><xs:complexType><xs:sequence>
           <xs:any namespace='##other' processContents='lax' minOccurs='0'/>
           <xs:any namespace='##targetNamespace' minOccurs='0'/>
           <xs:any namespace='##local' processContents='skip' minOccurs='0'/>
         </xs:sequence><xs:anyAttribute namespace='urn:o' processContents='lax'/></xs:complexType></xs:element>
         <xs:element name='n' type='xs:int'/>",
        &[
            ("><o:x><n>1</n><whatever/></o:x>", true), ("><o:x><n>x</n></o:x>", false), ("><n>1</n>", true),
            ("><n>x</n>", false), ("><unknown/>", false), ("><x xmlns=''><t:n>x</t:n></x>", true),
            (" o:a='1'>", true), (" t:a='1'>", false), (" a='1'>", false),
        ],
    );
}

#[test]
fn values_of_elements_have_defaults_and_fixed_ones() {
    check(
        "<xs:element name='r'><xs:complexType><xs:sequence><xs:element name='d' type='xs:int' default='1' minOccurs='0'/>
           <xs:element name='f' type='xs:decimal' fixed='1.0' minOccurs='0'/></xs:sequence></xs:complexType></xs:element>",
        &[("><d/>", true), ("><d>x</d>", false), ("><f/>", true), ("><f>1</f>", true), ("><f>2</f>", false)],
    );
    check(
        "<xs:element name='r' fixed='a'><xs:complexType mixed='true'><xs:sequence><xs:element name='x' minOccurs='0'/></xs:sequence></xs:complexType></xs:element>",
        &[
            (">a", true),
            (">", true),
            (">b", false),
            (">a<x/>", false),
            ("><x/>", true),
        ],
    );
}

#[test]
fn an_id_is_unique_and_references_are_met() {
    check(
        "<xs:element name='r'><xs:complexType><xs:sequence><xs:element name='x' maxOccurs='unbounded'><xs:complexType><xs:attribute name='id' type='xs:ID'/><xs:attribute name='to' type='xs:IDREFS'/></xs:complexType></xs:element></xs:sequence></xs:complexType></xs:element>",
        &[
            ("><x to='b a'/><x id='a'/><x id='b'/>", true),
            ("><x id='a'/><x id='a'/>", false),
            ("><x to='a'/>", false),
        ],
    );
}

#[test]
fn types_may_contain_themselves() {
    check(
        "<xs:element name='r' type='tree'/><xs:complexType name='tree'><xs:sequence><xs:element name='n' type='tree' minOccurs='0' maxOccurs='unbounded'/></xs:sequence></xs:complexType>",
        &[("><n><n/><n><n/></n></n>", true), ("><n><m/></n>", false)],
    );
}

#[test]
fn a_schema_without_a_namespace_and_unqualified_elements_are_read() {
    let plain = "<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema'><xs:element name='r' type='t'/><xs:complexType name='t'><xs:sequence><xs:element name='x'/></xs:sequence></xs:complexType></xs:schema>";
    let schema = Schema::compile(plain).unwrap();
    assert_eq!(schema.check("<r><x/></r>"), Ok(()));
    assert!(schema.check("<r xmlns='urn:t'><x/></r>").is_err());
    let mixed = "<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema' targetNamespace='urn:t'><xs:element name='r'><xs:complexType><xs:sequence><xs:element name='x'/></xs:sequence></xs:complexType></xs:element></xs:schema>";
    let schema = Schema::compile(mixed).unwrap();
    assert_eq!(schema.check("<t:r xmlns:t='urn:t'><x/></t:r>"), Ok(()));
    assert!(schema.check("<r xmlns='urn:t'><x/></r>").is_err());
}

/// Schemas that are refused, with a part of what is said about them.
const REFUSED: &[(&str, &str)] = &[
    ("<xs:include schemaLocation='a.xsd'/>", "include"),
    (
        "<xs:import namespace='urn:o' schemaLocation='http://example.org/o.xsd'/>",
        "import",
    ),
    ("<xs:redefine schemaLocation='a.xsd'/>", "redefine"),
    ("<xs:notation name='n' public='p'/>", "notation"),
    ("<xs:element name='r' block='extension'/>", "block"),
    (
        "<xs:element name='r'><xs:complexType/><xs:key name='k'><xs:selector xpath='x'/><xs:field xpath='@a'/></xs:key></xs:element>",
        "complexType",
    ),
    (
        "<xs:element name='r' type='xs:int'><xs:unique name='k'/></xs:element>",
        "unique",
    ),
    (
        "<xs:element name='r'><xs:complexType><xs:sequence/><xs:assert test='1'/></xs:complexType></xs:element>",
        "assert",
    ),
    ("<xs:element name='r' type='xs:ENTITY'/>", "ENTITY"),
    (
        "<xs:element name='r'><xs:simpleType><xs:restriction base='xs:string'><xs:pattern value='\\p{IsGreek}'/></xs:restriction></xs:simpleType></xs:element>",
        "IsGreek",
    ),
    (
        "<xs:element name='r'><xs:simpleType><xs:restriction base='xs:string'><xs:pattern value='('/></xs:restriction></xs:simpleType></xs:element>",
        "parenthesis",
    ),
    (
        "<xs:element name='r'><xs:simpleType><xs:restriction base='xs:string'><xs:minInclusive value='a'/></xs:restriction></xs:simpleType></xs:element>",
        "minInclusive",
    ),
    (
        "<xs:element name='r'><xs:simpleType><xs:restriction base='xs:int'><xs:enumeration value='a'/></xs:restriction></xs:simpleType></xs:element>",
        "no int",
    ),
    ("<xs:element name='r' type='none'/>", "none"),
    (
        "<xs:element name='r'><xs:complexType><xs:sequence><xs:element ref='none'/></xs:sequence></xs:complexType></xs:element>",
        "none",
    ),
    (
        "<xs:element name='r'><xs:complexType><xs:group ref='none'/></xs:complexType></xs:element>",
        "none",
    ),
    ("<xs:element name='r' default='x' type='xs:int'/>", "no int"),
    (
        "<xs:element name='r'/><xs:element name='r'/>",
        "second declaration",
    ),
    (
        "<xs:group name='g'><xs:sequence><xs:group ref='g'/></xs:sequence></xs:group>",
        "in itself",
    ),
    (
        "<xs:attributeGroup name='g'><xs:attributeGroup ref='g'/></xs:attributeGroup>",
        "in itself",
    ),
    (
        "<xs:simpleType name='a'><xs:restriction base='b'/></xs:simpleType><xs:simpleType name='b'><xs:restriction base='a'/></xs:simpleType>",
        "itself",
    ),
    (
        "<xs:simpleType name='a'><xs:list itemType='a'/></xs:simpleType>",
        "itself",
    ),
    (
        "<xs:complexType name='a'><xs:complexContent><xs:extension base='b'/></xs:complexContent></xs:complexType><xs:complexType name='b'><xs:complexContent><xs:extension base='a'/></xs:complexContent></xs:complexType>",
        "itself",
    ),
    (
        "<xs:element name='a' type='xs:int' substitutionGroup='b'/><xs:element name='b' type='xs:int' substitutionGroup='a'/>",
        "itself",
    ),
    (
        "<xs:element name='a' type='xs:string' substitutionGroup='b'/><xs:element name='b' type='xs:int'/>",
        "{urn:t}a for",
    ),
    (
        "<xs:complexType name='a'><xs:sequence minOccurs='4000000000' maxOccurs='unbounded'><xs:element name='x'/></xs:sequence></xs:complexType>",
        "steps",
    ),
    ("<html/>", "html"),
];

#[test]
fn what_is_not_checked_is_refused_by_its_name() {
    for (body, found) in REFUSED {
        let error = Schema::compile(&schema(body)).unwrap_err();
        assert!(error.to_string().contains(found), "{body}: {error}");
    }
}

#[test]
fn a_schema_that_grows_by_its_groups_is_refused() {
    let mut body =
        "<xs:group name='g0'><xs:sequence><xs:element name='x'/></xs:sequence></xs:group>"
            .to_owned();
    for level in 1..40 {
        let below = level - 1;
        body.push_str(&format!(
            "<xs:group name='g{level}'><xs:sequence><xs:group ref='g{below}'/><xs:group ref='g{below}'/></xs:sequence></xs:group>"
        ));
    }
    let error = Schema::compile(&schema(&body)).unwrap_err();
    assert!(error.to_string().contains("grows"), "{error}");
}

#[test]
fn chains_of_types_and_groups_are_bounded() {
    let simple = |level: usize| {
        format!(
            "<xs:simpleType name='a{level}'><xs:restriction base='a{}'/></xs:simpleType>",
            level + 1
        )
    };
    let complex = |level: usize| {
        let below = level + 1;
        format!(
            "<xs:complexType name='a{level}'><xs:complexContent><xs:extension base='a{below}'><xs:sequence>\
             <xs:element name='x{level}'/></xs:sequence></xs:extension></xs:complexContent></xs:complexType>"
        )
    };
    let group = |level: usize| {
        let below = level + 1;
        format!(
            "<xs:group name='a{level}'><xs:sequence><xs:group ref='a{below}'/></xs:sequence></xs:group>"
        )
    };
    let attributes = |level: usize| {
        let below = level + 1;
        format!(
            "<xs:attributeGroup name='a{level}'><xs:attributeGroup ref='a{below}'/></xs:attributeGroup>"
        )
    };
    let union = |level: usize| {
        format!(
            "<xs:simpleType name='a{level}'><xs:union memberTypes='a{}'/></xs:simpleType>",
            level + 1
        )
    };
    let ends = [
        "<xs:simpleType name='aEND'><xs:restriction base='xs:int'/></xs:simpleType>",
        "<xs:complexType name='aEND'><xs:sequence/></xs:complexType>",
        "<xs:group name='aEND'><xs:sequence/></xs:group>",
        "<xs:attributeGroup name='aEND'/>",
        "<xs:simpleType name='aEND'><xs:restriction base='xs:int'/></xs:simpleType>",
    ];
    let links: [&dyn Fn(usize) -> String; 5] = [&simple, &complex, &group, &attributes, &union];
    for (link, end) in links.into_iter().zip(ends) {
        for (length, is_good) in [(20, true), (5000, false)] {
            let mut body: String = (0..length).map(link).collect();
            body.push_str(&end.replace("END", &length.to_string()));
            let compiled = Schema::compile(&schema(&body));
            assert_eq!(
                compiled.is_ok(),
                is_good,
                "{}: {:?}",
                link(0),
                compiled.err()
            );
        }
    }
}

#[test]
fn documents_that_are_no_xml_or_hostile_are_malformed() {
    let schema = compiled("<xs:element name='r' type='xs:string'/>");
    let deep = format!(
        "<r xmlns='urn:t'>{}{}</r>",
        "<r>".repeat(300),
        "</r>".repeat(300)
    );
    for document in [
        "",
        "text",
        "<r xmlns='urn:t'>",
        "<r xmlns='urn:t'></q>",
        "<r xmlns='urn:t'/><r/>",
        "<r xmlns='urn:t'/>x",
        "<!DOCTYPE r [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><r xmlns='urn:t'>&x;</r>",
        "<r xmlns='urn:t'>&lol;</r>",
        "<r xmlns='urn:t' a='1' a='2'/>",
        "<p:r xmlns='urn:t'/>",
        "<r xmlns='urn:t'>\u{1}</r>",
        "<r xmlns='urn:t' xmlns:p=''/>",
    ] {
        let error = schema.check(document).unwrap_err();
        assert!(
            matches!(error, Invalid::Malformed { .. }),
            "{document}: {error}"
        );
    }
    let recursive = compiled(
        "<xs:element name='r'><xs:complexType><xs:sequence><xs:element ref='r' minOccurs='0'/></xs:sequence></xs:complexType></xs:element>",
    );
    assert!(matches!(
        recursive.check(&deep),
        Err(Invalid::Malformed { .. })
    ));
    assert_eq!(
        schema.check(
            "\u{feff}<?xml version='1.0'?><!-- a --><r xmlns='urn:t'>&lt;&#65;<![CDATA[<b>]]></r>\n"
        ),
        Ok(())
    );
}

#[test]
fn a_pattern_takes_time_in_proportion_to_the_text() {
    let schema = compiled(
        "<xs:element name='r'><xs:simpleType><xs:restriction base='xs:string'><xs:pattern value='(a*)*(a|aa)*b'/></xs:restriction></xs:simpleType></xs:element>",
    );
    let text = "a".repeat(100_000);
    assert!(
        schema
            .check(&format!("<r xmlns='urn:t'>{text}</r>"))
            .is_err()
    );
}

proptest! {
    #[test]
    fn no_text_makes_a_schema_or_a_check_panic(text in "(<[a-z:/]{0,6}|[ a-z='\"]{0,8}|xmlns|xs:element|/?>|&[a-z#0-9]{0,4};|\\PC){0,24}") {
        let _ = Schema::compile(&text);
        let _ = Schema::compile(&schema(&text));
        let _ = compiled("<xs:element name='r' type='xs:anyType'/>").check(&text);
    }
}
