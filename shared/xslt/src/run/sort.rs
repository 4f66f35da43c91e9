//! `xsl:sort`.

use std::cmp::Ordering;
use std::rc::Rc;

use super::{Outcome, Runner};
use crate::stylesheet::{Sort, ValueTemplate};
use crate::tree::NodeRef;
use crate::xpath::{Context, Machine as _, Value};

enum SortKey {
    Text(Rc<str>),
    Number(f64),
}

impl SortKey {
    /// What is no number comes before all numbers.
    fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Text(left), Self::Text(right)) => left.cmp(right),
            (Self::Number(left), Self::Number(right)) => match (left.is_nan(), right.is_nan()) {
                (false, false) => left.partial_cmp(right).unwrap_or(Ordering::Equal),
                (left, right) => right.cmp(&left),
            },
            _ => Ordering::Equal,
        }
    }
}

impl Runner<'_> {
    pub(super) fn sorted(
        &self,
        nodes: Rc<Vec<NodeRef>>,
        sorts: &[Sort],
        context: &Context,
    ) -> Outcome<Rc<Vec<NodeRef>>> {
        if sorts.is_empty() {
            return Ok(nodes);
        }
        let is = |template: &Option<ValueTemplate>, wanted: &str| -> Outcome<bool> {
            match template {
                Some(template) => Ok(self.template_text(template, context)?.trim() == wanted),
                None => Ok(false),
            }
        };
        let mut rules = Vec::with_capacity(sorts.len());
        for sort in sorts {
            let is_number = is(&sort.data_type, "number")?;
            rules.push((sort, is_number, is(&sort.order, "descending")?));
        }
        let size = nodes.len();
        let mut keyed: Vec<(Vec<SortKey>, NodeRef)> = Vec::with_capacity(size);
        for (index, node) in nodes.iter().enumerate() {
            let inner = Context {
                node: *node,
                position: index + 1,
                size,
                current: *node,
            };
            let mut keys = Vec::with_capacity(rules.len());
            for (sort, is_number, _) in &rules {
                let text = sort.select.text(&inner, self)?;
                keys.push(match is_number {
                    true => SortKey::Number(Value::Text(text).to_number(self)?),
                    false => SortKey::Text(text),
                });
            }
            keyed.push((keys, *node));
        }
        // Sorting compares each node some twenty times.
        self.charge((size as u64).saturating_mul(20))?;
        keyed.sort_by(|(left, _), (right, _)| {
            let pairs = left.iter().zip(right).zip(&rules);
            let order =
                |((left, right), (_, _, descends)): ((&SortKey, &SortKey), &(_, _, bool))| {
                    let order = left.compare(right);
                    if *descends { order.reverse() } else { order }
                };
            pairs
                .map(order)
                .find(|order| order.is_ne())
                .unwrap_or(Ordering::Equal)
        });
        Ok(Rc::new(keyed.into_iter().map(|(_, node)| node).collect()))
    }
}
