//! Query parameters in order, raw: values are neither decoded on reading nor encoded on writing.
//!
//! `&` and `;` separate parameters; a name without `=` has no value, which differs from an empty one.
//! A query that nobody changes is sent as it was received.

use std::cell::OnceCell;

use tidegate_expression::Text;

/// What separates parameters.
const SEPARATORS: [char; 2] = ['&', ';'];

/// The query of a request.
#[derive(Debug, Default)]
pub struct Query {
    raw: Option<Text>,
    parameters: OnceCell<Vec<QueryParameter>>,
    is_changed: bool,
}

/// One parameter as it stands in the query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryParameter {
    /// Name, raw.
    pub name: Text,
    /// Value, raw; `None` if there was no `=`.
    pub value: Option<Text>,
}

impl Query {
    /// Keeps the text after `?`; it is parsed when first asked for.
    #[must_use]
    pub fn new(raw: Option<&str>) -> Self {
        Self {
            raw: raw.map(Text::from),
            parameters: OnceCell::new(),
            is_changed: false,
        }
    }

    /// Returns the parameters in order.
    #[must_use]
    pub fn parameters(&self) -> &[QueryParameter] {
        self.parameters.get_or_init(|| self.received())
    }

    /// Walks the values of `name`; a parameter without `=` gives `None`.
    pub fn values<'q>(&'q self, name: &'q str) -> impl Iterator<Item = Option<&'q Text>> {
        self.parameters()
            .iter()
            .filter(move |parameter| parameter.name.as_str() == name)
            .map(|parameter| parameter.value.as_ref())
    }

    /// Returns the first value of `name`.
    #[must_use]
    pub fn first(&self, name: &str) -> Option<&str> {
        self.parameters().iter().find_map(|known| {
            known
                .value
                .as_deref()
                .filter(|_| known.name.as_str() == name)
        })
    }

    /// Replaces all values of `name` by one, in the place of the first.
    pub fn set(&mut self, name: &Text, value: Option<Text>) {
        let parameter = QueryParameter {
            name: name.clone(),
            value,
        };
        let parameters = self.change();
        match parameters.iter().position(|known| known.name == *name) {
            Some(position) => {
                parameters[position] = parameter;
                let mut index = 0;
                parameters.retain(|known| {
                    index += 1;
                    index - 1 <= position || known.name != *name
                });
            }
            None => parameters.push(parameter),
        }
    }

    /// Adds a parameter at the end.
    pub fn append(&mut self, name: Text, value: Option<Text>) {
        self.change().push(QueryParameter { name, value });
    }

    /// Removes all values of `name`; tells whether there was one.
    pub fn remove(&mut self, name: &str) -> bool {
        if self.values(name).next().is_none() {
            return false;
        }
        self.change().retain(|known| known.name.as_str() != name);
        true
    }

    /// Reads the query again as it was received, with `&` as the only separator; changes made since are lost.
    pub fn reread_without_semicolons(&mut self) {
        let parameters = self.raw.as_deref().map(|raw| parse(raw, &['&']));
        self.parameters = OnceCell::from(parameters.unwrap_or_default());
        self.is_changed = false;
    }

    /// Removes all parameters.
    pub fn clear(&mut self) {
        self.change().clear();
    }

    /// Returns the text to send after `?`, or `None` if there is no query.
    #[must_use]
    pub fn to_text(&self) -> Option<Text> {
        if !self.is_changed {
            return self.raw.clone();
        }
        let parameters = self.parameters();
        if parameters.is_empty() {
            return None;
        }
        let mut text = String::new();
        for parameter in parameters {
            if !text.is_empty() {
                text.push('&');
            }
            text.push_str(&parameter.name);
            if let Some(value) = &parameter.value {
                text.push('=');
                text.push_str(value);
            }
        }
        Some(text.into())
    }

    fn received(&self) -> Vec<QueryParameter> {
        let raw = self.raw.as_deref();
        raw.map(|raw| parse(raw, &SEPARATORS)).unwrap_or_default()
    }

    fn change(&mut self) -> &mut Vec<QueryParameter> {
        self.is_changed = true;
        let parameters = self.parameters.take().unwrap_or_else(|| self.received());
        self.parameters = OnceCell::from(parameters);
        #[expect(clippy::expect_used, reason = "the line above fills the cell")]
        self.parameters.get_mut().expect("a filled cell")
    }
}

fn parse(raw: &str, separators: &[char]) -> Vec<QueryParameter> {
    raw.split(separators)
        .filter(|part| !part.is_empty())
        .map(|part| match part.split_once('=') {
            Some((name, value)) => QueryParameter {
                name: Text::from(name),
                value: Some(Text::from(value)),
            },
            None => QueryParameter {
                name: Text::from(part),
                value: None,
            },
        })
        .collect()
}
