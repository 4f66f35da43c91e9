//! Which bytes may stand where in a message head, as tables.

#[derive(Clone, Copy)]
enum Class {
    Token,
    Target,
    Host,
}

const TOKEN: [bool; 256] = table(Class::Token);
const TARGET: [bool; 256] = table(Class::Target);
const HOST: [bool; 256] = table(Class::Host);

/// Whether `bytes` is a token (RFC 9110 §5.6.2).
pub(super) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|byte| TOKEN[usize::from(*byte)])
}

/// How many bytes at the front of `bytes` may stand in a token.
pub(super) fn token_length(bytes: &[u8]) -> usize {
    let end = bytes.iter().position(|byte| !TOKEN[usize::from(*byte)]);
    end.unwrap_or(bytes.len())
}

/// How many bytes at the front of `bytes` may stand in a field value: all but control characters other than tab
/// (RFC 9110 §5.5).
pub(super) fn field_value_length(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(word) = bytes[at..].first_chunk::<8>() {
        match first_control(u64::from_le_bytes(*word)) {
            None => at += 8,
            Some(offset) if word[offset] == b'\t' => at += offset + 1,
            Some(offset) => return at + offset,
        }
    }
    let rest = bytes[at..].iter();
    let is_allowed = |byte: &&u8| matches!(**byte, b'\t' | b' '..=b'~' | 0x80..);
    at + rest.take_while(is_allowed).count()
}

/// Index of the first of eight bytes, the lowest one first, that is below 0x20 or is 0x7f.
///
/// Subtracting sets the highest bit of a byte that is too small. The borrow can set it in bytes above as well, never
/// below, so the lowest set bit is true.
fn first_control(word: u64) -> Option<usize> {
    const ONES: u64 = u64::MAX / 0xff;
    let below_space = word.wrapping_sub(ONES * 0x20) & !word;
    let other_than_delete = word ^ (ONES * 0x7f);
    let delete = other_than_delete.wrapping_sub(ONES) & !other_than_delete;
    let found = (below_space | delete) & (ONES * 0x80);
    (found != 0).then(|| found.trailing_zeros() as usize / 8)
}

/// Whether every byte may stand in a request target.
///
/// RFC 3986 plus `[`, `]`, `{`, `|` and `}`, which browsers send unescaped in queries. Not `#`, `\`, quotes, angle
/// brackets, `^` and the back quote: servers disagree on them, and that is what smuggling lives on.
pub(super) fn is_target(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|byte| TARGET[usize::from(*byte)])
}

/// Whether `bytes` is `host[:port]` (RFC 9110 §7.2): a name or an IP literal, no user information.
pub(crate) fn is_host(bytes: &[u8]) -> bool {
    let (name, port) = match bytes.first() {
        None => return false,
        Some(b'[') => match memchr::memchr(b']', bytes) {
            None => return false,
            Some(end) => {
                let is_address = std::str::from_utf8(&bytes[1..end])
                    .is_ok_and(|text| text.parse::<std::net::Ipv6Addr>().is_ok());
                if !is_address {
                    return false;
                }
                (&bytes[..1], &bytes[end + 1..])
            }
        },
        Some(_) => {
            let end = memchr::memchr(b':', bytes).unwrap_or(bytes.len());
            (&bytes[..end], &bytes[end..])
        }
    };
    let name_is_valid =
        name == b"[" || !name.is_empty() && name.iter().all(|b| HOST[usize::from(*b)]);
    name_is_valid && is_port(port)
}

/// Whether `bytes` is empty or a colon with up to five digits.
fn is_port(bytes: &[u8]) -> bool {
    match bytes {
        [] => true,
        [b':', digits @ ..] => digits.len() <= 5 && digits.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

const fn table(class: Class) -> [bool; 256] {
    let mut table = [false; 256];
    let mut byte = 0u8;
    loop {
        table[byte as usize] = is_member(class, byte);
        if byte == u8::MAX {
            return table;
        }
        byte += 1;
    }
}

const fn is_member(class: Class, byte: u8) -> bool {
    let alphanumeric = byte.is_ascii_alphanumeric();
    match class {
        Class::Token => {
            alphanumeric
                || matches!(
                    byte,
                    b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-'
                )
                || matches!(byte, b'.' | b'^' | b'_' | b'`' | b'|' | b'~')
        }
        Class::Target => {
            matches!(byte, b'!'..=b'~')
                && !matches!(byte, b'#' | b'\\' | b'"' | b'<' | b'>' | b'^' | b'`')
        }
        Class::Host => {
            alphanumeric
                || matches!(
                    byte,
                    b'-' | b'.' | b'_' | b'~' | b'%' | b'!' | b'$' | b'&' | b'\''
                )
                || matches!(byte, b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=')
        }
    }
}

#[cfg(test)]
mod tests {
    use super::field_value_length;

    #[test]
    fn a_field_value_ends_at_the_first_control_character() {
        for byte in 0..=u8::MAX {
            let is_bad = byte < 0x20 && byte != b'\t' || byte == 0x7f;
            for length in 1..20 {
                for place in 0..length {
                    let mut bytes = vec![b'a'; length];
                    bytes[place] = byte;
                    let expected = if is_bad { place } else { length };
                    assert_eq!(field_value_length(&bytes), expected, "{byte:#x} at {place}");
                    // What comes behind a fault, or a tab before it, changes nothing.
                    bytes[length - 1] = 0x1f;
                    bytes[0] = b'\t';
                    let expected = if is_bad && place > 0 {
                        place
                    } else {
                        length - 1
                    };
                    let found = field_value_length(&bytes);
                    assert_eq!(found, if length == 1 { 1 } else { expected });
                }
            }
        }
    }
}
