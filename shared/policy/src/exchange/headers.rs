//! The fields of a message: as lines of the head they arrived in, and as a map once somebody needs one.
//!
//! Most requests pass through with few fields touched. Lines cost a scan each; a map costs a hash and a move of
//! every field. Reading through [`Deref`] makes the map when it is first asked for.

use std::cell::OnceCell;
use std::fmt;
use std::ops::{Deref, DerefMut, Range};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

/// The fields of a message.
#[derive(Clone, Default)]
pub struct Headers {
    /// The truth as long as there is no map.
    lines: Lines,
    /// The same fields, or the truth once `lines` is empty.
    map: OnceCell<Box<HeaderMap>>,
}

/// Where name and value of a field line lie in its head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldLine {
    /// First byte of the name.
    pub name: u32,
    /// Length of the name.
    pub name_len: u32,
    /// First byte of the value.
    pub value: u32,
    /// Length of the value.
    pub value_len: u32,
}

#[derive(Clone, Default)]
struct Lines {
    head: Bytes,
    lines: Vec<FieldLine>,
    /// Fields behind the lines.
    added: Vec<(HeaderName, HeaderValue)>,
    /// Marks of all names that there ever were: most lookups are for fields that are not there.
    marks: u64,
}

/// One of 64 marks that a name may have, the same in any case. Names that differ may share one.
#[inline]
fn mark(name: &[u8]) -> u64 {
    let (Some(first), Some(last)) = (name.first(), name.last()) else {
        return 0;
    };
    let letters = (first | 0x20).wrapping_mul(5) ^ (last | 0x20).wrapping_mul(11);
    1 << (usize::from(letters).wrapping_add(name.len() * 3) % 64)
}

/// Where a field is found.
enum Place<'a> {
    Line(FieldLine),
    Added(&'a HeaderValue),
}

impl FieldLine {
    fn name(self, head: &[u8]) -> &[u8] {
        &head[self.name as usize..][..self.name_len as usize]
    }

    fn value(self, head: &[u8]) -> &[u8] {
        &head[self.value as usize..][..self.value_len as usize]
    }

    #[inline]
    fn is_named(self, name: &HeaderName, head: &[u8]) -> bool {
        let wanted = name.as_str().as_bytes();
        self.name_len as usize == wanted.len() && self.name(head).eq_ignore_ascii_case(wanted)
    }

    /// The line with its end if it is written the usual way: one space, nothing behind the value.
    fn written(self, head: &[u8]) -> Option<Range<usize>> {
        let (name, value) = (self.name as usize, self.value as usize);
        let colon = name + self.name_len as usize;
        let end = value + self.value_len as usize;
        let is_usual =
            head.get(colon..value) == Some(b": ") && head.get(end..end + 2) == Some(b"\r\n");
        is_usual.then_some(name..end + 2)
    }

    fn to_value(self, head: &Bytes) -> Option<HeaderValue> {
        let start = self.value as usize;
        let value = head.slice(start..start + self.value_len as usize);
        HeaderValue::from_maybe_shared(value).ok()
    }
}

impl Headers {
    /// Takes the lines of a head that was checked: names are tokens, values hold no control characters (RFC 9110
    /// §5.1, §5.5), and every place lies in `head`. A line that breaks this is missing from the map.
    #[must_use]
    pub fn from_lines(head: Bytes, lines: Vec<FieldLine>) -> Self {
        let marks = lines.iter().map(|line| mark(line.name(&head)));
        Self {
            lines: Lines {
                marks: marks.fold(0, |marks, mark| marks | mark),
                head,
                lines,
                added: Vec::new(),
            },
            map: OnceCell::new(),
        }
    }

    /// The first value of a field; makes no map.
    #[must_use]
    pub fn find(&self, name: &HeaderName) -> Option<&[u8]> {
        match self.map.get() {
            Some(map) => map.get(name).map(HeaderValue::as_bytes),
            None => self.lines.find(name),
        }
    }

    /// The first value of a field as text of visible ASCII; makes no map.
    #[must_use]
    pub fn find_text(&self, name: &HeaderName) -> Option<&str> {
        self.find(name)
            .filter(|value| value.iter().all(|byte| matches!(byte, b'\t' | b' '..=b'~')))
            .and_then(|value| std::str::from_utf8(value).ok())
    }

    /// The first value of a field, to keep; makes no map.
    #[must_use]
    pub fn find_value(&self, name: &HeaderName) -> Option<HeaderValue> {
        match self.map.get() {
            Some(map) => map.get(name).cloned(),
            None => self.lines.find_value(name),
        }
    }

    /// The first value of a field as shared bytes; makes no map.
    #[must_use]
    pub fn find_shared(&self, name: &HeaderName) -> Option<Bytes> {
        match self.map.get() {
            Some(map) => map
                .get(name)
                .map(|value| Bytes::copy_from_slice(value.as_bytes())),
            None => self.lines.find_shared(name),
        }
    }

