//! Values of expressions and their conversions (XPath 1.0 §4).

use std::rc::Rc;

use crate::number;
use crate::tree::NodeRef;

#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// In document order, each node once.
    Nodes(Rc<Vec<NodeRef>>),
    /// The content of a variable: a document of its own.
    Fragment(u32),
    Text(Rc<str>),
    Number(f64),
    Boolean(bool),
}

impl Value {
    pub(crate) fn text(text: impl Into<Rc<str>>) -> Self {
        Self::Text(text.into())
    }

    pub(crate) fn nodes(nodes: Vec<NodeRef>) -> Self {
        Self::Nodes(Rc::new(nodes))
    }
}

/// The number a text stands for (XPath 1.0 §4.4), else NaN.
pub(crate) fn to_number(text: &str) -> f64 {
    let text = text.trim_matches([' ', '\t', '\r', '\n']);
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_number = digits.bytes().any(|byte| byte.is_ascii_digit())
        && digits
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.')
        && digits.matches('.').count() <= 1;
    if is_number {
        text.parse().unwrap_or(f64::NAN)
    } else {
        f64::NAN
    }
}

/// The text of a number (XPath 1.0 §4.2).
pub(crate) fn from_number(number: f64) -> String {
    number::plain(number)
}
