//! X.500 names: as certificates hold them, and as patterns that configurations write (RFC 2253, RFC 1779).

use regex::Regex;
use x509_parser::x509::X509Name;

use crate::pattern;

/// Longest pattern in bytes.
const PATTERN_BYTES_MAX: usize = 4096;

/// Most parts of a name that is looked at; certificates have about eight.
const PARTS_MAX: usize = 64;

/// Keywords of attribute types that Java knows, with their object identifiers.
const KEYWORDS: &[(&str, &str)] = &[
    ("CN", "2.5.4.3"),
    ("SURNAME", "2.5.4.4"),
    ("SERIALNUMBER", "2.5.4.5"),
    ("C", "2.5.4.6"),
    ("L", "2.5.4.7"),
    ("S", "2.5.4.8"),
    ("ST", "2.5.4.8"),
    ("STREET", "2.5.4.9"),
    ("O", "2.5.4.10"),
    ("OU", "2.5.4.11"),
    ("T", "2.5.4.12"),
    ("GIVENNAME", "2.5.4.42"),
    ("INITIALS", "2.5.4.43"),
    ("GENERATION", "2.5.4.44"),
    ("DNQ", "2.5.4.46"),
    ("DNQUALIFIER", "2.5.4.46"),
    ("UID", "0.9.2342.19200300.100.1.1"),
    ("DC", "0.9.2342.19200300.100.1.25"),
    ("EMAILADDRESS", "1.2.840.113549.1.9.1"),
    ("IP", "1.3.6.1.4.1.42.2.11.2.1"),
];

/// A name of a certificate: parts of attributes with object identifier and value.
#[derive(Debug)]
pub(super) struct Name(Vec<Vec<(String, String)>>);

impl Name {
    /// Reads the subject of a certificate; `None` if it has too many parts.
    pub(super) fn new(name: &X509Name<'_>) -> Option<Self> {
        let mut parts = Vec::new();
        for part in name.iter_rdn() {
            let attributes = part.iter().map(|attribute| {
                let value = attribute.as_str().unwrap_or_default();
                (attribute.attr_type().to_id_string(), canonical(value))
            });
            parts.push(attributes.collect());
            if parts.len() > PARTS_MAX {
                return None;
            }
        }
        Some(Self(parts))
    }
}

/// A name whose values may have wildcards.
#[derive(Debug)]
pub(super) struct NamePattern(Vec<Vec<(String, Regex)>>);

impl NamePattern {
    /// Compiles a pattern such as `CN=localhost,O=Acme*,C=??`.
    ///
    /// # Errors
    /// Says what could have stood there.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text.len() > PATTERN_BYTES_MAX {
            return Err(format!("at most {PATTERN_BYTES_MAX} bytes"));
        }
        let mut literal = Vec::new();
        let mut wild = Vec::new();
        for part in split(text, &[',', ';']) {
            if part.trim().is_empty() {
                continue;
            }
            let mut has_wildcard = false;
            let mut attributes = Vec::new();
            for attribute in split(part, &['+']) {
                let (keyword, value) = attribute
                    .split_once('=')
                    .ok_or_else(|| "parts of the form KEYWORD=value".to_owned())?;
                let value = canonical(&unescaped(value.trim()));
                has_wildcard |= value.contains(['*', '?']);
                attributes.push((object_identifier(keyword.trim())?, glob(&value)?));
            }
            let parts = if has_wildcard {
                &mut wild
            } else {
                &mut literal
            };
            parts.push(attributes);
        }
        // Each part of a name is used once: a wildcard must not take the one that a literal needs.
        literal.extend(wild);
        if literal.is_empty() || literal.len() > PARTS_MAX {
            return Err("an X.500 name such as CN=localhost,O=Acme,C=FR".to_owned());
        }
        Ok(Self(literal))
    }

    /// Tells whether the name has exactly the parts of the pattern, in any order.
    pub(super) fn matches(&self, name: &Name) -> bool {
        if self.0.len() != name.0.len() {
            return false;
        }
        let mut left: Vec<&Vec<(String, String)>> = name.0.iter().collect();
        self.0.iter().all(|wanted| {
            let found = left.iter().position(|part| fits(wanted, part));
            found.map(|index| left.swap_remove(index)).is_some()
        })
    }
}

fn fits(wanted: &[(String, Regex)], part: &[(String, String)]) -> bool {
    wanted.len() == part.len()
        && wanted.iter().all(|(kind, value)| {
            part.iter()
                .any(|(found, text)| found == kind && value.is_match(text))
        })
}

fn object_identifier(keyword: &str) -> Result<String, String> {
    let upper = keyword.to_ascii_uppercase();
    let dotted = upper.strip_prefix("OID.").unwrap_or(&upper);
    if dotted.contains('.')
        && dotted
            .split('.')
            .all(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
    {
        return Ok(dotted.to_owned());
    }
    KEYWORDS
        .iter()
        .find(|(known, _)| *known == upper)
        .map(|(_, identifier)| (*identifier).to_owned())
        .ok_or_else(|| format!("a known attribute type instead of {keyword:?}"))
}

/// Splits at separators that are neither escaped nor quoted.
fn split<'t>(text: &'t str, separators: &[char]) -> Vec<&'t str> {
    let mut parts = Vec::new();
    let (mut start, mut is_escaped, mut is_quoted) = (0, false, false);
    for (index, character) in text.char_indices() {
        if is_escaped {
            is_escaped = false;
        } else if character == '\\' {
            is_escaped = true;
        } else if character == '"' {
            is_quoted = !is_quoted;
        } else if !is_quoted && separators.contains(&character) {
            parts.push(&text[start..index]);
            start = index + character.len_utf8();
        }
    }
    parts.push(&text[start..]);
    parts
}

/// Removes quotes and backslashes.
fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut is_escaped = false;
    for character in text.chars() {
        if !is_escaped && character == '\\' {
            is_escaped = true;
        } else {
            if is_escaped || character != '"' {
                plain.push(character);
            }
            is_escaped = false;
        }
    }
    plain
}

/// Names compare without case, and with one blank for several.
fn canonical(value: &str) -> String {
    let words: Vec<&str> = value.split_whitespace().collect();
    words.join(" ").to_lowercase()
}

/// `?` is a character, `*` any number of them within a segment, `**` any number.
fn glob(value: &str) -> Result<Regex, String> {
    let mut source = String::from("(?s)");
    let mut rest = value;
    while let Some(character) = rest.chars().next() {
        if let Some(tail) = rest.strip_prefix("**") {
            source.push_str(".*");
            rest = tail;
            continue;
        }
        match character {
            '?' => source.push_str("[^/]"),
            '*' => source.push_str("[^/]*"),
            _ => source.push_str(&regex::escape(character.encode_utf8(&mut [0; 4]))),
        }
        rest = &rest[character.len_utf8()..];
    }
    pattern::compile_whole(&source)
}