    /// Replaces all values of a field by one; makes no map.
    pub fn set(&mut self, name: HeaderName, value: HeaderValue) {
        match self.map.get_mut() {
            Some(map) => {
                self.lines.clear();
                map.insert(name, value);
            }
            None => self.lines.set(name, value),
        }
    }

    /// Removes all values of a field; makes no map.
    pub fn discard(&mut self, name: &HeaderName) {
        match self.map.get_mut() {
            Some(map) => {
                self.lines.clear();
                map.remove(name);
            }
            None => self.lines.discard(name),
        }
    }

    /// Removes a field and returns its first value; makes no map.
    pub fn take_value(&mut self, name: &HeaderName) -> Option<HeaderValue> {
        let value = self.find_value(name)?;
        self.discard(name);
        Some(value)
    }

    /// Whether there is no field; makes no map.
    #[must_use]
    pub fn has_none(&self) -> bool {
        match self.map.get() {
            Some(map) => map.is_empty(),
            None => self.lines.lines.is_empty() && self.lines.added.is_empty(),
        }
    }

    /// Appends those fields whose name `keep` wants, as lines of an HTTP/1 head; makes no map.
    ///
    /// Lines that stand together in the head they came in are copied together, as they are.
    pub fn write_lines(&self, out: &mut Vec<u8>, mut keep: impl FnMut(&[u8]) -> bool) {
        match self.map.get() {
            Some(map) => {
                for (name, value) in &**map {
                    if keep(name.as_str().as_bytes()) {
                        write_line(name.as_str().as_bytes(), value.as_bytes(), out);
                    }
                }
            }
            None => self.lines.write(out, keep),
        }
    }

    /// The fields as a map.
    #[must_use]
    pub fn into_map(mut self) -> HeaderMap {
        match self.map.take() {
            Some(map) => *map,
            None => self.lines.to_map(),
        }
    }
}

impl Lines {
    fn clear(&mut self) {
        if !self.head.is_empty() || !self.added.is_empty() {
            *self = Self::default();
        }
    }

    fn find(&self, name: &HeaderName) -> Option<&[u8]> {
        match self.place(name)? {
            Place::Line(line) => Some(line.value(&self.head)),
            Place::Added(value) => Some(value.as_bytes()),
        }
    }

    fn find_value(&self, name: &HeaderName) -> Option<HeaderValue> {
        match self.place(name)? {
            Place::Line(line) => line.to_value(&self.head),
            Place::Added(value) => Some(value.clone()),
        }
    }

    fn find_shared(&self, name: &HeaderName) -> Option<Bytes> {
        match self.place(name)? {
            Place::Line(line) => Some(self.head.slice_ref(line.value(&self.head))),
            Place::Added(value) => Some(Bytes::copy_from_slice(value.as_bytes())),
        }
    }

    /// Where the first value of a field is.
    #[inline]
    fn place(&self, name: &HeaderName) -> Option<Place<'_>> {
        if self.marks & mark(name.as_str().as_bytes()) == 0 {
            return None;
        }
        let mut lines = self.lines.iter();
        if let Some(line) = lines.find(|line| line.is_named(name, &self.head)) {
            return Some(Place::Line(*line));
        }
        let mut added = self.added.iter();
        let (_, value) = added.find(|(added, _)| added == name)?;
        Some(Place::Added(value))
    }

    #[inline]
    fn discard(&mut self, name: &HeaderName) {
        if self.marks & mark(name.as_str().as_bytes()) != 0 {
            self.remove(name);
        }
    }

    fn remove(&mut self, name: &HeaderName) {
        let head = &self.head;
        self.lines.retain(|line| !line.is_named(name, head));
        self.added.retain(|(added, _)| added != name);
    }

    fn set(&mut self, name: HeaderName, value: HeaderValue) {
        let mark = mark(name.as_str().as_bytes());
        if self.marks & mark != 0 {
            self.remove(&name);
        }
        self.marks |= mark;
        self.added.push((name, value));
    }

    fn write(&self, out: &mut Vec<u8>, mut keep: impl FnMut(&[u8]) -> bool) {
        let mut together = 0..0;
        for line in &self.lines {
            let name = line.name(&self.head);
            if !keep(name) {
                continue;
            }
            match line.written(&self.head) {
                Some(written) if written.start == together.end => together.end = written.end,
                Some(written) => {
                    out.extend_from_slice(&self.head[together]);
                    together = written;
                }
                None => {
                    out.extend_from_slice(&self.head[together]);
                    together = 0..0;
                    write_line(name, line.value(&self.head), out);
                }
            }
        }
        out.extend_from_slice(&self.head[together]);
        for (name, value) in &self.added {
            if keep(name.as_str().as_bytes()) {
                write_line(name.as_str().as_bytes(), value.as_bytes(), out);
            }
        }
    }

    fn to_map(&self) -> HeaderMap {
        let mut map = HeaderMap::with_capacity(self.lines.len() + self.added.len());
        for line in &self.lines {
            if let Ok(name) = HeaderName::from_bytes(line.name(&self.head))
                && let Some(value) = line.to_value(&self.head)
            {
                map.append(name, value);
            }
        }
        for (name, value) in &self.added {
            map.append(name, value.clone());
        }
        map
    }
}

