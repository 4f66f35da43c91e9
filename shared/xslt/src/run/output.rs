//! Writing a result as XML, HTML or text (XSLT 1.0 §16).

use super::{Outcome, Output};
use crate::error::TransformError;
use crate::stylesheet::{Method, OutputRules};
use crate::tree::{Declaration, Document, Kind, Name, Str};

/// Elements of HTML without content.
const VOID: &[&str] = &[
    "area", "base", "basefont", "br", "col", "embed", "frame", "hr", "img", "input", "isindex",
    "link", "meta", "param", "source", "track", "wbr",
];
/// Elements of HTML whose text is written as it is.
const RAW: &[&str] = &["script", "style"];

pub(super) fn write(document: &Document, rules: &OutputRules, bytes_max: usize) -> Outcome<Output> {
    let method = rules.method.unwrap_or_else(|| default_method(document));
    let mut writer = Writer {
        document,
        rules,
        method,
        out: String::new(),
        bytes_max,
        indents: rules.indents.unwrap_or(false) && method != Method::Text,
        made_prefixes: 0,
    };
    if method == Method::Text {
        writer.out = document.string_value(0);
        writer.check()?;
    } else {
        writer.prolog();
        let mut scope = vec![(
            Str::from("xml"),
            Str::from("http://www.w3.org/XML/1998/namespace"),
        )];
        for child in document.children(0) {
            writer.node(child, &mut scope, 0)?;
        }
    }
    let media_type = rules.media_type.clone().unwrap_or_else(|| {
        let default = match method {
            Method::Xml => "application/xml",
            Method::Html => "text/html",
            Method::Text => "text/plain",
        };
        default.to_owned()
    });
    Ok(Output {
        text: writer.out,
        media_type,
    })
}

/// HTML if the first thing is an element `html` without namespace.
fn default_method(document: &Document) -> Method {
    for child in document.children(0) {
        match document.node(child).map(|node| &node.kind) {
            Some(Kind::Text { text, .. }) if !text.trim().is_empty() => return Method::Xml,
            Some(Kind::Element { name, .. }) => {
                let is_html = name.uri.is_empty() && name.local.eq_ignore_ascii_case("html");
                return if is_html { Method::Html } else { Method::Xml };
            }
            _ => {}
        }
    }
    Method::Xml
}

struct Writer<'d> {
    document: &'d Document,
    rules: &'d OutputRules,
    method: Method,
    out: String,
    bytes_max: usize,
    indents: bool,
    made_prefixes: u32,
}

