//! Keys: nodes of a document by the values their patterns give them, found once.

use std::collections::HashMap;
use std::rc::Rc;

use super::{Outcome, Runner};
use crate::error::TransformError;
use crate::tree::NodeRef;
use crate::xpath::{Context, Machine as _, Value};

/// Nodes by name of the key and value.
#[derive(Debug, Default)]
pub(super) struct KeyIndex {
    by_name: HashMap<String, HashMap<String, Vec<NodeRef>>>,
}

impl KeyIndex {
    pub(super) fn find(&self, name: &str, value: &str) -> Outcome<Vec<NodeRef>> {
        let by_value = self.by_name.get(name);
        let by_value =
            by_value.ok_or_else(|| TransformError::Dynamic(format!("there is no key {name}")))?;
        Ok(by_value.get(value).cloned().unwrap_or_default())
    }
}

impl Runner<'_> {
    pub(super) fn key_index(&self, document: u32) -> Outcome<Rc<KeyIndex>> {
        if let Some(known) = self.keys.borrow().get(&document) {
            return Ok(Rc::clone(known));
        }
        let mut index = KeyIndex::default();
        for key in &self.stylesheet.keys {
            let by_value = index.by_name.entry(key.name.clone()).or_default();
            for at in 0..self.len_of(document) {
                let node = NodeRef {
                    document,
                    index: at,
                };
                let mut is_matched = false;
                for pattern in &key.patterns {
                    is_matched = is_matched || pattern.matches(node, self)?;
                }
                if !is_matched {
                    continue;
                }
                match key.value.evaluate(&Context::at(node), self)? {
                    Value::Nodes(nodes) => {
                        for value in nodes.iter() {
                            let value = Value::nodes(vec![*value]).to_text(self)?;
                            by_value.entry(value.to_string()).or_default().push(node);
                        }
                    }
                    other => {
                        let value = other.to_text(self)?;
                        by_value.entry(value.to_string()).or_default().push(node);
                    }
                }
                self.charge(1)?;
            }
        }
        let index = Rc::new(index);
        self.keys.borrow_mut().insert(document, Rc::clone(&index));
        Ok(index)
    }
}