fn write_line(name: &[u8], value: &[u8], out: &mut Vec<u8>) {
    out.reserve(name.len() + value.len() + 4);
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

impl Deref for Headers {
    type Target = HeaderMap;

    fn deref(&self) -> &HeaderMap {
        self.map.get_or_init(|| Box::new(self.lines.to_map()))
    }
}

impl DerefMut for Headers {
    fn deref_mut(&mut self) -> &mut HeaderMap {
        let map = self.map.take();
        let map = map.unwrap_or_else(|| Box::new(self.lines.to_map()));
        self.lines.clear();
        self.map = OnceCell::from(map);
        #[expect(clippy::expect_used, reason = "the line above fills the cell")]
        self.map.get_mut().expect("a filled cell")
    }
}

impl From<HeaderMap> for Headers {
    fn from(map: HeaderMap) -> Self {
        Self {
            lines: Lines::default(),
            map: OnceCell::from(Box::new(map)),
        }
    }
}

impl From<Headers> for HeaderMap {
    fn from(headers: Headers) -> Self {
        headers.into_map()
    }
}

impl<'a> IntoIterator for &'a Headers {
    type Item = (&'a HeaderName, &'a HeaderValue);
    type IntoIter = http::header::Iter<'a, HeaderValue>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.deref().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use http::header::{ACCEPT, HOST};

    use super::*;

    fn headers() -> Headers {
        let head = Bytes::from_static(b"Host: a\r\nX-Tenant: acme\r\nx-tenant: other\r\n\r\n");
        let line = |name: u32, name_len: u32, value_len: u32| FieldLine {
            name,
            name_len,
            value: name + name_len + 2,
            value_len,
        };
        Headers::from_lines(head, vec![line(0, 4, 1), line(9, 8, 4), line(25, 8, 5)])
    }

    fn tenant() -> HeaderName {
        HeaderName::from_static("x-tenant")
    }

    fn written(headers: &Headers) -> String {
        let mut out = Vec::new();
        headers.write_lines(&mut out, |_name| true);
        String::from_utf8(out).unwrap().to_lowercase()
    }

    #[test]
    fn lines_and_map_say_the_same() {
        let headers = headers();
        assert_eq!(headers.find(&HOST), Some(&b"a"[..]));
        assert_eq!(headers.find_text(&tenant()), Some("acme"));
        assert_eq!(headers.find(&ACCEPT), None);
        let before = written(&headers);
        assert_eq!(headers.get_all(tenant()).iter().count(), 2);
        assert_eq!(written(&headers), before);
        assert_eq!(headers.clone().into_map(), *headers);
    }

    #[test]
    fn lines_are_written_as_they_came_but_for_stray_space() {
        let head = Bytes::from_static(b"Host: a\r\nX-A: 1\r\nX-B:2 \r\nX-C: 3\r\nX-D: 4\r\n\r\n");
        let line = |name: u32, value: u32| FieldLine {
            name,
            name_len: 3,
            value,
            value_len: 1,
        };
        let host = FieldLine {
            name: 0,
            name_len: 4,
            value: 6,
            value_len: 1,
        };
        let lines = vec![host, line(9, 14), line(17, 21), line(25, 30), line(33, 38)];
        let mut headers = Headers::from_lines(head, lines);
        headers.set(tenant(), HeaderValue::from_static("t"));
        let written = |headers: &Headers| {
            let mut out = Vec::new();
            headers.write_lines(&mut out, |name| name != b"X-C" && name != b"x-c");
            String::from_utf8(out).unwrap()
        };
        let expected = "Host: a\r\nX-A: 1\r\nX-B: 2\r\nX-D: 4\r\nx-tenant: t\r\n";
        assert_eq!(written(&headers), expected);
        assert_eq!(headers.len(), 6);
        assert_eq!(written(&headers), expected.to_lowercase());
    }

    #[test]
    fn changes_hold_in_both_forms() {
        for is_map in [false, true] {
            let mut headers = headers();
            if is_map {
                headers.append(ACCEPT, HeaderValue::from_static("*/*"));
                headers.remove(ACCEPT);
            }
            headers.set(tenant(), HeaderValue::from_static("new"));
            headers.discard(&HOST);
            assert_eq!(written(&headers), "x-tenant: new\r\n", "map: {is_map}");
            assert_eq!(headers.take_value(&tenant()).unwrap(), "new");
            assert!(headers.has_none());
            assert!(headers.is_empty());
        }
    }

    #[test]
    fn a_map_that_was_read_follows_later_changes() {
        let mut headers = headers();
        assert_eq!(headers.len(), 3);
        headers.set(HOST, HeaderValue::from_static("b"));
        assert_eq!(headers.get(HOST).unwrap(), "b");
        headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
        assert_eq!(headers.find(&ACCEPT), Some(&b"*/*"[..]));
        assert_eq!(headers.find(&HOST), Some(&b"b"[..]));
    }
}
