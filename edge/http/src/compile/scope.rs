//! What expressions see that are evaluated once, when an API is deployed.

use tidegate_expression::{Ambient, Lookup, Scope, Segment, ValueMap};
use tidegate_policy::ApiFacts;

use crate::clock::SystemAmbient;

/// `#api` and `#dictionaries`; there is no request.
#[derive(Debug)]
pub(super) struct DeployScope<'a> {
    pub(super) api: &'a ApiFacts,
    pub(super) ambient: SystemAmbient,
}

impl Scope for DeployScope<'_> {
    fn lookup(&self, variable: &str, path: &[Segment]) -> Lookup {
        let first = path.first().and_then(Segment::as_key);
        match (variable, first) {
            ("api", Some("id")) => Lookup::found(self.api.id.clone(), 1),
            ("api", Some("name")) => Lookup::found(self.api.name.clone(), 1),
            ("api", Some("version")) => Lookup::found(self.api.version.clone(), 1),
            ("api", Some("properties")) => map(&self.api.properties, 1),
            ("properties", _) => map(&self.api.properties, 0),
            ("dictionaries", _) => map(&self.api.dictionaries, 0),
            ("api", _) => Lookup::NoProperty(0),
            (_, _) => Lookup::Undefined,
        }
    }

    fn ambient(&self) -> &dyn Ambient {
        &self.ambient
    }
}

fn map(map: &ValueMap, used: usize) -> Lookup {
    Lookup::found(map.clone(), used)
}
