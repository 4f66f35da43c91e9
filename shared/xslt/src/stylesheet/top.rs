//! What stands directly below the root element of a stylesheet.

use std::collections::BTreeMap;

use super::compile::{Compiler, XSLT};
use super::instructions::expanded;
use super::{Body, Global, Key, Method, OutputRules, Rule, SpaceRule, Stylesheet, Template};
use crate::error::CompileError;
use crate::number::Signs;
use crate::tree::{self, Kind, Name, Str};
use crate::xpath;

/// Longest text of a stylesheet, in bytes.
const SOURCE_BYTES_MAX: usize = 1024 * 1024;
/// Elements of the top that are read and without effect.
const IGNORED: &[&str] = &["fallback"];

type Compiled<T> = Result<T, CompileError>;

pub(super) fn compile(text: &str) -> Compiled<Stylesheet> {
    let whole = |reason: String| CompileError::new("stylesheet", reason);
    if text.len() > SOURCE_BYTES_MAX {
        return Err(whole(format!("more than {SOURCE_BYTES_MAX} bytes")));
    }
    // Blanks between instructions mean nothing, those in xsl:text do.
    let document = tree::parse(text, &|parent| parent.is(XSLT, "text")).map_err(whole)?;
    let root = document
        .children(0)
        .find(|child| document.name(*child).is_some());
    let root = root.ok_or_else(|| whole("there is no element".to_owned()))?;
    let mut compiler = Compiler {
        document,
        named: BTreeMap::new(),
        attribute_sets: BTreeMap::new(),
        excluded: Vec::new(),
    };
    let mut stylesheet = Stylesheet {
        templates: Vec::new(),
        rules: BTreeMap::new(),
        named: BTreeMap::new(),
        globals: Vec::new(),
        keys: Vec::new(),
        output: OutputRules::default(),
        spaces: Vec::new(),
        formats: BTreeMap::new(),
    };
    match compiler.xslt_name(root) {
        Some("stylesheet" | "transform") => {
            compiler.prepare(root)?;
            let children: Vec<u32> = compiler.document.children(root).collect();
            for child in children {
                compiler.top(child, &mut stylesheet)?;
            }
        }
        Some(_) => return Err(compiler.error(root, "expected xsl:stylesheet or xsl:transform")),
        None => compiler.simplified(root, &mut stylesheet)?,
    }
    for rules in stylesheet.rules.values_mut() {
        // Of equal priorities the last one is taken.
        rules.reverse();
        rules.sort_by(|left, right| right.priority.total_cmp(&left.priority));
    }
    stylesheet.named = compiler.named;
    Ok(stylesheet)
}

