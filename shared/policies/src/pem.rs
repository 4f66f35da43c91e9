//! PEM as it is found in configurations and headers: line breaks may have become blanks or be missing.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";

/// One section of a PEM text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Section<'t> {
    /// What it says it is, such as `CERTIFICATE`.
    pub(crate) label: &'t str,
    /// Its DER.
    pub(crate) content: Vec<u8>,
}

/// Returns the first section, or `None` if there is none or its content is no Base64.
pub(crate) fn first_section(text: &str) -> Option<Section<'_>> {
    next_section(text).map(|(section, _)| section)
}

/// Returns all sections up to the first that is broken.
pub(crate) fn sections(text: &str) -> Vec<Section<'_>> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((section, tail)) = next_section(rest) {
        found.push(section);
        rest = tail;
    }
    found
}

/// Returns the next section and what follows it.
fn next_section(text: &str) -> Option<(Section<'_>, &str)> {
    let (_, rest) = text.split_once(BEGIN)?;
    let (label, rest) = rest.split_once(DASHES)?;
    let (content, rest) = rest.split_once(END)?;
    let rest = rest.trim_start().strip_prefix(label)?;
    let content: String = content.split_whitespace().collect();
    let content = STANDARD_NO_PAD.decode(content.trim_end_matches('=')).ok()?;
    Some((Section { label, content }, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_breaks_make_no_difference_and_broken_sections_are_none() {
        let expected = Section {
            label: "PUBLIC KEY",
            content: b"hello".to_vec(),
        };
        for text in [
            "-----BEGIN PUBLIC KEY-----\naGVs\nbG8=\n-----END PUBLIC KEY-----\n",
            "-----BEGIN PUBLIC KEY-----aGVsbG8-----END PUBLIC KEY-----",
            " x -----BEGIN PUBLIC KEY----- aGVs\tbG8= -----END PUBLIC KEY-----",
        ] {
            assert_eq!(first_section(text).as_ref(), Some(&expected), "{text}");
        }
        for text in [
            "",
            "aGVsbG8=",
            "-----BEGIN PUBLIC KEY-----aGVsbG8=",
            "-----BEGIN PUBLIC KEY-----aGVsbG8=-----END CERTIFICATE-----",
            "-----BEGIN PUBLIC KEY-----a*b-----END PUBLIC KEY-----",
        ] {
            assert_eq!(first_section(text), None, "{text}");
        }
    }

    #[test]
    fn all_sections_are_found_up_to_a_broken_one() {
        let text = "-----BEGIN A-----aGVsbG8=-----END A-----\n-----BEGIN B-----aGVsbG8-----END B-----x\n\
            -----BEGIN C-----*-----END C-----";
        let labels: Vec<&str> = sections(text).iter().map(|found| found.label).collect();
        assert_eq!(labels, ["A", "B"]);
    }
}
