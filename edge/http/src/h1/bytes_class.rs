//! Which bytes may stand where in a message head, as tables.

/// Bytes of a token (RFC 9110 §5.6.2): methods and field names.
const TOKEN: [bool; 256] = table(|byte| {
    matches!(
        byte,
        b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`'
            | b'|' | b'~' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z'
    )
});

/// Bytes of a field value (RFC 9110 §5.5): visible ASCII, space, tab, and the historical `obs-text`.
const VALUE: [bool; 256] = table(|byte| matches!(byte, b'\t' | b' '..=b'~' | 0x80..=0xff));

/// Bytes of a request target.
///
/// RFC 3986 plus `[`, `]`, `{`, `|` and `}`, which browsers send unescaped in queries. Not `#`, `\`, quotes, angle
/// brackets, `^` and the back quote: servers disagree on them, and that is what smuggling lives on.
const TARGET: [bool; 256] = table(|byte| {
    matches!(byte, b'!'..=b'~') && !matches!(byte, b'#' | b'\\' | b'"' | b'<' | b'>' | b'^' | b'`')
});

/// Bytes of `host[:port]` (RFC 3986 §3.2.2 without user information).
const HOST: [bool; 256] = table(|byte| {
    matches!(
        byte,
        b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'.' | b'_' | b'~' | b'%' | b'!' | b'$'
            | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=' | b':' | b'[' | b']'
    )
});

const fn table(is_member: impl [const] Fn(u8) -> bool) -> [bool; 256] {
    let mut table = [false; 256];
    table
}
