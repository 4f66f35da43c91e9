//! Entities that a document declares, and what expanding them would cost.

use std::collections::HashMap;
use std::sync::LazyLock;

use regex::Regex;

use super::scan::Threat;

/// Most entities that one document may declare.
const DECLARATIONS_MAX: usize = 1000;

/// How deep entities are followed at all: beyond it the document is refused.
const DEPTH_MAX: usize = 64;

#[expect(clippy::expect_used, reason = "a test compiles the expression")]
static DECLARATION: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r#"<!ENTITY\s+(?<parameter>%\s+)?(?<name>[^\s%"'<>]+)\s+(?:(?<external>SYSTEM|PUBLIC)\b|"(?<double>[^"]*)"|'(?<single>[^']*)')"#,
    )
    .expect("a valid expression")
});

#[expect(clippy::expect_used, reason = "a test compiles the expression")]
static EXTERNAL_SUBSET: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^\s*[^\s\[]+\s+(?:SYSTEM|PUBLIC)\b").expect("a valid expression")
});

/// The declared entities by name.
#[derive(Debug, Default)]
pub(super) struct Entities(HashMap<String, Entity>);

#[derive(Debug)]
struct Entity {
    /// The names it refers to.
    references: Vec<String>,
    cost: Option<Cost>,
}

/// What one reference would cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cost {
    /// Entities expanded, itself included.
    pub(super) count: usize,
    /// Nesting, itself included.
    pub(super) depth: usize,
}

impl Entities {
    /// Reads the declarations of a document type: what stands between `<!DOCTYPE` and its end.
    pub(super) fn read(doctype: &str, allows_external: bool) -> Result<Self, Threat> {
        if !allows_external && EXTERNAL_SUBSET.is_match(doctype) {
            return Err(Threat::External);
        }
        let mut entities = Self::default();
        let mut count = 0;
        for declaration in DECLARATION.captures_iter(doctype) {
            count += 1;
            if count > DECLARATIONS_MAX {
                return Err(Threat::Entities);
            }
            if declaration.name("external").is_some() && !allows_external {
                return Err(Threat::External);
            }
            let value = declaration.name("double").or(declaration.name("single"));
            let value = value.map_or("", |value| value.as_str());
            // A parameter entity can build declarations that are not seen here.
            if declaration.name("parameter").is_some() {
                return Err(Threat::Malformed);
            }
            entities
                .0
                .entry(declaration["name"].to_owned())
                .or_insert(Entity {
                    references: references(value).map(str::to_owned).collect(),
                    cost: None,
                });
        }
        // Every declaration must have been understood.
        if doctype.matches("<!ENTITY").count() != count {
            return Err(Threat::Malformed);
        }
        Ok(entities)
    }

    /// What a reference costs; an undeclared entity costs itself.
    pub(super) fn cost(&mut self, name: &str) -> Result<Cost, Threat> {
        self.cost_at(name, 1)
    }

    fn cost_at(&mut self, name: &str, depth: usize) -> Result<Cost, Threat> {
        if depth > DEPTH_MAX {
            // A cycle ends here too.
            return Err(Threat::EntityDepth);
        }
        let Some(entity) = self.0.get(name) else {
            return Ok(Cost { count: 1, depth: 1 });
        };
        if let Some(cost) = entity.cost {
            return Ok(cost);
        }
        let mut cost = Cost { count: 1, depth: 1 };
        for inner in entity.references.clone() {
            let inner = self.cost_at(&inner, depth + 1)?;
            cost.count = cost.count.saturating_add(inner.count);
            cost.depth = cost.depth.max(inner.depth + 1);
        }
        if let Some(entity) = self.0.get_mut(name) {
            entity.cost = Some(cost);
        }
        Ok(cost)
    }
}

/// Walks the entities that a text refers to, save for characters and the five that XML itself defines.
pub(super) fn references(text: &str) -> impl Iterator<Item = &str> {
    text.split('&')
        .skip(1)
        .filter_map(|part| part.split_once(';').map(|(name, _)| name))
        .filter(|name| is_declared(name))
}

/// Tells whether a reference names an entity that a document declares.
pub(super) fn is_declared(name: &str) -> bool {
    !name.starts_with('#') && !matches!(name, "lt" | "gt" | "amp" | "apos" | "quot")
}
