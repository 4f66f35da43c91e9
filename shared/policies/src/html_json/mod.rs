//! `html-json`: makes a JSON object of texts in an HTML body.

mod config;
mod selector;
#[cfg(test)]
mod tests;
mod tree;

use bytes::Bytes;
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use serde_json::{Map, Value};
use tidegate_policy::{
    CompileContext, Compiled, ConfigError, Exchange, InlinePolicy, Outcome, Phase, PolicyKind,
};

pub use config::{HtmlJsonConfig, HtmlMember};

use crate::failures::internal_error;
use crate::half::Half;
use selector::{Document, Selector};
use tree::{Data, Tree};

/// Elements that stand on lines of their own, so that a blank is between their text and others'.
const BLOCKS: [&str; 45] = [
    "address",
    "article",
    "aside",
    "blockquote",
    "body",
    "br",
    "caption",
    "dd",
    "details",
    "div",
    "dl",
    "dt",
    "fieldset",
    "figcaption",
    "figure",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "head",
    "header",
    "hr",
    "html",
    "legend",
    "li",
    "main",
    "nav",
    "ol",
    "option",
    "p",
    "pre",
    "section",
    "summary",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
    "thead",
    "tr",
    "ul",
];

/// Elements whose content is no text for readers.
const HIDDEN: [&str; 3] = ["script", "style", "template"];

/// The kind of policy.
#[derive(Debug)]
pub struct HtmlJson;

impl PolicyKind for HtmlJson {
    const NAME: &'static str = "html-json";
    const PHASES: &'static [Phase] = &[Phase::Response];
    type Config = HtmlJsonConfig;

    fn compile(config: Self::Config, ctx: &CompileContext<'_>) -> Result<Compiled, ConfigError> {
        let members = config.selectors.iter().enumerate().map(|(index, member)| {
            let path = format!("selectors[{index}].selector");
            let selector = Selector::parse(&member.selector)
                .map_err(|found| ConfigError::new(path, found, "a CSS selector of level 3"))?;
            Ok(Member {
                name: member.json_name.clone(),
                selector,
                is_list: member.array == Some(true),
            })
        });
        let policy = Extraction(members.collect::<Result<_, ConfigError>>()?);
        Ok(Compiled::inline(policy, Half::needs_in(ctx.phase)))
    }
}

#[derive(Debug)]
struct Extraction(Box<[Member]>);

#[derive(Debug)]
struct Member {
    name: String,
    selector: Selector,
    is_list: bool,
}

impl Extraction {
    fn json(&self, text: &str) -> Result<Value, String> {
        let tree = Tree::parse(text)?;
        let document = Document::new(&tree);
        let mut work_left = WORK_MAX;
        let mut json = Map::new();
        for member in &self.0 {
            let mut texts = Vec::new();
            for id in document.find(&member.selector) {
                texts.push(text_of(&tree, id, &mut work_left)?);
            }
            let value = if member.is_list {
                texts.into()
            } else {
                texts.join(" ").into()
            };
            json.insert(member.name.clone(), value);
        }
        Ok(Value::Object(json))
    }
}

/// Most nodes and bytes looked at for all texts together: an element and those around it have the same text, so that
/// it may be asked for again and again.
const WORK_MAX: usize = 16 * 1024 * 1024;

/// The text of an element with everything in it, runs of white space as one blank.
fn text_of(tree: &Tree, id: usize, work_left: &mut usize) -> Result<String, String> {
    let mut text = String::new();
    let mut pending = vec![(id, false)];
    while let Some((id, is_left)) = pending.pop() {
        let node = &tree.0[id];
        let work = match &node.data {
            Data::Text(part) => part.len(),
            Data::Element(_) | Data::Other => 1,
        };
        *work_left = work_left.checked_sub(work).ok_or("too much text")?;
        match &node.data {
            Data::Text(part) => append(&mut text, part),
            Data::Element(element) => {
                if BLOCKS.binary_search(&element.name()).is_ok() && !text.ends_with(' ') {
                    text.push(' ');
                }
                if !is_left && !HIDDEN.contains(&element.name()) {
                    pending.push((id, true));
                    pending.extend(node.children.iter().rev().map(|child| (*child, false)));
                }
            }
            Data::Other => {}
        }
    }
    Ok(text.trim().to_owned())
}

fn append(text: &mut String, part: &str) {
    for character in part.chars() {
        if !character.is_ascii_whitespace() {
            text.push(character);
        } else if !text.ends_with(' ') {
            text.push(' ');
        }
    }
}

impl InlinePolicy for Extraction {
    fn on_response(&self, exchange: &mut Exchange) -> Outcome {
        let half = Half::Response;
        let text = half
            .body(exchange)
            .map(|body| String::from_utf8_lossy(body));
        match self.json(text.as_deref().unwrap_or_default()) {
            Ok(json) => {
                half.replace_body(exchange, Bytes::from(json.to_string()));
                let value = HeaderValue::from_static("application/json; charset=UTF-8");
                exchange.response.headers.set(CONTENT_TYPE, value);
                Outcome::Continue
            }
            Err(cause) => internal_error(cause),
        }
    }
}