impl Writer<'_> {
    fn check(&self) -> Outcome<()> {
        if self.out.len() > self.bytes_max {
            return Err(TransformError::Limit("size of the result"));
        }
        Ok(())
    }

    fn prolog(&mut self) {
        if self.method == Method::Xml && !self.rules.omits_declaration {
            self.out
                .push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"");
            if let Some(standalone) = self.rules.standalone {
                let value = if standalone { "yes" } else { "no" };
                self.out.push_str(&format!(" standalone=\"{value}\""));
            }
            self.out.push_str("?>");
            if self.indents {
                self.out.push('\n');
            }
        }
        let (public, system) = (&self.rules.doctype_public, &self.rules.doctype_system);
        let root = self
            .document
            .children(0)
            .find_map(|child| self.document.name(child));
        let Some(root) = root.filter(|_| system.is_some() || public.is_some()) else {
            return;
        };
        let root = root.written();
        let quoted = |text: &str| format!("\"{}\"", text.replace('"', "&quot;"));
        let declaration = match (public, system) {
            (Some(public), Some(system)) => {
                format!(
                    "<!DOCTYPE {root} PUBLIC {} {}>",
                    quoted(public),
                    quoted(system)
                )
            }
            (None, Some(system)) => format!("<!DOCTYPE {root} SYSTEM {}>", quoted(system)),
            (Some(public), None) if self.method == Method::Html => {
                format!("<!DOCTYPE {root} PUBLIC {}>", quoted(public))
            }
            _ => return,
        };
        self.out.push_str(&declaration);
        self.out.push('\n');
    }

    fn node(&mut self, index: u32, scope: &mut Vec<Declaration>, level: usize) -> Outcome<()> {
        self.check()?;
        match self.document.node(index).map(|node| &node.kind) {
            Some(Kind::Element { name, declared }) => {
                let mark = scope.len();
                let written = self.element(index, name, declared, scope, level);
                scope.truncate(mark);
                written?;
            }
            Some(Kind::Text { text, is_raw: true }) => self.out.push_str(text),
            Some(Kind::Text { text, .. }) => self.text(index, text),
            Some(Kind::Comment(text)) => self.out.push_str(&format!("<!--{text}-->")),
            Some(Kind::Instruction { target, content }) => {
                let end = if self.method == Method::Html {
                    ">"
                } else {
                    "?>"
                };
                self.out.push_str(&format!("<?{target} {content}{end}"));
            }
            _ => {}
        }
        Ok(())
    }

    fn text(&mut self, index: u32, text: &str) {
        let parent = self.document.node(index).map_or(0, |node| node.parent);
        let parent = self.document.name(parent);
        if self.method == Method::Html && parent.is_some_and(|name| is_html(name, RAW)) {
            self.out.push_str(text);
        } else if self.method == Method::Xml
            && parent.is_some_and(|name| self.rules.cdata_elements.contains(name))
        {
            let text = text.replace("]]>", "]]]]><![CDATA[>");
            self.out.push_str(&format!("<![CDATA[{text}]]>"));
        } else {
            for character in text.chars() {
                match character {
                    '&' => self.out.push_str("&amp;"),
                    '<' => self.out.push_str("&lt;"),
                    '>' => self.out.push_str("&gt;"),
                    '\r' => self.out.push_str("&#13;"),
                    other => self.out.push(other),
                }
            }
        }
    }

    fn element(
        &mut self,
        index: u32,
        name: &Name,
        declared: &[Declaration],
        scope: &mut Vec<Declaration>,
        level: usize,
    ) -> Outcome<()> {
        let mut fresh: Vec<Declaration> = Vec::new();
        for (prefix, uri) in declared {
            let is_own = *prefix == name.prefix && *uri != name.uri;
            if !is_own {
                declare(prefix, uri, scope, &mut fresh);
            }
        }
        declare(&name.prefix, &name.uri, scope, &mut fresh);
        let mut attributes = Vec::new();
        for attribute in self.document.attributes(index) {
            if let Some(Kind::Attribute { name, value }) =
                self.document.node(attribute).map(|node| &node.kind)
            {
                let written = self.attribute_name(name, scope, &mut fresh);
                attributes.push((written, value));
            }
        }
        let tag = name.written();
        self.out.push('<');
        self.out.push_str(&tag);
        for (prefix, uri) in &fresh {
            let colon = if prefix.is_empty() { "" } else { ":" };
            self.out.push_str(&format!(" xmlns{colon}{prefix}=\""));
            self.value(uri);
            self.out.push('"');
        }
        for (written, value) in attributes {
            self.out.push_str(&format!(" {written}=\""));
            self.value(value);
            self.out.push('"');
        }
        let is_void = self.method == Method::Html && is_html(name, VOID);
        let children: Vec<u32> = self.document.children(index).collect();
        if children.is_empty() && (is_void || self.method == Method::Xml) {
            self.out.push_str(if is_void { ">" } else { "/>" });
            return Ok(());
        }
        self.out.push('>');
        let is_text = |child: &u32| {
            matches!(
                self.document.node(*child).map(|node| &node.kind),
                Some(Kind::Text { .. })
            )
        };
        let breaks = self.indents && !children.is_empty() && !children.iter().any(is_text);
        for child in &children {
            if breaks {
                self.line(level + 1);
            }
            self.node(*child, scope, level + 1)?;
        }
        if breaks {
            self.line(level);
        }
        self.out.push_str(&format!("</{tag}>"));
        Ok(())
    }

    fn line(&mut self, level: usize) {
        self.out.push('\n');
        self.out.push_str(&"  ".repeat(level));
    }

    /// The name of an attribute under a prefix that stands for its namespace.
    fn attribute_name(
        &mut self,
        name: &Name,
        scope: &mut Vec<Declaration>,
        fresh: &mut Vec<Declaration>,
    ) -> String {
        if name.uri.is_empty() {
            return name.local.to_string();
        }
        let known = bound(&name.prefix, scope);
        let is_free = !fresh.iter().any(|(prefix, _)| *prefix == name.prefix);
        if !name.prefix.is_empty() && (known == Some(&name.uri) || is_free) {
            declare(&name.prefix, &name.uri, scope, fresh);
            return name.written();
        }
        let other = scope.iter().rev().find(|(prefix, uri)| {
            *uri == name.uri && !prefix.is_empty() && bound(prefix, scope) == Some(uri)
        });
        if let Some((prefix, _)) = other {
            return format!("{prefix}:{}", name.local);
        }
        let prefix = loop {
            let prefix = Str::from(format!("ns{}", self.made_prefixes));
            self.made_prefixes += 1;
            if bound(&prefix, scope).is_none() {
                break prefix;
            }
        };
        declare(&prefix, &name.uri, scope, fresh);
        format!("{prefix}:{}", name.local)
    }

    /// The value of an attribute.
    fn value(&mut self, text: &str) {
        for character in text.chars() {
            match character {
                '&' => self.out.push_str("&amp;"),
                '"' => self.out.push_str("&quot;"),
                '<' if self.method == Method::Xml => self.out.push_str("&lt;"),
                '\n' => self.out.push_str("&#10;"),
                '\r' => self.out.push_str("&#13;"),
                '\t' => self.out.push_str("&#9;"),
                other => self.out.push(other),
            }
        }
    }
}

fn bound<'s>(prefix: &Str, scope: &'s [Declaration]) -> Option<&'s Str> {
    let found = scope.iter().rev().find(|(known, _)| known == prefix);
    found.map(|(_, uri)| uri)
}

/// Declares a prefix unless it stands for the namespace already.
fn declare(prefix: &Str, uri: &Str, scope: &mut Vec<Declaration>, fresh: &mut Vec<Declaration>) {
    let known = bound(prefix, scope);
    let is_known = known == Some(uri) || (known.is_none() && uri.is_empty());
    if !is_known && &**prefix != "xml" {
        let declaration = (Str::clone(prefix), Str::clone(uri));
        scope.push(declaration.clone());
        fresh.push(declaration);
    }
}

fn is_html(name: &Name, known: &[&str]) -> bool {
    name.uri.is_empty()
        && known
            .iter()
            .any(|known| name.local.eq_ignore_ascii_case(known))
}
