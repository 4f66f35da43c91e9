//! From schema documents to compiled schemas.

mod attributes;
mod complex;
mod elements;
mod simple;

use std::collections::HashMap;
use std::sync::Arc;

use crate::builtin::{BUILTIN_LISTS, BUILTINS};
use crate::name::{Name, Namespace, XML, XSD};
use crate::program::Particle;
use crate::schema::Namespaces;
use crate::schema::{
    Attribute, Complex, Content, Element, ElementId, Process, Schema, Type, TypeId, Wildcard,
};
use crate::simple::{Facets, Simple, Variety};
use crate::tree::Node;
use crate::{SCHEMA_BYTES_MAX, SchemaError};

/// The first type of every schema.
pub(crate) const ANY_SIMPLE_TYPE: TypeId = TypeId(0);

/// Most parts of content models and attributes of types, all groups inserted.
const PARTS_MAX: usize = 100_000;

/// Deepest nesting of what is compiled: types in types, their bases, groups inserted. It bounds recursion here and
/// wherever types and content models are walked.
const NESTING_MAX: usize = 96;

/// What a global type is while it is compiled.
enum State<'n> {
    Waiting(&'n Node),
    Building,
    Ready,
}

pub(crate) struct Compiler<'n> {
    target: Namespace,
    qualifies_elements: bool,
    qualifies_attributes: bool,
    types: Vec<Option<Type>>,
    /// Content models of complex types; compiled last, since they name elements of all types.
    particles: HashMap<TypeId, Particle>,
    states: HashMap<TypeId, State<'n>>,
    type_names: HashMap<Name, TypeId>,
    elements: Vec<Option<Element>>,
    globals: HashMap<Name, ElementId>,
    attributes: HashMap<Name, Attribute>,
    groups: HashMap<Name, &'n Node>,
    attribute_groups: HashMap<Name, &'n Node>,
    /// Groups being inserted, so that one that contains itself is found.
    inserting: Vec<Name>,
    /// Parts that may still be added.
    parts_left: usize,
    nesting: usize,
    any_type: TypeId,
}

/// Compiles the text of a schema.
pub(crate) fn compile(text: &str) -> Result<Schema, SchemaError> {
    if text.len() > SCHEMA_BYTES_MAX {
        let expected = format!("at most {SCHEMA_BYTES_MAX} bytes");
        return Err(SchemaError::new(
            0,
            format!("{} bytes", text.len()),
            expected,
        ));
    }
    let root = Node::parse(text)?;
    if *root.name != *"schema" {
        return Err(root.error("the root", "schema"));
    }
    root.allow(&[
        "targetNamespace",
        "elementFormDefault",
        "attributeFormDefault",
        "version",
        // It binds other schemas, not documents.
        "finalDefault",
    ])?;
    let mut compiler = Compiler::new(&root)?;
    compiler.collect(&root)?;
    compiler.build(&root)
}

impl<'n> Compiler<'n> {
    fn new(root: &Node) -> Result<Self, SchemaError> {
        let form = |name: &str| match root.attribute(name) {
            None | Some("unqualified") => Ok(false),
            Some("qualified") => Ok(true),
            Some(found) => Err(root.error(format!("{name}={found:?}"), "qualified or unqualified")),
        };
        let target = root.attribute("targetNamespace");
        let mut compiler = Self {
            target: target.filter(|uri| !uri.is_empty()).map(Arc::from),
            qualifies_elements: form("elementFormDefault")?,
            qualifies_attributes: form("attributeFormDefault")?,
            types: Vec::new(),
            particles: HashMap::new(),
            states: HashMap::new(),
            type_names: HashMap::new(),
            elements: Vec::new(),
            globals: HashMap::new(),
            attributes: HashMap::new(),
            groups: HashMap::new(),
            attribute_groups: HashMap::new(),
            inserting: Vec::new(),
            parts_left: PARTS_MAX,
            nesting: 0,
            any_type: ANY_SIMPLE_TYPE,
        };
        compiler.add_builtins();
        Ok(compiler)
    }

    fn add_builtins(&mut self) {
        let named = |local: &str| Name::new(Some(Arc::from(XSD)), local);
        let simple = |base, variety| {
            Some(Type::Simple(Simple {
                base,
                variety,
                facets: Facets::default(),
            }))
        };
        for (local, base, builtin) in BUILTINS {
            let id = TypeId(self.types.len());
            let base = self.type_names.get(&named(base)).copied();
            self.types.push(simple(base, Variety::Atomic(builtin)));
            self.type_names.insert(named(local), id);
        }
        for (local, item) in BUILTIN_LISTS {
            if let Some(item) = self.type_names.get(&named(item)).copied() {
                let id = TypeId(self.types.len());
                self.types
                    .push(simple(Some(ANY_SIMPLE_TYPE), Variety::List(item)));
                self.type_names.insert(named(local), id);
            }
        }
        self.any_type = TypeId(self.types.len());
        self.types.push(Some(Type::Complex(Complex {
            base: None,
            is_abstract: false,
            is_mixed: true,
            attributes: Vec::new(),
            any_attribute: Some(Wildcard {
                namespaces: Namespaces::Any,
                process: Process::Lax,
            }),
            content: Content::Anything,
        })));
        self.type_names.insert(named("anyType"), self.any_type);
        // Attributes of XML itself, which schemas import by name.
        let kind = |local| self.type_names.get(&named(local)).copied();
        let known = [
            ("lang", "string"),
            ("space", "NCName"),
            ("base", "anyURI"),
            ("id", "ID"),
        ];
        for (local, of) in known {
            let kind = kind(of).unwrap_or(ANY_SIMPLE_TYPE);
            let name = Name::new(Some(Arc::from(XML)), local);
            self.attributes
                .insert(name, Attribute { kind, fixed: None });
        }
    }

