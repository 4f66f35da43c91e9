//! Checks a document against a schema in one pass, without recursion.

use std::collections::HashSet;

use crate::events::{Events, Item, Start};
use crate::name::{Name, XSI};
use crate::program::{Leaf, Ways};
use crate::schema::{
    Complex, Constraint, Content, ElementId, Process, Schema, Type, TypeId, Wildcard,
};
use crate::simple::{Mark, normalized};
use crate::{DEPTH_MAX, Invalid, MARKS_MAX};

/// Checks a document.
pub(crate) fn check(schema: &Schema, document: &str) -> Result<(), Invalid> {
    let mut events = Events::new(document, DEPTH_MAX);
    let mut checker = Checker {
        schema,
        open: Vec::new(),
        ids: HashSet::new(),
        references: Vec::new(),
    };
    loop {
        let item = events.next().map_err(|found| Invalid::Malformed {
            position: events.position(),
            found,
        })?;
        let step = match item {
            Item::Start(start) => checker.begin(&start, &events),
            Item::Text(text) => checker.text(&text),
            Item::End => checker.end(),
            Item::Done => {
                return checker.finish().map_err(|found| Invalid::Unfit {
                    position: events.position(),
                    found,
                });
            }
        };
        step.map_err(|found| Invalid::Unfit {
            position: events.position(),
            found,
        })?;
    }
}

struct Checker<'s> {
    schema: &'s Schema,
    open: Vec<Open<'s>>,
    ids: HashSet<String>,
    references: Vec<String>,
}

/// An element that is open.
struct Open<'s> {
    name: Name,
    content: State<'s>,
    text: String,
    is_mixed: bool,
    is_nil: bool,
    has_children: bool,
    constraint: Option<&'s Constraint>,
}

