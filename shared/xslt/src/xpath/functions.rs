//! The functions that expressions may call.

use crate::tree::Name;

/// The namespace of the EXSLT functions on nodes; `node-set` of it is known under the name of Microsoft's too.
const EXSLT_COMMON: &str = "http://exslt.org/common";
const MSXSL: &str = "urn:schemas-microsoft-com:xslt";

/// A function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    Boolean,
    Ceiling,
    Concat,
    Contains,
    Count,
    Current,
    False,
    Floor,
    FormatNumber,
    GenerateId,
    HasElement,
    IsCallable,
    Key,
    Lang,
    Last,
    LocalName,
    Name,
    NamespaceUri,
    NodeSet,
    NormalizeSpace,
    Not,
    Number,
    Position,
    Round,
    StartsWith,
    String,
    StringLength,
    Substring,
    SubstringAfter,
    SubstringBefore,
    Sum,
    SystemProperty,
    Translate,
    True,
}

/// Names with the fewest and most arguments.
const FUNCTIONS: &[(&str, Function, usize, usize)] = &[
    ("boolean", Function::Boolean, 1, 1),
    ("ceiling", Function::Ceiling, 1, 1),
    ("concat", Function::Concat, 2, usize::MAX),
    ("contains", Function::Contains, 2, 2),
    ("count", Function::Count, 1, 1),
    ("current", Function::Current, 0, 0),
    ("element-available", Function::HasElement, 1, 1),
    ("false", Function::False, 0, 0),
    ("floor", Function::Floor, 1, 1),
    ("format-number", Function::FormatNumber, 2, 3),
    ("function-available", Function::IsCallable, 1, 1),
    ("generate-id", Function::GenerateId, 0, 1),
    ("key", Function::Key, 2, 2),
    ("lang", Function::Lang, 1, 1),
    ("last", Function::Last, 0, 0),
    ("local-name", Function::LocalName, 0, 1),
    ("name", Function::Name, 0, 1),
    ("namespace-uri", Function::NamespaceUri, 0, 1),
    ("normalize-space", Function::NormalizeSpace, 0, 1),
    ("not", Function::Not, 1, 1),
    ("number", Function::Number, 0, 1),
    ("position", Function::Position, 0, 0),
    ("round", Function::Round, 1, 1),
    ("starts-with", Function::StartsWith, 2, 2),
    ("string", Function::String, 0, 1),
    ("string-length", Function::StringLength, 0, 1),
    ("substring", Function::Substring, 2, 3),
    ("substring-after", Function::SubstringAfter, 2, 2),
    ("substring-before", Function::SubstringBefore, 2, 2),
    ("sum", Function::Sum, 1, 1),
    ("system-property", Function::SystemProperty, 1, 1),
    ("translate", Function::Translate, 3, 3),
    ("true", Function::True, 0, 0),
];

/// Functions of XSLT 1.0 that are refused, and why.
const REFUSED: &[(&str, &str)] = &[
    ("document", "nothing is fetched"),
    ("id", "there are no document types"),
    ("unparsed-entity-uri", "there are no document types"),
];

impl Function {
    /// Finds a function by its name and the number of its arguments.
    ///
    /// # Errors
    /// Says why there is none.
    pub(super) fn find(name: &Name, arguments: usize) -> Result<Self, String> {
        let written = name.written();
        if name.is(EXSLT_COMMON, "node-set") || name.is(MSXSL, "node-set") {
            return match arguments {
                1 => Ok(Self::NodeSet),
                _ => Err(format!("{written}() takes 1 argument")),
            };
        }
        let local = if name.uri.is_empty() {
            &*name.local
        } else {
            ""
        };
        if let Some((name, reason)) = REFUSED.iter().find(|(known, _)| *known == local) {
            return Err(format!("{name}() is not supported: {reason}"));
        }
        let known = FUNCTIONS.iter().find(|(known, ..)| *known == local);
        let (_, function, fewest, most) =
            known.ok_or_else(|| format!("the function {written}() is not supported"))?;
        if !(*fewest..=*most).contains(&arguments) {
            return Err(format!("{written}() does not take {arguments} arguments"));
        }
        Ok(*function)
    }

    /// Whether there is a function of this name.
    pub(super) fn is_known(name: &str) -> bool {
        FUNCTIONS.iter().any(|(known, ..)| *known == name)
    }
}
