//! Patterns (XSLT 1.0 §5.2): a path read from its end.

use crate::error::TransformError;
use crate::tree::NodeRef;
use crate::xpath::{
    Axis, Context, Machine, Namespaces, Path, Step, Test, axis_nodes, compile_path_pattern,
    test_matches,
};

/// One alternative of a pattern.
#[derive(Debug)]
pub(crate) struct Pattern {
    is_absolute: bool,
    /// Steps of elements and attributes; `is_anywhere` of a step says that `//` stands before it.
    steps: Vec<PatternStep>,
}

#[derive(Debug)]
struct PatternStep {
    step: Step,
    is_anywhere: bool,
}

impl Pattern {
    /// Compiles the alternatives of a pattern.
    ///
    /// # Errors
    /// Says what does not parse, or does not belong into a pattern.
    pub(crate) fn compile(source: &str, namespaces: &Namespaces) -> Result<Vec<Self>, String> {
        let paths = compile_path_pattern(source, namespaces)?;
        paths.into_iter().map(Self::from_path).collect()
    }

    fn from_path(path: Path) -> Result<Self, String> {
        let mut steps = Vec::new();
        let mut is_anywhere = false;
        for step in path.steps {
            match step.axis {
                Axis::Child | Axis::Attribute => steps.push(PatternStep {
                    step,
                    is_anywhere: std::mem::take(&mut is_anywhere),
                }),
                Axis::DescendantOrSelf if step.predicates.is_empty() => is_anywhere = true,
                _ => return Err("a pattern has child and attribute steps only".to_owned()),
            }
        }
        if is_anywhere {
            return Err("a pattern does not end with //".to_owned());
        }
        Ok(Self {
            is_absolute: path.is_absolute,
            steps,
        })
    }

    /// The priority of a template that says none (§5.5).
    pub(crate) fn priority(&self) -> f64 {
        match self.steps.as_slice() {
            [only] if !self.is_absolute && only.step.predicates.is_empty() => match &only.step.test
            {
                Test::Name(_) | Test::Instruction(Some(_)) => 0.0,
                Test::AnyOf(_) => -0.25,
                Test::AnyName
                | Test::Node
                | Test::Text
                | Test::Comment
                | Test::Instruction(None) => -0.5,
            },
            _ => 0.5,
        }
    }

    /// Whether a node matches.
    pub(crate) fn matches(
        &self,
        node: NodeRef,
        machine: &dyn Machine,
    ) -> Result<bool, TransformError> {
        if self.steps.is_empty() {
            machine.charge(1)?;
            return Ok(node.index == 0);
        }
        self.matches_from(self.steps.len(), node, machine)
    }

    /// Whether `node` matches the first `count` steps.
    fn matches_from(
        &self,
        count: usize,
        node: NodeRef,
        machine: &dyn Machine,
    ) -> Result<bool, TransformError> {
        let Some(last) = count.checked_sub(1).and_then(|index| self.steps.get(index)) else {
            return Ok(!self.is_absolute || node.index == 0);
        };
        if !fits(&last.step, node, machine)? {
            return Ok(false);
        }
        if count == 1 && !self.is_absolute {
            return Ok(true);
        }
        let mut above = parent(node, machine);
        while let Some(parent) = above {
            if self.matches_from(count - 1, parent, machine)? {
                return Ok(true);
            }
            if !last.is_anywhere {
                return Ok(false);
            }
            above = self::parent(parent, machine);
        }
        Ok(false)
    }
}

fn parent(node: NodeRef, machine: &dyn Machine) -> Option<NodeRef> {
    let document = machine.document(node.document)?;
    let index = document.node(node.index)?.parent;
    (node.index != 0).then_some(NodeRef { index, ..node })
}

/// Whether a node fits a step: its kind and name, and its place among the siblings that do.
fn fits(step: &Step, node: NodeRef, machine: &dyn Machine) -> Result<bool, TransformError> {
    machine.charge(1)?;
    let Some(document) = machine.document(node.document) else {
        return Ok(false);
    };
    let is_attribute = document.is_attribute(node.index);
    if node.index == 0
        || is_attribute != (step.axis == Axis::Attribute)
        || !test_matches(&document, node.index, &step.test, step.axis)
    {
        return Ok(false);
    }
    if step.predicates.is_empty() {
        return Ok(true);
    }
    let Some(parent) = parent(node, machine) else {
        return Ok(false);
    };
    let mut siblings = axis_nodes(parent, step, machine)?;
    for predicate in &step.predicates {
        let size = siblings.len();
        let mut kept = Vec::new();
        for (index, sibling) in siblings.into_iter().enumerate() {
            let context = Context {
                node: sibling,
                position: index + 1,
                size,
                current: node,
            };
            let holds = match predicate.evaluate(&context, machine)? {
                #[expect(clippy::cast_precision_loss, reason = "positions are small")]
                crate::xpath::Value::Number(number) => number == (index + 1) as f64,
                other => other.to_boolean(),
            };
            if holds {
                kept.push(sibling);
            }
        }
        siblings = kept;
    }
    Ok(siblings.contains(&node))
}
