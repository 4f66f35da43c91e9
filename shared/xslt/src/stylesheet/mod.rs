//! From the text of a stylesheet to instructions. Everything that is not supported is refused here, by its name.

mod compile;
mod instructions;
mod pattern;
mod top;

use std::collections::BTreeMap;

use crate::error::{CompileError, TransformError};
use crate::number::Signs;
use crate::run::{self, Limits, Output};
use crate::tree::{Declaration, Name, Str};
use crate::xpath::Expr;

pub(crate) use compile::is_instruction;
pub(crate) use pattern::Pattern;

/// A compiled stylesheet.
#[derive(Debug)]
pub struct Stylesheet {
    pub(crate) templates: Vec<Template>,
    /// Positions of templates that match, by mode; the first that matches is the one to run.
    pub(crate) rules: BTreeMap<String, Vec<Rule>>,
    /// Positions of templates by name.
    pub(crate) named: BTreeMap<String, usize>,
    pub(crate) globals: Vec<Global>,
    pub(crate) keys: Vec<Key>,
    pub(crate) output: OutputRules,
    pub(crate) spaces: Vec<SpaceRule>,
    pub(crate) formats: BTreeMap<String, Signs>,
}

impl Stylesheet {
    /// Compiles the text of a stylesheet.
    ///
    /// # Errors
    /// The text is no stylesheet of version 1.0, or uses what is not supported: it is named.
    pub fn compile(text: &str) -> Result<Self, CompileError> {
        top::compile(text)
    }

    /// Transforms a document. Parameters replace the values of the stylesheet's own of the same name; unknown ones
    /// are left out.
    ///
    /// # Errors
    /// The document is no XML, the stylesheet fails on it, or a limit is reached.
    pub fn transform(
        &self,
        document: &str,
        parameters: &[(String, String)],
        limits: &Limits,
    ) -> Result<Output, TransformError> {
        run::transform(self, document, parameters, limits)
    }

    /// The names of the parameters it takes.
    pub fn parameters(&self) -> impl Iterator<Item = &str> {
        let parameters = self.globals.iter().filter(|global| global.is_parameter);
        parameters.map(|global| &*global.binding.name.local)
    }
}

#[derive(Debug)]
pub(crate) struct Template {
    pub(crate) parameters: Vec<Binding>,
    pub(crate) body: Body,
}

/// A pattern that leads to a template.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) pattern: Pattern,
    pub(crate) priority: f64,
    pub(crate) template: usize,
}

#[derive(Debug)]
pub(crate) struct Global {
    pub(crate) binding: Binding,
    pub(crate) is_parameter: bool,
}

/// A variable or parameter with its value.
#[derive(Debug)]
pub(crate) struct Binding {
    pub(crate) name: Name,
    pub(crate) value: Content,
}

/// A value: an expression, or what instructions make.
#[derive(Debug)]
pub(crate) enum Content {
    Select(Expr),
    Body(Body),
}

#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) name: String,
    pub(crate) patterns: Vec<Pattern>,
    pub(crate) value: Expr,
}

/// `xsl:strip-space` or `xsl:preserve-space` for one kind of element.
#[derive(Debug)]
pub(crate) struct SpaceRule {
    /// `None` for every namespace.
    pub(crate) uri: Option<Str>,
    /// `None` for every name.
    pub(crate) local: Option<Str>,
    pub(crate) strips: bool,
}

#[derive(Debug, Default)]
pub(crate) struct OutputRules {
    /// `None` until the result tells whether it is HTML.
    pub(crate) method: Option<Method>,
    pub(crate) omits_declaration: bool,
    pub(crate) standalone: Option<bool>,
    pub(crate) doctype_public: Option<String>,
    pub(crate) doctype_system: Option<String>,
    pub(crate) indents: Option<bool>,
    pub(crate) media_type: Option<String>,
    pub(crate) cdata_elements: Vec<Name>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Xml,
    Html,
    Text,
}

pub(crate) type Body = Box<[Instruction]>;

/// A text with expressions in braces.
#[derive(Debug)]
pub(crate) struct ValueTemplate(pub(crate) Box<[Part]>);

#[derive(Debug)]
pub(crate) enum Part {
    Text(Str),
    Expression(Expr),
}

#[derive(Debug)]
pub(crate) struct Sort {
    pub(crate) select: Expr,
    pub(crate) data_type: Option<ValueTemplate>,
    pub(crate) order: Option<ValueTemplate>,
}

#[derive(Debug)]
pub(crate) enum Instruction {
    Text {
        text: Str,
        is_raw: bool,
    },
    ValueOf {
        select: Expr,
        is_raw: bool,
    },
    Literal {
        name: Name,
        declared: Vec<Declaration>,
        /// Attributes of sets, which its own replace.
        sets: Body,
        attributes: Box<[(Name, ValueTemplate)]>,
        body: Body,
    },
    Element {
        name: ValueTemplate,
        namespace: Option<ValueTemplate>,
        scope: Vec<Declaration>,
        body: Body,
    },
    Attribute {
        name: ValueTemplate,
        namespace: Option<ValueTemplate>,
        scope: Vec<Declaration>,
        body: Body,
    },
    Comment(Body),
    /// A processing instruction.
    Processing {
        name: ValueTemplate,
        body: Body,
    },
    Copy(Body),
    CopyOf(Expr),
    ApplyTemplates {
        select: Option<Expr>,
        mode: String,
        sorts: Box<[Sort]>,
        parameters: Box<[Binding]>,
    },
    CallTemplate {
        /// Position of the template, known when all templates are.
        template: usize,
        parameters: Box<[Binding]>,
    },
    ForEach {
        select: Expr,
        sorts: Box<[Sort]>,
        body: Body,
    },
    If {
        test: Expr,
        body: Body,
    },
    Choose {
        cases: Box<[(Expr, Body)]>,
        otherwise: Body,
    },
    Variable(Binding),
    Number(Numbering),
    Message {
        body: Body,
        terminates: bool,
    },
}

/// `xsl:number`.
#[derive(Debug)]
pub(crate) struct Numbering {
    pub(crate) value: Option<Expr>,
    pub(crate) level: Level,
    /// Patterns of the nodes that are counted; `None` for those like the current one.
    pub(crate) count: Option<Vec<Pattern>>,
    pub(crate) format: ValueTemplate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    Single,
    Multiple,
    Any,
}
