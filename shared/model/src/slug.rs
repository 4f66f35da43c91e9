//! Names made of names: what a text becomes where only a host label may stand.

/// The longest name of a Kubernetes object that is also a host label.
const CHARACTERS_MAX: usize = 63;

/// Lower-case ASCII letters and digits of a text, with one dash for all between them; never empty.
#[must_use]
pub fn slug(text: &str) -> String {
    let mut slug = String::new();
    for character in text.chars().flat_map(char::to_lowercase) {
        if character.is_ascii_alphanumeric() {
            slug.push(character);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let end = slug.len().min(CHARACTERS_MAX);
    let slug = slug.get(..end).unwrap_or_default().trim_end_matches('-');
    if slug.is_empty() {
        "entry".to_owned()
    } else {
        slug.to_owned()
    }
}
