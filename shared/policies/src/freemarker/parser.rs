//! Pieces of the source to nodes.

use tidegate_expression::limits::SOURCE_BYTES_MAX;

use super::expression::{Parser as ExpressionParser, parse_expression};
use super::lexer::{DIRECTIVES, Kind, Piece, pieces};
use super::tree::{Branch, List, Node};
use super::{DEPTH_MAX, SyntaxError};

/// Parses a template.
pub(super) fn parse(source: &str) -> Result<Vec<Node>, SyntaxError> {
    if source.len() > SOURCE_BYTES_MAX {
        return Err(SyntaxError {
            line: 1,
            found: format!("a template of {} bytes", source.len()),
            expected: format!("at most {SOURCE_BYTES_MAX} bytes"),
        });
    }
    let mut parser = Parser {
        pieces: pieces(source)?.into_iter(),
        depth: 0,
        lists: 0,
    };
    let (nodes, end) = parser.block(&[])?;
    debug_assert!(end.is_none(), "only an expected tag ends a block");
    Ok(nodes)
}

struct Parser<'s> {
    pieces: std::vec::IntoIter<Piece<'s>>,
    depth: usize,
    /// How many lists are open.
    lists: usize,
}

/// The tag that ended a block.
struct End<'s> {
    line: usize,
    name: &'s str,
    inside: &'s str,
}

