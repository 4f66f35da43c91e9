//! Names and passwords that no directory needs to be asked about.

/// Longest name or password in bytes.
const BYTES_MAX: usize = 1024;

/// Tells whether it is worth asking. A directory may take an empty password for an anonymous login and
/// accept it (RFC 4513 §5.1.2).
pub(crate) fn is_worth_asking(user: &str, password: &str) -> bool {
    let fits = |text: &str| !text.is_empty() && text.len() <= BYTES_MAX;
    fits(user) && fits(password)
}
