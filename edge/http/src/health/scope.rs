//! What an assertion sees: `#response`.

use std::borrow::Cow;

use http::{HeaderMap, StatusCode};
use tidegate_expression::{Ambient, Lookup, Scope, Segment, Text, Value, ValueMap};

use crate::clock::SystemAmbient;

static AMBIENT: SystemAmbient = SystemAmbient;

/// The response to a check.
#[derive(Debug)]
pub(super) struct CheckScope<'a> {
    pub(super) status: StatusCode,
    pub(super) headers: &'a HeaderMap,
    pub(super) content: &'a [u8],
}

impl Scope for CheckScope<'_> {
    fn lookup(&self, variable: &str, path: &[Segment]) -> Lookup {
        if variable != "response" {
            return Lookup::Undefined;
        }
        match path.first().and_then(Segment::as_key) {
            Some("status") => Lookup::found(i64::from(self.status.as_u16()), 1),
            Some("headers") => Lookup::found(self.header_map(), 1),
            Some("content") => {
                let text: Cow<'_, str> = String::from_utf8_lossy(self.content);
                Lookup::found(Text::from(&*text), 1)
            }
            _ => Lookup::NoProperty(0),
        }
    }

    fn ambient(&self) -> &dyn Ambient {
        &AMBIENT
    }
}

impl CheckScope<'_> {
    fn header_map(&self) -> ValueMap {
        let mut map = ValueMap::ignoring_case();
        for name in self.headers.keys() {
            let values = self.headers.get_all(name).iter();
            let texts =
                values.map(|value| Value::from(&*String::from_utf8_lossy(value.as_bytes())));
            map.insert(name.as_str(), Value::list(texts));
        }
        map
    }
}
