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

/// Whether `bytes` has no control character but tab, as a field value must (RFC 9110 §5.5).
pub(super) fn is_field_value(bytes: &[u8]) -> bool {
    // Without a branch per byte, so that the compiler checks many at once.
    let is_bad = |byte: u8| byte < b' ' && byte != b'\t' || byte == 0x7f;
    !bytes.iter().fold(false, |bad, byte| bad | is_bad(*byte))
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
