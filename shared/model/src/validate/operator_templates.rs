//! Templates of the Gravitee Kubernetes operator: text such as ``[[ secret `name/key` ]]``, which the operator
//! replaces before a gateway sees the definition. Tidegate has no cluster to read from, so a document is kept with
//! them and cannot be deployed. Source: `gravitee-v4.md` §2.3.

use serde_json::Value;

use crate::{read::member_path, violation::Violation};

/// The functions of the operator's templates.
const FUNCTIONS: &[&str] = &["secret", "configmap"];
/// Most templates that are listed: the first ones say what is to be done with the others.
const TEMPLATES_MAX: usize = 50;

/// True if a text holds a template of the operator.
fn is_template(text: &str) -> bool {
    text.match_indices("[[").any(|(index, opening)| {
        let inside = text[index + opening.len()..].trim_start();
        let argument = FUNCTIONS
            .iter()
            .find_map(|function| inside.strip_prefix(function));
        argument.is_some_and(|argument| argument.trim_start().starts_with(['`', '"']))
    })
}

/// Lists the places of a canonical document that hold a template of the operator, at most 50, as reasons against its
/// deployment.
#[must_use]
pub fn operator_templates(document: &Value) -> Vec<Violation> {
    let mut found = Vec::new();
    walk(document, String::new(), &mut found);
    found
}

fn walk(value: &Value, path: String, found: &mut Vec<Violation>) {
    if found.len() >= TEMPLATES_MAX {
        return;
    }
    match value {
        Value::String(text) if is_template(text) => {
            let expected =
                "the value itself: templates of the Kubernetes operator are not resolved";
            found.push(Violation::new(path, format!("{text:?}"), expected));
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                walk(item, format!("{path}[{index}]"), found);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                walk(member, member_path(&path, name), found);
            }
        }
        _ => {}
    }
}

/// Whether a violation is about a place whose value a template stands for, or about what that place is part of:
/// nothing can be said of it before the value is known.
pub(super) fn is_unknown_yet(violation: &Violation, templates: &[Violation]) -> bool {
    templates.iter().any(|template| {
        let rest = template.path.strip_prefix(violation.path.as_str());
        !violation.path.is_empty()
            && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    })
}

#[cfg(test)]
mod tests {
    use super::is_template;

    #[test]
    fn only_calls_of_the_operators_functions_are_templates() {
        for text in [
            "[[ secret `name/key` ]]",
            "https://[[configmap `a/b`]]/x",
            "[[ x ]] [[ secret \"a/b\" ]]",
        ] {
            assert!(is_template(text), "{text}");
        }
        for text in [
            "[[1, 2]]",
            "[[ secrets ]]",
            "{#request.headers['a'][0]}",
            "[[",
            "",
        ] {
            assert!(!is_template(text), "{text}");
        }
    }
}
