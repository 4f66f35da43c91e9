//! An OpenAPI 3 description, compiled: operations by path and method with the schemas they name.

use std::collections::BTreeMap;

use jsonschema::{Draft, Registry, Validator};
use serde_json::{Map, Value, json};
use tidegate_model::parse_value;

const URI: &str = "urn:tidegate:openapi";

/// Most references that are followed from one place.
const HOPS_MAX: usize = 32;

const METHODS: [&str; 8] = [
    "get", "put", "post", "delete", "options", "head", "patch", "trace",
];

/// A compiled description.
#[derive(Debug)]
pub(super) struct Spec {
    paths: Vec<Path>,
}

#[derive(Debug)]
struct Path {
    segments: Vec<Segment>,
    operations: BTreeMap<String, Operation>,
}

#[derive(Debug)]
enum Segment {
    Literal(String),
    Parameter(String),
}

/// What the description says of one method of one path.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) parameters: Vec<Parameter>,
    /// Types of the request's body with their schemas, if a body is described.
    pub(super) request: Option<Vec<Media>>,
    pub(super) is_request_required: bool,
    /// By status as written: `200`, `2XX` or `default`.
    pub(super) responses: BTreeMap<String, Vec<Media>>,
}

/// A parameter.
#[derive(Debug)]
pub(super) struct Parameter {
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) is_required: bool,
    pub(super) form: Form,
    pub(super) schema: Option<Validator>,
}

/// Where a parameter stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Path,
    Query,
    Header,
    Cookie,
}

/// How the text of a parameter becomes a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// As one value of these types.
    Single(Vec<String>),
    /// As a list: repeated, or with commas in between.
    List {
        is_repeated: bool,
        item: Vec<String>,
    },
    /// In a way that is not checked, such as objects.
    Unchecked,
}

/// A media type with its schema.
#[derive(Debug)]
pub(super) struct Media {
    pub(super) range: String,
    pub(super) schema: Option<Validator>,
}

/// The operation of a request.
#[derive(Debug)]
pub(super) struct Found<'s> {
    pub(super) operation: &'s Operation,
    /// Values of the path's parameters, as received.
    pub(super) path_values: Vec<(&'s str, &'s str)>,
}

impl Spec {
    /// Compiles a description in JSON or YAML.
    pub(super) fn compile(source: &[u8]) -> Result<Self, String> {
        let mut root = parse_value("the OpenAPI description", source)
            .map_err(|violation| violation.to_string())?;
        let version = root.get("openapi").and_then(Value::as_str);
        let draft = match version {
            Some(version) if version.starts_with("3.0") => Draft::Draft4,
            Some(version) if version.starts_with("3.") => Draft::Draft202012,
            _ => return Err("not an OpenAPI 3 description".to_owned()),
        };
        if draft == Draft::Draft4 {
            allow_null(&mut root);
        }
        let registry = Registry::new()
            .draft(draft)
            .add(URI, root.clone())
            .and_then(jsonschema::RegistryBuilder::prepare)
            .map_err(|error| error.to_string())?;
        let compiler = Compiler {
            root: &root,
            registry: &registry,
            draft,
        };
        compiler.spec()
    }

    /// Finds the operation of a path; of several that match, the one with most literal segments.
    pub(super) fn find<'s>(
        &'s self,
        method: &str,
        path: &'s str,
        is_strict: bool,
    ) -> Option<Found<'s>> {
        let path = if is_strict {
            path
        } else {
            path.trim_end_matches('/')
        };
        let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let method = method.to_ascii_lowercase();
        self.paths
            .iter()
            .filter_map(|known| {
                let values = known.matches(&segments)?;
                let operation = known.operations.get(&method)?;
                Some((values.len(), operation, values))
            })
            .min_by_key(|(parameters, ..)| *parameters)
            .map(|(_, operation, path_values)| Found {
                operation,
                path_values,
            })
    }
}