/// What may still come in an element.
enum State<'s> {
    /// Nothing is checked.
    Unchecked,
    /// What is known is checked.
    Lax,
    Empty,
    Simple(TypeId),
    Ordered(&'s crate::program::Program, Ways),
    Unordered(&'s [(ElementId, bool)], Vec<bool>, bool),
}

/// How an element is checked.
enum Assessment {
    By(ElementId),
    Lax,
    Unchecked,
}

impl<'s> Checker<'s> {
    fn begin(&mut self, start: &Start, events: &Events<'_>) -> Result<(), String> {
        let opened = match self.assess(&start.name)? {
            Assessment::Unchecked => Self::unchecked(start, State::Unchecked),
            Assessment::By(id) => self.declared(id, start, events)?,
            Assessment::Lax => match self.type_in_document(start, events)? {
                Some(kind) => self.typed(kind, None, false, start)?,
                None => Self::unchecked(start, State::Lax),
            },
        };
        self.open.push(opened);
        Ok(())
    }

    fn unchecked(start: &Start, content: State<'s>) -> Open<'s> {
        Open {
            name: start.name.clone(),
            content,
            text: String::new(),
            is_mixed: true,
            is_nil: false,
            has_children: false,
            constraint: None,
        }
    }

    /// Finds how an element is checked, and moves on in its parent.
    fn assess(&mut self, name: &Name) -> Result<Assessment, String> {
        let schema = self.schema;
        let known = |name: &Name| schema.globals.get(name).copied();
        let Some(parent) = self.open.last_mut() else {
            let found = known(name).map(Assessment::By);
            return found.ok_or_else(|| format!("the root {name}: no such element in the schema"));
        };
        parent.has_children = true;
        if parent.is_nil {
            return Err(format!("{name} in {}: xsi:nil is true", parent.name));
        }
        match &mut parent.content {
            State::Unchecked => Ok(Assessment::Unchecked),
            State::Lax => Ok(known(name).map_or(Assessment::Lax, Assessment::By)),
            State::Empty => Err(format!("{name} in {}: no elements", parent.name)),
            State::Simple(_) => Err(format!("{name} in {}: text alone", parent.name)),
            State::Ordered(program, ways) => {
                let (next, leaf) = program
                    .read(ways, name, schema)
                    .map_err(|expected| format!("{name} in {}: {expected}", parent.name))?;
                *ways = next;
                match leaf {
                    Leaf::Element(id) => Ok(Assessment::By(id)),
                    Leaf::Any(wildcard) => by_wildcard(&wildcard, known(name), name),
                }
            }
            State::Unordered(elements, seen, _) => {
                let found = elements.iter().enumerate().find_map(|(index, (id, _))| {
                    let standing = schema.standing_for(*id, name)?;
                    Some((index, standing))
                });
                match found {
                    Some((index, id)) if !seen[index] => {
                        seen[index] = true;
                        Ok(Assessment::By(id))
                    }
                    Some(_) => Err(format!("{name} in {}: at most once", parent.name)),
                    None => Err(format!("{name} in {}: no such element", parent.name)),
                }
            }
        }
    }

    fn declared(
        &mut self,
        id: ElementId,
        start: &Start,
        events: &Events<'_>,
    ) -> Result<Open<'s>, String> {
        let element = self.schema.element(id);
        if element.is_abstract {
            return Err(format!("{}: the element is abstract", start.name));
        }
        let mut kind = element.kind;
        if let Some(named) = self.type_in_document(start, events)? {
            if !self.schema.is_derived(named, kind) {
                return Err(format!(
                    "{}: xsi:type is not derived from its type",
                    start.name
                ));
            }
            kind = named;
        }
        let is_nil = match instance_attribute(start, "nil").map(str::trim) {
            None | Some("false" | "0") => false,
            Some("true" | "1") if element.is_nillable => true,
            Some(_) => return Err(format!("{}: xsi:nil", start.name)),
        };
        self.typed(kind, element.constraint.as_ref(), is_nil, start)
    }

    /// The type that an element names itself.
    fn type_in_document(
        &self,
        start: &Start,
        events: &Events<'_>,
    ) -> Result<Option<TypeId>, String> {
        let Some(qualified) = instance_attribute(start, "type") else {
            return Ok(None);
        };
        let found = events
            .expand(qualified.trim())
            .and_then(|name| self.schema.type_names.get(&name).copied());
        found
            .map(Some)
            .ok_or_else(|| format!("{}: xsi:type names no type of the schema", start.name))
    }

    fn typed(
        &mut self,
        kind: TypeId,
        constraint: Option<&'s Constraint>,
        is_nil: bool,
        start: &Start,
    ) -> Result<Open<'s>, String> {
        let schema = self.schema;
        let mut is_mixed = false;
        let content = match schema.kind(kind) {
            Type::Simple(_) => {
                let other = start.attributes.iter().find(|(name, _)| !name.is_in(XSI));
                if let Some((name, _)) = other {
                    return Err(format!("{}: no attribute {name}", start.name));
                }
                State::Simple(kind)
            }
            Type::Complex(complex) => {
                if complex.is_abstract {
                    return Err(format!("{}: its type is abstract", start.name));
                }
                self.attributes(complex, start)?;
                is_mixed = complex.is_mixed;
                match &complex.content {
                    Content::Empty => State::Empty,
                    Content::Simple(id) => State::Simple(*id),
                    Content::Ordered(program) => State::Ordered(program, program.begin()),
                    Content::Unordered(elements, may_be_empty) => {
                        State::Unordered(elements, vec![false; elements.len()], *may_be_empty)
                    }
                    Content::Anything => State::Lax,
                }
            }
        };
        Ok(Open {
            name: start.name.clone(),
            content,
            text: String::new(),
            is_mixed,
            is_nil,
            has_children: false,
            constraint,
        })
    }

    fn attributes(&mut self, complex: &Complex, start: &Start) -> Result<(), String> {
        for (name, value) in &start.attributes {
            if name.is_in(XSI) {
                continue;
            }
            let known = complex.attributes.iter().find(|known| known.name == *name);
            let attribute = match (known, &complex.any_attribute) {
                (Some(known), _) => Some(&known.attribute),
                (None, Some(wildcard)) if wildcard.admits(name) => {
                    let global = self.schema.attributes.get(name);
                    match (wildcard.process, global) {
                        (Process::Strict, None) => {
                            return Err(format!("{}: attribute {name} is unknown", start.name));
                        }
                        (Process::Skip, _) => None,
                        (_, global) => global,
                    }
                }
                _ => return Err(format!("{}: no attribute {name}", start.name)),
            };
            if let Some(attribute) = attribute {
                let fixed = attribute.fixed.as_deref();
                self.value(attribute.kind, value, fixed)
                    .map_err(|found| format!("{} attribute {name}: {found}", start.name))?;
            }
        }
        let missing = complex.attributes.iter().find(|known| {
            let has = |(name, _): &(Name, String)| *name == known.name;
            known.is_required && !start.attributes.iter().any(has)
        });
        match missing {
            Some(missing) => Err(format!("{}: no attribute {}", start.name, missing.name)),
            None => Ok(()),
        }
    }

    /// Checks a value, and that it is the fixed one.
    fn value(&mut self, kind: TypeId, text: &str, fixed: Option<&str>) -> Result<(), String> {
        let value = self.schema.check_value(kind, text)?;
        if let Some(fixed) = fixed {
            let fixed = normalized(fixed, self.schema.white_space(kind));
            if !self.schema.are_equal(kind, &fixed, &value.text) {
                return Err(format!("{fixed:?} alone"));
            }
        }
        for mark in value.marks {
            if self.ids.len() + self.references.len() >= MARKS_MAX {
                return Err("too many ID and IDREF".to_owned());
            }
            match mark {
                Mark::Id(id) => {
                    if !self.ids.insert(id.clone()) {
                        return Err(format!("the ID {id} twice"));
                    }
                }
                Mark::IdRef(id) => self.references.push(id),
            }
        }
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), String> {
        // There is always one: text outside of the root is no XML.
        let Some(element) = self.open.last_mut() else {
            return Ok(());
        };
        let is_blank = text.trim_matches([' ', '\t', '\r', '\n']).is_empty();
        if element.is_nil && !text.is_empty() {
            return Err(format!("text in {}: xsi:nil is true", element.name));
        }
        match element.content {
            State::Simple(_) => element.text.push_str(text),
            State::Unchecked | State::Lax => {}
            _ if element.is_mixed => {
                if element.constraint.is_some() {
                    element.text.push_str(text);
                }
            }
            State::Empty if !text.is_empty() => {
                return Err(format!("text in {}: nothing", element.name));
            }
            _ if is_blank => {}
            _ => return Err(format!("text in {}: elements alone", element.name)),
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), String> {
        let Some(element) = self.open.pop() else {
            return Ok(());
        };
        if element.is_nil {
            return Ok(());
        }
        let name = &element.name;
        match &element.content {
            State::Simple(kind) => {
                let (text, fixed) = match element.constraint {
                    Some(Constraint::Default(text)) if element.text.is_empty() => (text, None),
                    Some(Constraint::Fixed(text)) if element.text.is_empty() => (text, None),
                    Some(Constraint::Fixed(fixed)) => (&element.text, Some(fixed.as_str())),
                    _ => (&element.text, None),
                };
                self.value(*kind, text, fixed)
                    .map_err(|found| format!("{name}: {found}"))
            }
            State::Ordered(program, ways) if !ways.may_end => {
                let expected = program.expected(ways, self.schema);
                Err(format!("the end of {name}: {expected}"))
            }
            State::Unordered(elements, seen, may_be_empty) => {
                if *may_be_empty && !seen.contains(&true) {
                    return Ok(());
                }
                let mut missing = elements
                    .iter()
                    .zip(seen)
                    .filter(|((_, required), seen)| *required && !**seen);
                match missing.next() {
                    Some(((id, _), _)) => {
                        let missing = &self.schema.element(*id).name;
                        Err(format!("the end of {name}: {missing}"))
                    }
                    None => Ok(()),
                }
            }
            _ => match element.constraint {
                Some(Constraint::Fixed(fixed))
                    if !element.text.is_empty()
                        && (element.has_children || element.text != *fixed) =>
                {
                    Err(format!("{name}: {fixed:?} alone"))
                }
                _ => Ok(()),
            },
        }
    }

    fn finish(&self) -> Result<(), String> {
        let lost = self.references.iter().find(|id| !self.ids.contains(*id));
        match lost {
            Some(id) => Err(format!("the IDREF {id}: an ID of the document")),
            None => Ok(()),
        }
    }
}

fn by_wildcard(
    wildcard: &Wildcard,
    known: Option<ElementId>,
    name: &Name,
) -> Result<Assessment, String> {
    match (wildcard.process, known) {
        (Process::Skip, _) => Ok(Assessment::Unchecked),
        (_, Some(id)) => Ok(Assessment::By(id)),
        (Process::Lax, None) => Ok(Assessment::Lax),
        (Process::Strict, None) => Err(format!("{name}: no such element in the schema")),
    }
}

/// An attribute that documents carry for their check.
fn instance_attribute<'a>(start: &'a Start, local: &str) -> Option<&'a str> {
    let found = start
        .attributes
        .iter()
        .find(|(name, _)| name.is_in(XSI) && *name.local == *local);
    found.map(|(_, value)| value.as_str())
}

impl Schema {
    /// Whether a value that a declaration names is one of its type.
    pub(crate) fn check_constraint(&self, kind: TypeId, text: &str) -> Result<(), String> {
        let kind = match self.kind(kind) {
            Type::Simple(_) => kind,
            Type::Complex(complex) => match complex.content {
                Content::Simple(kind) => kind,
                _ if complex.is_mixed => return Ok(()),
                _ => return Err(format!("{text:?} for an element without text")),
            },
        };
        self.check_value(kind, text).map(drop)
    }

    /// Checks the values that facets name against the types they narrow, and handles their white space.
    pub(crate) fn settle_enumerations(&mut self) -> Result<(), String> {
        for index in 0..self.types.len() {
            let settled = match &self.types[index] {
                Type::Simple(simple) => {
                    let base = simple.base.unwrap_or(TypeId(index));
                    let texts = simple.facets.enumeration.iter();
                    let texts = texts.map(|text| Ok(self.check_value(base, text)?.text));
                    texts.collect::<Result<Vec<_>, String>>()?
                }
                Type::Complex(_) => continue,
            };
            if let Type::Simple(simple) = &mut self.types[index] {
                simple.facets.enumeration = settled;
            }
        }
        Ok(())
    }
}