    /// Notes everything global, so that it can be named before it is declared.
    fn collect(&mut self, root: &'n Node) -> Result<(), SchemaError> {
        for node in &root.children {
            let duplicate = || node.error("a second declaration of the name", "one");
            match &*node.name {
                "import" if node.attribute("namespace") == Some(XML) => {}
                "element" => {
                    let id = ElementId(self.elements.len());
                    self.elements.push(None);
                    let name = node.declared(self.target.clone())?;
                    if self.globals.insert(name, id).is_some() {
                        return Err(duplicate());
                    }
                }
                "complexType" | "simpleType" => {
                    let id = self.reserve();
                    self.states.insert(id, State::Waiting(node));
                    let name = node.declared(self.target.clone())?;
                    if self.type_names.insert(name, id).is_some() {
                        return Err(duplicate());
                    }
                }
                "group" => {
                    let name = node.declared(self.target.clone())?;
                    if self.groups.insert(name, node).is_some() {
                        return Err(duplicate());
                    }
                }
                "attributeGroup" => {
                    let name = node.declared(self.target.clone())?;
                    if self.attribute_groups.insert(name, node).is_some() {
                        return Err(duplicate());
                    }
                }
                "attribute" => {}
                _ => {
                    let expected = "element, complexType, simpleType, group, attribute or \
                        attributeGroup (nothing is included, imported or redefined)";
                    return Err(root.error(&node.name, expected));
                }
            }
        }
        Ok(())
    }

    fn build(mut self, root: &'n Node) -> Result<Schema, SchemaError> {
        let with =
            |name: &'static str| root.children.iter().filter(move |node| *node.name == *name);
        let waiting: Vec<TypeId> = self.states.keys().copied().collect();
        for node in with("attribute") {
            node.allow(&["name", "type", "default", "fixed"])?;
            let name = node.declared(self.target.clone())?;
            let attribute = self.attribute_declaration(node)?;
            if self.attributes.insert(name, attribute).is_some() {
                return Err(node.error("a second declaration of the name", "one"));
            }
        }
        for id in waiting {
            self.ensure(id)?;
        }
        let mut heads: Vec<(ElementId, ElementId)> = Vec::new();
        for node in with("element") {
            let name = node.declared(self.target.clone())?;
            let Some(id) = self.globals.get(&name).copied() else {
                continue;
            };
            if let Some(head) = node.reference("substitutionGroup")? {
                heads.push((self.global(head, node)?, id));
            }
            let element = self.global_element(node, name)?;
            self.elements[id.0] = Some(element);
        }
        self.check_groups()?;
        self.finish(root, &heads)
    }

    /// Groups that nothing uses are checked as well.
    fn check_groups(&mut self) -> Result<(), SchemaError> {
        let groups: Vec<Name> = self.groups.keys().cloned().collect();
        for name in groups {
            if let Some(node) = self.groups.get(&name).copied() {
                self.insert_group(&name, node)?;
            }
        }
        let groups: Vec<Name> = self.attribute_groups.keys().cloned().collect();
        for name in groups {
            if let Some(node) = self.attribute_groups.get(&name).copied() {
                self.insert_attributes(&name, node)?;
            }
        }
        Ok(())
    }

    fn finish(
        mut self,
        root: &Node,
        heads: &[(ElementId, ElementId)],
    ) -> Result<Schema, SchemaError> {
        let particles = std::mem::take(&mut self.particles);
        for (id, particle) in &particles {
            let content = self.content(particle).map_err(|found| {
                let expected = "a smaller one, with fewer repetitions of groups";
                root.error(found, expected)
            })?;
            if let Some(Some(Type::Complex(complex))) = self.types.get_mut(id.0) {
                complex.content = content;
            }
        }
        let missing = || root.error("a declaration that was not compiled", "a definition");
        let types = self.types.into_iter().collect::<Option<Vec<_>>>();
        let elements = self.elements.into_iter().collect::<Option<Vec<_>>>();
        let mut schema = Schema {
            types: types.ok_or_else(missing)?,
            type_names: self.type_names,
            elements: elements.ok_or_else(missing)?,
            globals: self.globals,
            attributes: self.attributes,
            substitutes: HashMap::new(),
            any_type: self.any_type,
        };
        schema.substitutes = substitutes(&schema, heads).map_err(|found| {
            root.error(
                found,
                "substitution groups without a circle, and of derived types",
            )
        })?;
        schema
            .settle_enumerations()
            .map_err(|found| root.error(found, "values of the type they narrow"))?;
        for element in &schema.elements {
            let fixed = element
                .constraint
                .as_ref()
                .map(|constraint| match constraint {
                    crate::schema::Constraint::Default(text)
                    | crate::schema::Constraint::Fixed(text) => text,
                });
            if let Some(text) = fixed {
                schema
                    .check_constraint(element.kind, text)
                    .map_err(|found| root.error(found, "a value of the element's type"))?;
            }
        }
        Ok(schema)
    }