impl Path {
    fn matches<'s>(&'s self, segments: &[&'s str]) -> Option<Vec<(&'s str, &'s str)>> {
        if segments.len() != self.segments.len() {
            return None;
        }
        let mut values = Vec::new();
        for (known, segment) in self.segments.iter().zip(segments) {
            match known {
                Segment::Literal(text) if text == segment => {}
                Segment::Parameter(name) if !segment.is_empty() => {
                    values.push((name.as_str(), *segment));
                }
                _ => return None,
            }
        }
        Some(values)
    }
}

struct Compiler<'c> {
    root: &'c Value,
    registry: &'c Registry<'c>,
    draft: Draft,
}

impl Compiler<'_> {
    fn spec(&self) -> Result<Spec, String> {
        let mut paths = Vec::new();
        for (path, _) in members(self.root.get("paths")) {
            let (item, at) = self.follow(format!("/paths/{}", escaped(path)))?;
            let mut operations = BTreeMap::new();
            for method in METHODS {
                if item.get(method).is_some() {
                    let operation = self
                        .operation(item, &at, method)
                        .map_err(|error| format!("{method} {path}: {error}"))?;
                    operations.insert(method.to_owned(), operation);
                }
            }
            let segments = path.trim_start_matches('/').split('/');
            let segments = segments.map(|segment| {
                let name = segment
                    .strip_prefix('{')
                    .and_then(|rest| rest.strip_suffix('}'));
                match name {
                    Some(name) => Segment::Parameter(name.to_owned()),
                    None => Segment::Literal(segment.to_owned()),
                }
            });
            paths.push(Path {
                segments: segments.collect(),
                operations,
            });
        }
        Ok(Spec { paths })
    }

    fn operation(&self, item: &Value, at: &str, method: &str) -> Result<Operation, String> {
        let place = format!("{at}/{method}");
        let operation = &item[method];
        let mut parameters = self.parameters(item, at)?;
        for own in self.parameters(operation, &place)? {
            parameters.retain(|known| known.name != own.name || known.place != own.place);
            parameters.push(own);
        }
        let mut request = None;
        let mut is_request_required = false;
        if operation.get("requestBody").is_some() {
            let (body, at) = self.follow(format!("{place}/requestBody"))?;
            is_request_required = body["required"] == json!(true);
            request = Some(self.content(body, &at)?);
        }
        let mut responses = BTreeMap::new();
        for (status, _) in members(operation.get("responses")) {
            let (response, at) = self.follow(format!("{place}/responses/{}", escaped(status)))?;
            responses.insert(status.to_ascii_uppercase(), self.content(response, &at)?);
        }
        Ok(Operation {
            parameters,
            request,
            is_request_required,
            responses,
        })
    }

    fn parameters(&self, owner: &Value, at: &str) -> Result<Vec<Parameter>, String> {
        let count = owner.get("parameters").and_then(Value::as_array);
        let count = count.map_or(0, Vec::len);
        let mut parameters = Vec::with_capacity(count);
        for index in 0..count {
            let (parameter, at) = self.follow(format!("{at}/parameters/{index}"))?;
            let place = match parameter["in"].as_str() {
                Some("path") => Place::Path,
                Some("query") => Place::Query,
                Some("header") => Place::Header,
                Some("cookie") => Place::Cookie,
                _ => return Err(format!("{at}: a parameter without a place")),
            };
            let Some(name) = parameter["name"].as_str() else {
                return Err(format!("{at}: a parameter without a name"));
            };
            let schema = match parameter.get("schema") {
                None => None,
                Some(_) => Some(self.validator(&format!("{at}/schema"))?),
            };
            parameters.push(Parameter {
                name: name.to_owned(),
                place,
                is_required: place == Place::Path || parameter["required"] == json!(true),
                form: self.form(parameter, &at, place)?,
                schema,
            });
        }
        Ok(parameters)
    }

    fn form(&self, parameter: &Value, at: &str, place: Place) -> Result<Form, String> {
        if parameter.get("schema").is_none() {
            return Ok(Form::Unchecked);
        }
        let (schema, at) = self.follow(format!("{at}/schema"))?;
        let types = types_of(schema);
        if types.iter().any(|known| known == "object") {
            return Ok(Form::Unchecked);
        }
        if !types.iter().any(|known| known == "array") {
            return Ok(Form::Single(types));
        }
        let default = if place == Place::Query || place == Place::Cookie {
            "form"
        } else {
            "simple"
        };
        let style = parameter["style"].as_str().unwrap_or(default);
        if style != default {
            return Ok(Form::Unchecked);
        }
        let item = match schema.get("items") {
            None => Vec::new(),
            Some(_) => types_of(self.follow(format!("{at}/items"))?.0),
        };
        let explodes = parameter["explode"].as_bool().unwrap_or(style == "form");
        Ok(Form::List {
            is_repeated: explodes && place == Place::Query,
            item,
        })
    }

    fn content(&self, owner: &Value, at: &str) -> Result<Vec<Media>, String> {
        let mut media = Vec::new();
        for (range, described) in members(owner.get("content")) {
            let schema = match described.get("schema") {
                None => None,
                Some(_) => {
                    Some(self.validator(&format!("{at}/content/{}/schema", escaped(range)))?)
                }
            };
            media.push(Media {
                range: range.to_ascii_lowercase(),
                schema,
            });
        }
        Ok(media)
    }

    /// Compiles the schema at a pointer into the description.
    fn validator(&self, pointer: &str) -> Result<Validator, String> {
        let schema = json!({"$ref": format!("{URI}#{}", fragment(pointer))});
        jsonschema::options()
            .with_draft(self.draft)
            .with_registry(self.registry)
            .build(&schema)
            .map_err(|error| format!("{pointer}: {error}"))
    }

    /// Returns the object at a pointer, references followed, and where it is.
    fn follow(&self, mut pointer: String) -> Result<(&Value, String), String> {
        for _ in 0..HOPS_MAX {
            let value = self.root.pointer(&pointer);
            let value = value.ok_or_else(|| format!("nothing is at {pointer}"))?;
            match value.get("$ref").and_then(Value::as_str) {
                None => return Ok((value, pointer)),
                Some(reference) => match reference.strip_prefix('#') {
                    Some(next) => next.clone_into(&mut pointer),
                    None => return Err(format!("{pointer}: a reference to another document")),
                },
            }
        }
        Err(format!("{pointer}: references in a circle"))
    }
}

