//! The user and password of a SOAP message.
//!
//! Source: Web Services Security UsernameToken Profile 1.1.1 §3.1. Elements are told by their local names below
//! `Envelope`, `Header` and `Security`. Document type declarations are refused, so there are no entities to expand and
//! nothing is fetched.

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event};

use crate::log_in::Credentials;

/// Where user and password are.
const TOKEN: [&str; 4] = ["Envelope", "Header", "Security", "UsernameToken"];

/// Deepest nesting of elements.
const DEPTH_MAX: usize = 128;

/// Longest user or password in bytes.
const TEXT_BYTES_MAX: usize = 8 * 1024;

/// End of the type of a password that is a digest, which nobody but its maker can compare.
const DIGEST: &str = "#PasswordDigest";

/// Reads the first token of a message.
///
/// # Errors
/// Says what is missing or wrong.
pub(super) fn credentials(text: &str) -> Result<Credentials, String> {
    let mut reader = Reader::from_str(text);
    let mut path: Vec<String> = Vec::new();
    let (mut user, mut password) = (None, None);
    loop {
        let event = reader.read_event().map_err(|error| error.to_string())?;
        match event {
            Event::Start(start) => {
                path.push(local(start.name().into_inner()).to_owned());
                if path.len() > DEPTH_MAX {
                    return Err("elements are nested too deep".to_owned());
                }
                match part(&path) {
                    Some("Username") if user.is_none() => user = Some(String::new()),
                    Some("Password") if password.is_none() => {
                        refuse_digest(&start)?;
                        password = Some(String::new());
                    }
                    Some(_) => return Err("a second user or password".to_owned()),
                    None => {}
                }
            }
            Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            Event::End(_) => {
                let is_token = path.iter().map(String::as_str).eq(TOKEN);
                path.pop();
                if is_token {
                    let user = user.map(|user| user.trim().to_owned());
                    return match (user.filter(|user| !user.is_empty()), password) {
                        (Some(user), Some(password)) => Ok(Credentials { user, password }),
                        _ => Err("a token without user or password".to_owned()),
                    };
                }
            }
            Event::Text(part) => add(&path, &mut user, &mut password, &part.xml10_content())?,
            Event::CData(part) => add(&path, &mut user, &mut password, &part.xml10_content())?,
            Event::GeneralRef(reference) => {
                let character = reference
                    .resolve_char_ref()
                    .map_err(|error| error.to_string())?;
                let text = match (character, resolve_predefined_entity(&reference)) {
                    (Some(character), _) => character.to_string(),
                    (None, Some(text)) => text.to_owned(),
                    (None, None) => return Err("an entity that is not defined".to_owned()),
                };
                add(&path, &mut user, &mut password, &text)?;
            }
            Event::DocType(_) => return Err("a document type declaration".to_owned()),
            Event::Eof => return Err("no user name token".to_owned()),
        }
    }
}

/// The name of an element of the token that holds text.
fn part(path: &[String]) -> Option<&str> {
    let (last, above) = path.split_last()?;
    let is_in_token = above.iter().map(String::as_str).eq(TOKEN);
    (is_in_token && matches!(last.as_str(), "Username" | "Password")).then_some(last.as_str())
}

fn add(
    path: &[String],
    user: &mut Option<String>,
    password: &mut Option<String>,
    text: &str,
) -> Result<(), String> {
    let target = match part(path) {
        Some("Username") => user,
        Some(_) => password,
        None => return Ok(()),
    };
    let target = target.get_or_insert_default();
    if target.len() + text.len() > TEXT_BYTES_MAX {
        return Err("a user or password that is too long".to_owned());
    }
    target.push_str(text);
    Ok(())
}

fn refuse_digest(start: &BytesStart<'_>) -> Result<(), String> {
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| error.to_string())?;
        let is_type = local(attribute.key.into_inner()) == "Type";
        if is_type && attribute.value.trim().ends_with(DIGEST) {
            return Err("a password digest".to_owned());
        }
    }
    Ok(())
}

fn local(qualified: &str) -> &str {
    qualified
        .rsplit_once(':')
        .map_or(qualified, |(_, local)| local)
}
