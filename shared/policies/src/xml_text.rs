//! The text of an XML body: its encoding is told by a byte order mark, the content type or the document itself.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8};

/// Bytes of a document in which its declaration must end.
const DECLARATION_BYTES_MAX: usize = 256;

/// Decodes a body (RFC 7303 §3).
///
/// # Errors
/// It has bytes that its encoding does not have.
pub(crate) fn decode<'b>(
    body: &'b [u8],
    content_type: Option<&str>,
) -> Result<Cow<'b, str>, String> {
    // A byte order mark goes before all others, which `decode` knows itself.
    let encoding = content_type
        .and_then(charset)
        .or_else(|| declared(body))
        .unwrap_or(UTF_8);
    let (text, encoding, has_errors) = encoding.decode(body);
    if has_errors {
        Err(format!("the body is not {}", encoding.name()))
    } else {
        Ok(text)
    }
}

/// Returns the encoding that a content type names.
fn charset(content_type: &str) -> Option<&'static Encoding> {
    content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let value = value.trim().trim_matches('"');
        name.trim()
            .eq_ignore_ascii_case("charset")
            .then(|| Encoding::for_label(value.as_bytes()))?
    })
}

/// Returns the encoding that `<?xml encoding="…"?>` names.
fn declared(body: &[u8]) -> Option<&'static Encoding> {
    let head = &body[..body.len().min(DECLARATION_BYTES_MAX)];
    let end = head.windows(2).position(|pair| pair == b"?>")?;
    let declaration = std::str::from_utf8(&head[..end]).ok()?;
    let rest = declaration.strip_prefix("<?xml")?;
    let (_, rest) = rest.split_once("encoding")?;
    let rest = rest.trim_start().strip_prefix('=')?.trim_start();
    let quote = rest.chars().next().filter(|quote| "\"'".contains(*quote))?;
    let (label, _) = rest[1..].split_once(quote)?;
    // Whoever wrote this did so in ASCII, so that it is none of two bytes.
    Encoding::for_label(label.as_bytes()).filter(|encoding| encoding.is_ascii_compatible())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mark_content_type_and_declaration_tell_the_encoding() {
        for (body, content_type, expected) in [
            (&b"<a>\xc3\xa9</a>"[..], None, Some("<a>é</a>")),
            (
                b"\xef\xbb\xbf<a/>",
                Some("text/xml; charset=latin1"),
                Some("<a/>"),
            ),
            (b"\xff\xfe<\0a\0/\0>\0", None, Some("<a/>")),
            (
                b"<a>\xe9</a>",
                Some("text/xml; charset=\"ISO-8859-1\""),
                Some("<a>é</a>"),
            ),
            (
                b"<?xml version='1.0' encoding='ISO-8859-1'?><a>\xe9</a>",
                Some("text/xml"),
                Some("<?xml version='1.0' encoding='ISO-8859-1'?><a>é</a>"),
            ),
            (b"<a>\xe9</a>", None, None),
            (
                b"<?xml encoding=UTF-16?><a/>",
                None,
                Some("<?xml encoding=UTF-16?><a/>"),
            ),
        ] {
            let found = decode(body, content_type).ok();
            assert_eq!(found.as_deref(), expected, "{body:?}");
        }
    }
}
