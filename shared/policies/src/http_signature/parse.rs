//! The parameters of a signature: draft-cavage-http-signatures-12 §2.1.

use std::borrow::Cow;

use super::signing::{FIELDS_MAX, Field};

/// Longest signature looked at, in bytes.
const SIGNATURE_BYTES_MAX: usize = 8 * 1024;

/// Most parameters; a signature has seven.
const PARAMETERS_MAX: usize = 32;

const SCHEME: &str = "signature ";

/// A signature as the client wrote it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Parsed<'t> {
    pub(super) key_id: &'t str,
    pub(super) algorithm: &'t str,
    pub(super) signature: &'t str,
    pub(super) fields: Vec<Field>,
    /// Seconds since the Unix epoch, as written.
    pub(super) created: Option<&'t str>,
    /// Seconds since the Unix epoch, maybe with a fraction, as written.
    pub(super) expires: Option<&'t str>,
}

impl<'t> Parsed<'t> {
    /// Reads the parameters, behind the name of the scheme if it is there.
    ///
    /// # Errors
    /// Says what is wrong.
    pub(super) fn parse(text: &'t str, is_strict: bool) -> Result<Self, &'static str> {
        if text.len() > SIGNATURE_BYTES_MAX {
            return Err("too long");
        }
        let text = text.trim();
        let text = match text.split_at_checked(SCHEME.len()) {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case(SCHEME) => rest,
            _ => text,
        };
        let parameters = if !is_strict && !text.contains('"') {
            bare(text)?
        } else {
            quoted(text)?
        };
        let text_of = |name: &str| {
            let found = parameters.iter().find(|found| found.name == name);
            found.filter(|found| found.is_text || !is_strict)
        };
        let number_of = |name: &str| parameters.iter().find(|found| found.name == name);
        let names = text_of("headers").map_or("date", |found| found.value);
        let fields: Vec<Field> = names
            .split_ascii_whitespace()
            .take(FIELDS_MAX + 1)
            .map(|name| Field::parse(name).ok_or("an unknown name in headers"))
            .collect::<Result<_, _>>()?;
        if fields.is_empty() || fields.len() > FIELDS_MAX {
            return Err("no headers or too many");
        }
        Ok(Self {
            key_id: text_of("keyid").ok_or("no keyId")?.value,
            algorithm: text_of("algorithm").ok_or("no algorithm")?.value,
            signature: text_of("signature").ok_or("no signature")?.value,
            fields,
            created: number_of("created").map(|found| found.value),
            expires: number_of("expires").map(|found| found.value),
        })
    }
}

#[derive(Debug)]
struct Parameter<'t> {
    name: Cow<'t, str>,
    value: &'t str,
    is_text: bool,
}

/// `name="text"` and `name=number`, separated by commas; a name must not come twice.
fn quoted(text: &str) -> Result<Vec<Parameter<'_>>, &'static str> {
    let mut parameters: Vec<Parameter<'_>> = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (name, tail) = rest.split_once('=').ok_or("a parameter without a value")?;
        let tail = tail.trim_start();
        let (value, tail, is_text) = match tail.strip_prefix('"') {
            Some(tail) => {
                let (value, tail) = tail.split_once('"').ok_or("an open quote")?;
                (value, tail, true)
            }
            None => {
                let end = tail.find(',').unwrap_or(tail.len());
                (tail[..end].trim(), &tail[end..], false)
            }
        };
        add(&mut parameters, name, value, is_text)?;
        rest = tail.trim_start();
        if !rest.is_empty() {
            rest = rest
                .strip_prefix(',')
                .ok_or("no comma between parameters")?
                .trim_start();
        }
    }
    Ok(parameters)
}

/// `name=value` without quotes, separated by commas.
fn bare(text: &str) -> Result<Vec<Parameter<'_>>, &'static str> {
    let mut parameters = Vec::new();
    for pair in text.split(',').filter(|pair| !pair.trim().is_empty()) {
        let (name, value) = pair.split_once('=').ok_or("a parameter without a value")?;
        add(&mut parameters, name, value.trim(), true)?;
    }
    Ok(parameters)
}

fn add<'t>(
    parameters: &mut Vec<Parameter<'t>>,
    name: &'t str,
    value: &'t str,
    is_text: bool,
) -> Result<(), &'static str> {
    let name = match name.trim() {
        lower if !lower.bytes().any(|byte| byte.is_ascii_uppercase()) => Cow::Borrowed(lower),
        mixed => Cow::Owned(mixed.to_ascii_lowercase()),
    };
    if parameters.len() >= PARAMETERS_MAX || parameters.iter().any(|known| known.name == name) {
        return Err("too many parameters, or one that comes twice");
    }
    parameters.push(Parameter {
        name,
        value,
        is_text,
    });
    Ok(())
}
