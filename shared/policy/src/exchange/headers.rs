//! The fields of a message: as lines of the head they arrived in, and as a map once somebody needs one.
//!
//! Most requests pass through with few fields touched. Lines cost a scan each; a map costs a hash and a move of
//! every field. Reading through [`Deref`] makes the map when it is first asked for.

use std::cell::OnceCell;
use std::fmt;
use std::ops::{Deref, DerefMut};

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
        Self {
            lines: Lines {
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
            None => {
                self.lines.discard(&name);
                self.lines.added.push((name, value));
            }
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

    /// Calls `visit` with name and value of every field in order; makes no map. Names have the case they came in.
    pub fn each(&self, mut visit: impl FnMut(&[u8], &[u8])) {
        match self.map.get() {
            Some(map) => {
                for (name, value) in &**map {
                    visit(name.as_str().as_bytes(), value.as_bytes());
                }
            }
            None => {
                let Lines { head, lines, added } = &self.lines;
                for line in lines {
                    visit(line.name(head), line.value(head));
                }
                for (name, value) in added {
                    visit(name.as_str().as_bytes(), value.as_bytes());
                }
            }
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
        if !self.head.is_empty() {
            *self = Self::default();
        }
        self.added.clear();
    }

    fn find(&self, name: &HeaderName) -> Option<&[u8]> {
        let line = self
            .lines
            .iter()
            .find(|line| line.is_named(name, &self.head));
        line.map(|line| line.value(&self.head))
            .or_else(|| self.find_added(name).map(HeaderValue::as_bytes))
    }

    fn find_value(&self, name: &HeaderName) -> Option<HeaderValue> {
        let line = self
            .lines
            .iter()
            .find(|line| line.is_named(name, &self.head));
        line.and_then(|line| line.to_value(&self.head))
            .or_else(|| self.find_added(name).cloned())
    }

    fn find_shared(&self, name: &HeaderName) -> Option<Bytes> {
        let line = self
            .lines
            .iter()
            .find(|line| line.is_named(name, &self.head));
        line.map(|line| self.head.slice_ref(line.value(&self.head)))
            .or_else(|| {
                self.find_added(name)
                    .map(|value| Bytes::copy_from_slice(value.as_bytes()))
            })
    }

    fn find_added(&self, name: &HeaderName) -> Option<&HeaderValue> {
        let added = self.added.iter().find(|(added, _)| added == name);
        added.map(|(_, value)| value)
    }

    fn discard(&mut self, name: &HeaderName) {
        let head = &self.head;
        if self.lines.iter().any(|line| line.is_named(name, head)) {
            self.lines.retain(|line| !line.is_named(name, head));
        }
        if !self.added.is_empty() {
            self.added.retain(|(added, _)| added != name);
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
        let mut text = String::new();
        headers.each(|name, value| {
            text.push_str(&String::from_utf8_lossy(name).to_lowercase());
            text.push('=');
            text.push_str(&String::from_utf8_lossy(value));
            text.push(' ');
        });
        text
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
    fn changes_hold_in_both_forms() {
        for is_map in [false, true] {
            let mut headers = headers();
            if is_map {
                headers.append(ACCEPT, HeaderValue::from_static("*/*"));
                headers.remove(ACCEPT);
            }
            headers.set(tenant(), HeaderValue::from_static("new"));
            headers.discard(&HOST);
            assert_eq!(written(&headers), "x-tenant=new ", "map: {is_map}");
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
