//! What a GraphQL query costs: one for the operation and one for each field; what stands below a field with
//! `first`, `last` or `limit` costs so many times.
//!
//! Fragments cost what they contain, each time they are spread. Costs saturate, so that a query of nested
//! fragments is expensive and not slow. The parser bounds the nesting.

use std::collections::HashMap;

use graphql_parser::parse_query;
use graphql_parser::query::{
    Definition, Document, Field, FragmentDefinition, OperationDefinition, Selection, SelectionSet,
    Value, VariableDefinition,
};
use thiserror::Error;

/// Arguments that say how many things a field gives.
const MULTIPLIERS: [&str; 3] = ["first", "last", "limit"];

/// Longest query in bytes.
const QUERY_BYTES_MAX: usize = 256 * 1024;

/// Why a query has no cost.
#[derive(Debug, Error, PartialEq, Eq)]
pub(super) enum CostError {
    #[error("the query is longer than {QUERY_BYTES_MAX} bytes")]
    TooLong,
    #[error("not a GraphQL query: {0}")]
    Syntax(String),
    #[error("no operation is named {0:?}")]
    UnknownOperation(String),
    #[error("the document has no operation")]
    NoOperation,
    #[error("no fragment is named {0:?}")]
    UnknownFragment(String),
    #[error("the fragment {0:?} contains itself")]
    Cycle(String),
}

/// A query as it came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Query<'q> {
    pub(super) text: &'q str,
    pub(super) operation: Option<&'q str>,
    pub(super) variables: Option<&'q serde_json::Value>,
}

/// Returns what a query costs. Without the name of an operation the most expensive one counts.
pub(super) fn cost(query: Query<'_>) -> Result<u64, CostError> {
    if query.text.len() > QUERY_BYTES_MAX {
        return Err(CostError::TooLong);
    }
    let document: Document<'_, &str> =
        parse_query(query.text).map_err(|error| CostError::Syntax(error.to_string()))?;
    let mut fragments = HashMap::new();
    for definition in &document.definitions {
        if let Definition::Fragment(fragment) = definition {
            fragments.insert(fragment.name, Fragment::Unknown(fragment));
        }
    }
    let mut most = None;
    for definition in &document.definitions {
        let Definition::Operation(operation) = definition else {
            continue;
        };
        let (name, defaults, selections) = parts(operation);
        if query.operation.is_some() && query.operation != name {
            continue;
        }
        let mut walk = Walk {
            variables: query.variables,
            defaults,
            // A fragment costs something else with the defaults of another operation.
            fragments: fragments.clone(),
        };
        let cost = walk.set(selections)?.saturating_add(1);
        most = most.max(Some(cost));
    }
    most.ok_or_else(|| match query.operation {
        Some(name) => CostError::UnknownOperation(name.to_owned()),
        None => CostError::NoOperation,
    })
}

type Parts<'d, 'q> = (
    Option<&'q str>,
    &'d [VariableDefinition<'q, &'q str>],
    &'d SelectionSet<'q, &'q str>,
);

fn parts<'d, 'q>(operation: &'d OperationDefinition<'q, &'q str>) -> Parts<'d, 'q> {
    match operation {
        OperationDefinition::SelectionSet(set) => (None, &[], set),
        OperationDefinition::Query(it) => (it.name, &it.variable_definitions, &it.selection_set),
        OperationDefinition::Mutation(it) => (it.name, &it.variable_definitions, &it.selection_set),
        OperationDefinition::Subscription(it) => {
            (it.name, &it.variable_definitions, &it.selection_set)
        }
    }
}

#[derive(Clone, Copy)]
enum Fragment<'d, 'q> {
    Unknown(&'d FragmentDefinition<'q, &'q str>),
    Open,
    Known(u64),
}

struct Walk<'d, 'q> {
    variables: Option<&'d serde_json::Value>,
    defaults: &'d [VariableDefinition<'q, &'q str>],
    fragments: HashMap<&'q str, Fragment<'d, 'q>>,
}

impl<'q> Walk<'_, 'q> {
    fn set(&mut self, set: &SelectionSet<'q, &'q str>) -> Result<u64, CostError> {
        let mut total: u64 = 0;
        for selection in &set.items {
            let cost = match selection {
                Selection::Field(field) => self.field(field)?,
                Selection::InlineFragment(fragment) => self.set(&fragment.selection_set)?,
                Selection::FragmentSpread(spread) => self.fragment(spread.fragment_name)?,
            };
            total = total.saturating_add(cost);
        }
        Ok(total)
    }

    fn field(&mut self, field: &Field<'q, &'q str>) -> Result<u64, CostError> {
        let below = self.set(&field.selection_set)?;
        let times = field
            .arguments
            .iter()
            .filter(|(name, _)| MULTIPLIERS.contains(name))
            .filter_map(|(_, value)| self.number(value))
            .max()
            .unwrap_or(1);
        Ok(below.saturating_mul(times).saturating_add(1))
    }

    fn fragment(&mut self, name: &'q str) -> Result<u64, CostError> {
        match self.fragments.get(name).copied() {
            None => Err(CostError::UnknownFragment(name.to_owned())),
            Some(Fragment::Known(cost)) => Ok(cost),
            Some(Fragment::Open) => Err(CostError::Cycle(name.to_owned())),
            Some(Fragment::Unknown(fragment)) => {
                self.fragments.insert(name, Fragment::Open);
                let cost = self.set(&fragment.selection_set)?;
                self.fragments.insert(name, Fragment::Known(cost));
                Ok(cost)
            }
        }
    }

    /// The number of an argument, looked up if it is a variable; what is no number does not count.
    fn number(&self, value: &Value<'q, &'q str>) -> Option<u64> {
        match value {
            Value::Int(number) => positive(number.as_i64()?),
            Value::Variable(name) => {
                let given = self.variables.and_then(|variables| variables.get(*name));
                if let Some(given) = given {
                    return positive(given.as_i64()?);
                }
                let defined = self.defaults.iter().find(|known| known.name == *name)?;
                match defined.default_value.as_ref()? {
                    Value::Int(number) => positive(number.as_i64()?),
                    _ => None,
                }
            }
            _ => None,
        }
    }
}

fn positive(number: i64) -> Option<u64> {
    u64::try_from(number).ok()
}