impl<'s> Parser<'s> {
    /// Parses up to one of the tags `ends`, or to the end of the source if there are none.
    fn block(&mut self, ends: &[&str]) -> Result<(Vec<Node>, Option<End<'s>>), SyntaxError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            let expected = format!("at most {DEPTH_MAX} levels of directives");
            return Err(error(self.line(), "deeply nested directives", &expected));
        }
        let mut nodes = Vec::new();
        let mut last_line = 1;
        while let Some(Piece { line, kind }) = self.pieces.next() {
            last_line = line;
            match kind {
                Kind::Text(text) => match nodes.last_mut() {
                    Some(Node::Text(before)) => before.push_str(text),
                    _ => nodes.push(Node::Text(text.to_owned())),
                },
                Kind::Print(inside) => nodes.push(Node::Print(parse_expression(inside, line)?)),
                Kind::Comment => {}
                Kind::Tag { name, inside } if ends.contains(&name) => {
                    self.depth -= 1;
                    return Ok((nodes, Some(End { line, name, inside })));
                }
                Kind::Tag { name, inside } => self.directive(line, name, inside, &mut nodes)?,
            }
        }
        self.depth -= 1;
        match ends.last() {
            None => Ok((nodes, None)),
            Some(end) => Err(error(
                last_line,
                "the end of the template",
                &format!("<{}>", tag(end)),
            )),
        }
    }

    fn line(&self) -> usize {
        self.pieces.as_slice().first().map_or(1, |piece| piece.line)
    }

    fn directive(
        &mut self,
        line: usize,
        name: &str,
        inside: &str,
        nodes: &mut Vec<Node>,
    ) -> Result<(), SyntaxError> {
        let inside = inside.trim();
        let inside = inside.strip_suffix('/').unwrap_or(inside).trim_end();
        match name {
            "if" => nodes.push(self.condition(line, inside)?),
            "list" => nodes.push(self.list(line, inside)?),
            "assign" => self.assign(line, inside, nodes)?,
            "break" if self.lists > 0 => nodes.push(Node::Break),
            "sep" if self.lists > 0 => {
                let body = self.separator()?;
                nodes.push(Node::Separator(body));
            }
            "noparse" => {
                let (body, _) = self.block(&["/#noparse"])?;
                nodes.extend(body);
            }
            _ => {
                let found = format!("the directive <{}>", tag(name));
                return Err(error(line, &found, DIRECTIVES));
            }
        }
        Ok(())
    }

    fn condition(&mut self, line: usize, inside: &str) -> Result<Node, SyntaxError> {
        let mut branches = Vec::new();
        let mut condition = Some(parse_expression(inside, line)?);
        loop {
            let ends: &[&str] = match condition {
                Some(_) => &["elseif", "elseIf", "else", "/#if"],
                None => &["/#if"],
            };
            let (body, end) = self.block(ends)?;
            branches.push(Branch { condition, body });
            condition = match end {
                Some(End { name: "else", .. }) => None,
                Some(End { line, name, inside }) if name.starts_with('e') => {
                    Some(parse_expression(inside.trim(), line)?)
                }
                _ => return Ok(Node::If(branches)),
            };
        }
    }

    fn list(&mut self, line: usize, inside: &str) -> Result<Node, SyntaxError> {
        let mut parser = ExpressionParser::new(inside, line)?;
        let values = parser.expression()?;
        parser.keyword("as")?;
        let item = parser.name()?;
        let value = if parser.take_symbol(",")? {
            Some(parser.name()?)
        } else {
            None
        };
        parser.end()?;
        self.lists += 1;
        let (body, end) = self.block(&["else", "/#list"])?;
        self.lists -= 1;
        let otherwise = match end {
            Some(End { name: "else", .. }) => self.block(&["/#list"])?.0,
            _ => Vec::new(),
        };
        Ok(Node::List(Box::new(List {
            values,
            item,
            value,
            body,
            otherwise,
        })))
    }

    /// Parses what stands between elements, up to `</#sep>`; the end of the list, which may stand in its
    /// place, stays for the list.
    fn separator(&mut self) -> Result<Vec<Node>, SyntaxError> {
        let rest = self.pieces.as_slice();
        let mut depth = 0_usize;
        let ends = rest.iter().position(|piece| match piece.kind {
            Kind::Tag {
                name: "list" | "if",
                ..
            } => {
                depth += 1;
                false
            }
            Kind::Tag { name: "/#sep", .. } => depth == 0,
            Kind::Tag {
                name: "/#list" | "/#if" | "else",
                ..
            } if depth == 0 => true,
            Kind::Tag {
                name: "/#list" | "/#if",
                ..
            } => {
                depth -= 1;
                false
            }
            _ => false,
        });
        let Some(count) = ends else {
            return Err(error(self.line(), "the end of the template", "</#sep>"));
        };
        let has_end_tag = matches!(rest[count].kind, Kind::Tag { name: "/#sep", .. });
        let inner: Vec<Piece<'s>> = self.pieces.by_ref().take(count).collect();
        let outer = std::mem::replace(&mut self.pieces, inner.into_iter());
        let body = self.block(&[]);
        self.pieces = outer;
        let (body, _) = body?;
        if has_end_tag {
            self.pieces.next();
        }
        Ok(body)
    }

    fn assign(
        &mut self,
        line: usize,
        inside: &str,
        nodes: &mut Vec<Node>,
    ) -> Result<(), SyntaxError> {
        let mut parser = ExpressionParser::new(inside, line)?;
        let name = parser.name()?;
        if parser.is_at_end() {
            let (body, _) = self.block(&["/#assign"])?;
            nodes.push(Node::Capture(name, body));
            return Ok(());
        }
        let mut target = name;
        loop {
            if !parser.take_symbol("=")? {
                return Err(error(line, "the directive <#assign>", "name = value"));
            }
            nodes.push(Node::Assign(target, parser.expression()?));
            parser.take_symbol(",")?;
            if parser.is_at_end() {
                return Ok(());
            }
            target = parser.name()?;
        }
    }
}

/// Spells a tag as it stands in a template.
fn tag(name: &str) -> String {
    match name.strip_prefix('/') {
        Some(_) => name.to_owned(),
        None => format!("#{name}"),
    }
}

fn error(line: usize, found: &str, expected: &str) -> SyntaxError {
    SyntaxError {
        line,
        found: found.to_owned(),
        expected: expected.to_owned(),
    }
}