fn members(value: Option<&Value>) -> impl Iterator<Item = (&String, &Value)> {
    value.and_then(Value::as_object).into_iter().flatten()
}

fn types_of(schema: &Value) -> Vec<String> {
    match schema.get("type") {
        Some(Value::String(name)) => vec![name.clone()],
        Some(Value::Array(names)) => names
            .iter()
            .filter_map(|name| name.as_str().map(str::to_owned))
            .collect(),
        _ => Vec::new(),
    }
}

/// A name as a segment of a JSON pointer (RFC 6901).
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// A pointer as the fragment of a URI.
fn fragment(pointer: &str) -> String {
    use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
    const KEPT_OUT: &AsciiSet = &CONTROLS
        .add(b' ')
        .add(b'"')
        .add(b'#')
        .add(b'%')
        .add(b'<')
        .add(b'>')
        .add(b'[')
        .add(b'\\')
        .add(b']')
        .add(b'^')
        .add(b'`')
        .add(b'{')
        .add(b'|')
        .add(b'}');
    utf8_percent_encode(pointer, KEPT_OUT).to_string()
}

/// Writes `nullable` of OpenAPI 3.0 as a type that JSON Schema knows. The parser bounds the depth.
fn allow_null(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(allow_null),
        Value::Object(members) => {
            members.values_mut().for_each(allow_null);
            if members.get("nullable") == Some(&Value::Bool(true)) {
                add_null(members);
            }
        }
        _ => {}
    }
}

fn add_null(schema: &mut Map<String, Value>) {
    if let Some(Value::String(name)) = schema.get("type") {
        let types = json!([name, "null"]);
        schema.insert("type".to_owned(), types);
        if let Some(Value::Array(values)) = schema.get_mut("enum")
            && !values.contains(&Value::Null)
        {
            values.push(Value::Null);
        }
    }
}
