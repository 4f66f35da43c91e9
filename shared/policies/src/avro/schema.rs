//! From the text of a schema to numbered nodes: names are resolved once.

use std::collections::HashMap;

use apache_avro::schema::{
    DecimalSchema, InnerDecimalSchema, RecordSchema, Schema as Parsed, UuidSchema,
};
use serde_json::Value;
use thiserror::Error;

/// Longest text of a schema, in bytes.
const SOURCE_BYTES_MAX: usize = 256 * 1024;
/// Bytes of a `duration`.
const DURATION_BYTES: usize = 12;

/// A compiled schema.
#[derive(Debug)]
pub(crate) struct Schema {
    pub(super) nodes: Box<[Node]>,
    pub(super) root: usize,
}

/// A text that is no schema.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub(crate) enum SchemaError {
    #[error("a text of more than {SOURCE_BYTES_MAX} bytes")]
    Long,
    #[error("{0}")]
    Syntax(String),
    #[error("the name {0}, which is not defined")]
    Name(String),
}

/// One type; other types are positions in the list of nodes.
#[derive(Debug)]
pub(super) enum Node {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    Text,
    Fixed {
        name: Box<str>,
        size: usize,
    },
    Enum {
        name: Box<str>,
        symbols: Box<[String]>,
    },
    Array(usize),
    Map(usize),
    Union(Box<[usize]>),
    Record {
        name: Box<str>,
        fields: Box<[Field]>,
    },
}

#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: Box<str>,
    pub(super) node: usize,
    pub(super) default: Option<Value>,
}

impl Node {
    /// The name of the type as a branch of a union has it.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Null => "null",
            Self::Boolean => "boolean",
            Self::Int => "int",
            Self::Long => "long",
            Self::Float => "float",
            Self::Double => "double",
            Self::Bytes => "bytes",
            Self::Text => "string",
            Self::Array(_) => "array",
            Self::Map(_) => "map",
            Self::Union(_) => "union",
            Self::Fixed { name, .. } | Self::Enum { name, .. } | Self::Record { name, .. } => name,
        }
    }
}

impl Schema {
    /// Compiles the text of a schema.
    ///
    /// # Errors
    /// The text is too long, no schema, or names a type it does not define.
    pub(crate) fn compile(text: &str) -> Result<Self, SchemaError> {
        if text.len() > SOURCE_BYTES_MAX {
            return Err(SchemaError::Long);
        }
        let parsed =
            Parsed::parse_str(text).map_err(|error| SchemaError::Syntax(error.to_string()))?;
        let mut builder = Builder::default();
        let root = builder.add(&parsed, None)?;
        Ok(Self {
            nodes: builder.nodes.into(),
            root,
        })
    }
}

#[derive(Default)]
struct Builder {
    nodes: Vec<Node>,
    names: HashMap<String, usize>,
}

impl Builder {
    fn push(&mut self, node: Node) -> usize {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    /// Adds a named type. Its name is known before its parts are, since they may refer to it.
    fn named(&mut self, name: String, node: Node) -> usize {
        let index = self.push(node);
        self.names.entry(name).or_insert(index);
        index
    }

    fn fixed(&mut self, name: String, size: usize) -> usize {
        let node = Node::Fixed {
            name: name.as_str().into(),
            size,
        };
        self.named(name, node)
    }

    fn add(&mut self, schema: &Parsed, namespace: Option<&str>) -> Result<usize, SchemaError> {
        Ok(match schema {
            Parsed::Null => self.push(Node::Null),
            Parsed::Boolean => self.push(Node::Boolean),
            Parsed::Int | Parsed::Date | Parsed::TimeMillis => self.push(Node::Int),
            Parsed::Long
            | Parsed::TimeMicros
            | Parsed::TimestampMillis
            | Parsed::TimestampMicros
            | Parsed::TimestampNanos
            | Parsed::LocalTimestampMillis
            | Parsed::LocalTimestampMicros
            | Parsed::LocalTimestampNanos => self.push(Node::Long),
            Parsed::Float => self.push(Node::Float),
            Parsed::Double => self.push(Node::Double),
            Parsed::Bytes
            | Parsed::BigDecimal
            | Parsed::Uuid(UuidSchema::Bytes)
            | Parsed::Decimal(DecimalSchema {
                inner: InnerDecimalSchema::Bytes,
                ..
            }) => self.push(Node::Bytes),
            Parsed::String | Parsed::Uuid(UuidSchema::String) => self.push(Node::Text),
            Parsed::Fixed(fixed)
            | Parsed::Uuid(UuidSchema::Fixed(fixed))
            | Parsed::Decimal(DecimalSchema {
                inner: InnerDecimalSchema::Fixed(fixed),
                ..
            }) => self.fixed(fixed.name.fullname(namespace), fixed.size),
            Parsed::Duration(fixed) => self.fixed(fixed.name.fullname(namespace), DURATION_BYTES),
            Parsed::Enum(schema) => {
                let name = schema.name.fullname(namespace);
                let node = Node::Enum {
                    name: name.as_str().into(),
                    symbols: schema.symbols.clone().into(),
                };
                self.named(name, node)
            }
            Parsed::Array(schema) => {
                let items = self.add(&schema.items, namespace)?;
                self.push(Node::Array(items))
            }
            Parsed::Map(schema) => {
                let values = self.add(&schema.types, namespace)?;
                self.push(Node::Map(values))
            }
            Parsed::Union(schema) => {
                let branches = schema.variants().iter();
                let branches: Result<Box<[usize]>, SchemaError> =
                    branches.map(|branch| self.add(branch, namespace)).collect();
                let branches = branches?;
                self.push(Node::Union(branches))
            }
            Parsed::Record(schema) => self.record(schema, namespace)?,
            Parsed::Ref { name } => {
                let name = name.fullname(namespace);
                let known = self.names.get(&name).copied();
                known.ok_or(SchemaError::Name(name))?
            }
        })
    }

    fn record(
        &mut self,
        schema: &RecordSchema,
        namespace: Option<&str>,
    ) -> Result<usize, SchemaError> {
        let name = schema.name.fullname(namespace);
        let own = name
            .rsplit_once('.')
            .map(|(namespace, _)| namespace.to_owned());
        let own = own.as_deref().or(namespace);
        let index = self.named(name.clone(), Node::Null);
        let mut fields = Vec::with_capacity(schema.fields.len());
        for field in &schema.fields {
            fields.push(Field {
                name: field.name.as_str().into(),
                node: self.add(&field.schema, own)?,
                default: field.default.clone(),
            });
        }
        if let Some(node) = self.nodes.get_mut(index) {
            *node = Node::Record {
                name: name.into(),
                fields: fields.into(),
            };
        }
        Ok(index)
    }
}