impl Compiler {
    /// Learns the names that bodies refer to.
    fn prepare(&mut self, root: u32) -> Compiled<()> {
        self.allow(
            root,
            &[
                "version",
                "id",
                "exclude-result-prefixes",
                "extension-element-prefixes",
            ],
        )?;
        self.required(root, "version")?;
        for name in ["exclude-result-prefixes", "extension-element-prefixes"] {
            let prefixes = self
                .attribute(root, name)
                .map(ToString::to_string)
                .unwrap_or_default();
            for prefix in prefixes.split_whitespace() {
                let prefix = if prefix == "#default" { "" } else { prefix };
                self.excluded.push(Str::from(prefix));
            }
        }
        let children: Vec<u32> = self.document.children(root).collect();
        let mut templates = 0;
        for child in children {
            match self.xslt_name(child) {
                Some("template") => {
                    if self.attribute(child, "name").is_some() {
                        let name = expanded(&self.qualified(child, "name")?);
                        if self.named.insert(name, templates).is_some() {
                            let reason = "another template has this name";
                            return Err(self.attribute_error(child, "name", reason));
                        }
                    }
                    templates += 1;
                }
                Some("attribute-set") => {
                    self.allow(child, &["name", "use-attribute-sets"])?;
                    let name = self.required(child, "name")?.to_string();
                    self.attribute_sets.entry(name).or_default().push(child);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn top(&self, node: u32, stylesheet: &mut Stylesheet) -> Compiled<()> {
        let Some(local) = self.xslt_name(node) else {
            return match self.document.node(node).map(|found| &found.kind) {
                Some(Kind::Text { .. }) => Err(CompileError::new("stylesheet", "text at the top")),
                Some(Kind::Element { name, .. }) if name.uri.is_empty() => {
                    Err(self.error(node, "an element without namespace at the top"))
                }
                // Data of other namespaces, comments.
                _ => Ok(()),
            };
        };
        match local {
            "template" => self.template_rule(node, stylesheet)?,
            "variable" | "param" => stylesheet.globals.push(Global {
                binding: self.binding(node)?,
                is_parameter: local == "param",
            }),
            "key" => {
                self.allow(node, &["name", "match", "use"])?;
                stylesheet.keys.push(Key {
                    name: self.required(node, "name")?.to_string(),
                    patterns: self.patterns(node, "match")?,
                    value: self.expression(node, "use")?,
                });
            }
            "output" => self.output(node, &mut stylesheet.output)?,
            "strip-space" | "preserve-space" => {
                self.spaces(node, local == "strip-space", &mut stylesheet.spaces)?;
            }
            "decimal-format" => self.decimal_format(node, stylesheet)?,
            "attribute-set" => {}
            "import" | "include" => {
                return Err(self.error(node, "it is not supported: nothing is fetched"));
            }
            ignored if IGNORED.contains(&ignored) => {}
            _ => return Err(self.error(node, "this element is not supported")),
        }
        Ok(())
    }

    fn template_rule(&self, node: u32, stylesheet: &mut Stylesheet) -> Compiled<()> {
        self.allow(node, &["match", "name", "priority", "mode"])?;
        let template = stylesheet.templates.len();
        let has_match = self.attribute(node, "match").is_some();
        if !has_match && self.attribute(node, "name").is_none() {
            return Err(self.error(node, "it has neither match nor name"));
        }
        if has_match {
            let said = self
                .attribute(node, "priority")
                .map(|text| text.trim().parse::<f64>());
            let said = said
                .transpose()
                .map_err(|_invalid| self.attribute_error(node, "priority", "expected a number"))?;
            let rules = stylesheet.rules.entry(self.mode(node)?).or_default();
            for pattern in self.patterns(node, "match")? {
                rules.push(Rule {
                    priority: said.unwrap_or_else(|| pattern.priority()),
                    pattern,
                    template,
                });
            }
        }
        let mut parameters = Vec::new();
        let mut rest = Vec::new();
        for child in self.document.children(node) {
            if self.xslt_name(child) == Some("param") && rest.is_empty() {
                parameters.push(self.binding(child)?);
            } else {
                rest.push(child);
            }
        }
        let body = self.body_of(rest.into_iter())?;
        stylesheet.templates.push(Template { parameters, body });
        Ok(())
    }

    /// A literal result element as the whole stylesheet (§2.3).
    fn simplified(&mut self, root: u32, stylesheet: &mut Stylesheet) -> Compiled<()> {
        let has_version = self.document.attributes(root).any(|index| {
            self.document
                .name(index)
                .is_some_and(|name| name.is(XSLT, "version"))
        });
        if !has_version {
            let reason = "expected xsl:stylesheet, or an element with xsl:version";
            return Err(self.error(root, reason));
        }
        let body: Body = self.body_of(std::iter::once(root))?;
        let patterns = super::Pattern::compile("/", &[]);
        let patterns = patterns.map_err(|reason| self.error(root, reason))?;
        let rules = patterns.into_iter().map(|pattern| Rule {
            pattern,
            priority: 0.5,
            template: 0,
        });
        stylesheet.rules.insert(String::new(), rules.collect());
        let parameters = Vec::new();
        stylesheet.templates.push(Template { parameters, body });
        Ok(())
    }

    fn output(&self, node: u32, output: &mut OutputRules) -> Compiled<()> {
        self.allow(
            node,
            &[
                "method",
                "version",
                "encoding",
                "omit-xml-declaration",
                "standalone",
                "doctype-public",
                "doctype-system",
                "cdata-section-elements",
                "indent",
                "media-type",
            ],
        )?;
        let text = |name: &str| self.attribute(node, name).map(ToString::to_string);
        match text("method").as_deref() {
            None => {}
            Some("xml") => output.method = Some(Method::Xml),
            Some("html") => output.method = Some(Method::Html),
            Some("text") => output.method = Some(Method::Text),
            Some(_) => {
                return Err(self.attribute_error(node, "method", "expected xml, html or text"));
            }
        }
        if let Some(encoding) = text("encoding")
            && !["utf-8", "utf8", "us-ascii"].contains(&encoding.to_ascii_lowercase().as_str())
        {
            let reason = "only UTF-8 is written";
            return Err(self.attribute_error(node, "encoding", reason));
        }
        if self.attribute(node, "standalone").is_some() {
            output.standalone = Some(self.flag(node, "standalone")?);
        }
        if self.attribute(node, "indent").is_some() {
            output.indents = Some(self.flag(node, "indent")?);
        }
        output.omits_declaration |= self.flag(node, "omit-xml-declaration")?;
        for (name, member) in [
            ("doctype-public", &mut output.doctype_public),
            ("doctype-system", &mut output.doctype_system),
            ("media-type", &mut output.media_type),
        ] {
            if let Some(value) = text(name) {
                *member = Some(value);
            }
        }
        let scope = self.scope(node);
        for written in text("cdata-section-elements")
            .unwrap_or_default()
            .split_whitespace()
        {
            let mut name = xpath::qualified(written, &scope)
                .map_err(|reason| self.attribute_error(node, "cdata-section-elements", reason))?;
            // Unlike elsewhere, names here are in the default namespace.
            if name.prefix.is_empty()
                && let Some((_, uri)) = scope.iter().rev().find(|(prefix, _)| prefix.is_empty())
            {
                name.uri = Str::clone(uri);
            }
            output.cdata_elements.push(name);
        }
        Ok(())
    }

    fn spaces(&self, node: u32, strips: bool, rules: &mut Vec<SpaceRule>) -> Compiled<()> {
        self.allow(node, &["elements"])?;
        let scope = self.scope(node);
        let names = self.required(node, "elements")?.to_string();
        for written in names.split_whitespace() {
            let name = |written: &str| -> Compiled<Name> {
                xpath::qualified(written, &scope)
                    .map_err(|reason| self.attribute_error(node, "elements", reason))
            };
            let (uri, local) = if written == "*" {
                (None, None)
            } else if let Some(prefix) = written.strip_suffix(":*") {
                (Some(name(&format!("{prefix}:x"))?.uri), None)
            } else {
                let name = name(written)?;
                (Some(name.uri), Some(name.local))
            };
            rules.push(SpaceRule { uri, local, strips });
        }
        Ok(())
    }

    fn decimal_format(&self, node: u32, stylesheet: &mut Stylesheet) -> Compiled<()> {
        let mut signs = Signs::default();
        let sign = |name: &str, sign: &mut char| -> Compiled<()> {
            let Some(text) = self.attribute(node, name) else {
                return Ok(());
            };
            let mut characters = text.chars();
            match (characters.next(), characters.next()) {
                (Some(only), None) => *sign = only,
                _ => return Err(self.attribute_error(node, name, "expected one character")),
            }
            Ok(())
        };
        sign("decimal-separator", &mut signs.decimal)?;
        sign("grouping-separator", &mut signs.grouping)?;
        sign("percent", &mut signs.percent)?;
        sign("per-mille", &mut signs.per_mille)?;
        sign("zero-digit", &mut signs.zero)?;
        sign("digit", &mut signs.digit)?;
        sign("pattern-separator", &mut signs.separator)?;
        sign("minus-sign", &mut signs.minus)?;
        if let Some(text) = self.attribute(node, "infinity") {
            signs.infinity = text.to_string();
        }
        if let Some(text) = self.attribute(node, "NaN") {
            signs.nan = text.to_string();
        }
        let name = self
            .attribute(node, "name")
            .map(ToString::to_string)
            .unwrap_or_default();
        stylesheet.formats.insert(name, signs);
        Ok(())
    }
}