    /// Reserves a place for a type.
    fn reserve(&mut self) -> TypeId {
        self.types.push(None);
        TypeId(self.types.len() - 1)
    }

    /// Takes from what a schema may still grow.
    fn spend(&mut self, parts: usize, node: &Node) -> Result<(), SchemaError> {
        match self.parts_left.checked_sub(parts) {
            Some(left) => {
                self.parts_left = left;
                Ok(())
            }
            None => {
                let expected = format!("at most {PARTS_MAX} parts, all groups inserted");
                Err(node.error("a schema that grows", expected))
            }
        }
    }

    /// Compiles something inside of something else.
    fn deeper<T>(
        &mut self,
        node: &Node,
        compile: impl FnOnce(&mut Self) -> Result<T, SchemaError>,
    ) -> Result<T, SchemaError> {
        if self.nesting >= NESTING_MAX {
            let expected = format!("at most {NESTING_MAX} levels of types, bases and groups");
            return Err(node.error("deep nesting", expected));
        }
        self.nesting += 1;
        let compiled = compile(self);
        self.nesting -= 1;
        compiled
    }

    /// Finds a type by its name; it may not be compiled yet.
    fn type_id(&self, name: &Name, node: &Node) -> Result<TypeId, SchemaError> {
        let known = self.type_names.get(name).copied();
        known.ok_or_else(|| node.error(format!("the type {name}"), "a type that exists"))
    }

    fn global(&self, name: &Name, node: &Node) -> Result<ElementId, SchemaError> {
        let known = self.globals.get(name).copied();
        known.ok_or_else(|| node.error(format!("the element {name}"), "an element that exists"))
    }

    /// Compiles a global type, unless that has been done.
    fn ensure(&mut self, id: TypeId) -> Result<(), SchemaError> {
        let Some(state) = self.states.get_mut(&id) else {
            return Ok(());
        };
        let node = match std::mem::replace(state, State::Building) {
            State::Waiting(node) => node,
            State::Ready => {
                *state = State::Ready;
                return Ok(());
            }
            State::Building => {
                let circle = SchemaError::new(0, "a type derived from itself", "no circle");
                return Err(circle);
            }
        };
        let kind = self.deeper(node, |compiler| {
            if *node.name == *"simpleType" {
                node.allow(&["name", "final"])?;
                compiler.simple_type(node).map(Type::Simple)
            } else {
                compiler.complex_type(node, id).map(Type::Complex)
            }
        })?;
        self.types[id.0] = Some(kind);
        self.states.insert(id, State::Ready);
        Ok(())
    }

    /// Compiles a type inside of another declaration.
    fn anonymous(&mut self, node: &'n Node) -> Result<TypeId, SchemaError> {
        let id = self.reserve();
        let kind = self.deeper(node, |compiler| {
            if *node.name == *"simpleType" {
                node.allow(&[])?;
                compiler.simple_type(node).map(Type::Simple)
            } else {
                node.allow(&["mixed"])?;
                compiler.complex_type(node, id).map(Type::Complex)
            }
        })?;
        self.types[id.0] = Some(kind);
        Ok(id)
    }

    /// A compiled type; one that is still being compiled is no base for another.
    fn ready(&mut self, id: TypeId, node: &Node) -> Result<&Type, SchemaError> {
        self.ensure(id)?;
        let kind = self.types.get(id.0).and_then(Option::as_ref);
        kind.ok_or_else(|| node.error("a type derived from itself", "no circle"))
    }
}

/// All elements that stand for another, directly or by others.
fn substitutes(
    schema: &Schema,
    heads: &[(ElementId, ElementId)],
) -> Result<HashMap<ElementId, Vec<ElementId>>, String> {
    let direct: HashMap<ElementId, ElementId> = heads
        .iter()
        .map(|(head, member)| (*member, *head))
        .collect();
    let mut all: HashMap<ElementId, Vec<ElementId>> = HashMap::new();
    for (first_head, member) in heads {
        let mut head = Some(*first_head);
        let mut steps = 0;
        while let Some(found) = head {
            let (element, of) = (schema.element(*member), schema.element(found));
            if !schema.is_derived(element.kind, of.kind) {
                return Err(format!("{} for {}", element.name, of.name));
            }
            all.entry(found).or_default().push(*member);
            steps += 1;
            if steps > heads.len() {
                return Err(format!("{} for itself", element.name));
            }
            head = direct.get(&found).copied();
        }
    }
    Ok(all)
}
