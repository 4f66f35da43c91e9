//! `xsl:number` (XSLT 1.0 §7.7).

use super::{Outcome, Runner};
use crate::number::numbering;
use crate::stylesheet::{Level, Numbering};
use crate::tree::{Document, Kind, NodeRef};
use crate::xpath::{Context, Machine as _};

impl Runner<'_> {
    pub(super) fn numbered(&self, rules: &Numbering, context: &Context) -> Outcome<String> {
        let format = self.template_text(&rules.format, context)?;
        if let Some(value) = &rules.value {
            let number = value.number(context, self)?.round();
            if !(0.0..1e15).contains(&number) {
                return Ok(crate::number::plain(number));
            }
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "the number was just found to fit"
            )]
            let number = number as u64;
            return Ok(numbering(&[number], &format));
        }
        let node = context.node;
        let Some(document) = self.document(node.document) else {
            return Ok(String::new());
        };
        let mut numbers = Vec::new();
        match rules.level {
            Level::Any => {
                let mut count = 0;
                for index in 0..=node.index {
                    count += u64::from(self.counts(
                        rules,
                        &document,
                        NodeRef { index, ..node },
                        node,
                    )?);
                }
                numbers.extend((count > 0).then_some(count));
            }
            Level::Single | Level::Multiple => {
                let mut at = node.index;
                loop {
                    let here = NodeRef { index: at, ..node };
                    let is_counted = self.counts(rules, &document, here, node)?;
                    if is_counted {
                        numbers.insert(0, self.place(rules, &document, here, node)?);
                    }
                    let parent = document.node(at).map_or(at, |found| found.parent);
                    if parent == at || (is_counted && rules.level == Level::Single) {
                        break;
                    }
                    at = parent;
                }
            }
        }
        Ok(if numbers.is_empty() {
            String::new()
        } else {
            numbering(&numbers, &format)
        })
    }

    /// One more than the siblings before a node that are counted.
    fn place(
        &self,
        rules: &Numbering,
        document: &Document,
        node: NodeRef,
        like: NodeRef,
    ) -> Outcome<u64> {
        let parent = document.node(node.index).map_or(0, |found| found.parent);
        let mut count = 1;
        for index in document
            .children(parent)
            .take_while(|index| *index < node.index)
        {
            count += u64::from(self.counts(rules, document, NodeRef { index, ..node }, like)?);
        }
        Ok(count)
    }

    /// Whether a node is counted: by the patterns, or because it is of the same kind and name as `like`.
    fn counts(
        &self,
        rules: &Numbering,
        document: &Document,
        node: NodeRef,
        like: NodeRef,
    ) -> Outcome<bool> {
        self.charge(1)?;
        let Some(patterns) = &rules.count else {
            let kind = |node: NodeRef| document.node(node.index).map(|found| &found.kind);
            return Ok(match (kind(node), kind(like)) {
                (Some(left), Some(right)) => is_alike(left, right),
                _ => false,
            });
        };
        for pattern in patterns {
            if pattern.matches(node, self)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn is_alike(left: &Kind, right: &Kind) -> bool {
    match (left, right) {
        (Kind::Element { name, .. }, Kind::Element { name: other, .. })
        | (Kind::Attribute { name, .. }, Kind::Attribute { name: other, .. }) => name == other,
        (Kind::Instruction { target, .. }, Kind::Instruction { target: other, .. }) => {
            target == other
        }
        (Kind::Text { .. }, Kind::Text { .. })
        | (Kind::Comment(_), Kind::Comment(_))
        | (Kind::Root, Kind::Root) => true,
        _ => false,
    }
}
