//! Source text to text, interpolations and tags, with FreeMarker's stripping of lines.

use super::SyntaxError;

/// One piece of the source.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Piece<'s> {
    pub(super) line: usize,
    pub(super) kind: Kind<'s>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind<'s> {
    Text(&'s str),
    /// The inside of `${…}`.
    Print(&'s str),
    /// `<#name inside>`; for `</#name>` the name begins with a slash.
    Tag {
        name: &'s str,
        inside: &'s str,
    },
    Comment,
}

/// Splits a template. Lines that have nothing but tags and blanks leave no text.
pub(super) fn pieces(source: &str) -> Result<Vec<Piece<'_>>, SyntaxError> {
    let mut lexer = Lexer {
        rest: source,
        line: 1,
        pieces: Vec::new(),
    };
    while !lexer.rest.is_empty() {
        lexer.next()?;
    }
    Ok(stripped(lexer.pieces))
}

struct Lexer<'s> {
    rest: &'s str,
    line: usize,
    pieces: Vec<Piece<'s>>,
}

impl<'s> Lexer<'s> {
    fn next(&mut self) -> Result<(), SyntaxError> {
        let at = ["${", "<#", "</#", "<@", "</@", "#{"];
        let at = at.iter().filter_map(|mark| self.rest.find(mark)).min();
        let at = at.unwrap_or(self.rest.len());
        self.text(at);
        if self.rest.starts_with("${") {
            let inside = &self.rest[2..];
            let end =
                end_of_expression(inside, '}').ok_or_else(|| self.error("${", "a closing }"))?;
            self.push(Kind::Print(&inside[..end]), 2 + end + 1);
        } else if self.rest.starts_with("<#--") {
            let end = self.rest.find("-->");
            let end = end.ok_or_else(|| self.error("<#--", "a closing -->"))?;
            self.push(Kind::Comment, end + 3);
        } else if self.rest.starts_with("<#") || self.rest.starts_with("</#") {
            self.tag()?;
        } else if self.rest.starts_with("<@") || self.rest.starts_with("</@") {
            return Err(self.error("a call of a macro (<@…>)", DIRECTIVES));
        } else if self.rest.starts_with("#{") {
            return Err(self.error("#{…}", "${…}"));
        }
        Ok(())
    }

    /// Takes text up to `at`, one piece for each line.
    fn text(&mut self, at: usize) {
        for line in self.rest[..at].split_inclusive('\n') {
            self.push(Kind::Text(line), line.len());
        }
    }

    fn tag(&mut self) -> Result<(), SyntaxError> {
        let is_end = self.rest.starts_with("</");
        let start = if is_end { 3 } else { 2 };
        let after = &self.rest[start..];
        let name_length = after
            .find(|char: char| !char.is_ascii_alphanumeric() && char != '_')
            .unwrap_or(after.len());
        let inside = &after[name_length..];
        let end = end_of_expression(inside, '>').ok_or_else(|| self.error("<#", "a closing >"))?;
        // The name of an end tag keeps its slash; the source has it two characters before.
        let name = if is_end {
            &self.rest[1..start + name_length]
        } else {
            &after[..name_length]
        };
        let inside = &inside[..end];
        let length = start + name_length + end + 1;
        self.push(Kind::Tag { name, inside }, length);
        if name == "noparse" {
            let end = self.rest.find("</#noparse>");
            let end = end.ok_or_else(|| self.error("<#noparse>", "</#noparse>"))?;
            self.text(end);
            let name = &self.rest[1..10];
            self.push(Kind::Tag { name, inside: "" }, "</#noparse>".len());
        }
        Ok(())
    }

    fn push(&mut self, kind: Kind<'s>, length: usize) {
        let (taken, rest) = self.rest.split_at(length);
        if !taken.is_empty() {
            let line = self.line;
            self.pieces.push(Piece { line, kind });
        }
        self.line += taken.matches('\n').count();
        self.rest = rest;
    }

    fn error(&self, found: &str, expected: &str) -> SyntaxError {
        SyntaxError {
            line: self.line,
            found: found.to_owned(),
            expected: expected.to_owned(),
        }
    }
}

/// The directives there are, for error messages.
pub(super) const DIRECTIVES: &str =
    "one of the directives if, elseif, else, list, sep, break, assign, noparse";

/// Finds `end` outside of texts and parentheses.
fn end_of_expression(inside: &str, end: char) -> Option<usize> {
    let (mut depth, mut quote, mut is_escaped) = (0_usize, None, false);
    for (at, char) in inside.char_indices() {
        match (quote, char) {
            _ if is_escaped => is_escaped = false,
            (Some(_), '\\') => is_escaped = true,
            (Some(open), char) => {
                if open == char {
                    quote = None;
                }
            }
            (None, '"' | '\'') => quote = Some(char),
            (None, char) if char == end && depth == 0 => return Some(at),
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']' | '}') => depth = depth.saturating_sub(1),
            (None, _) => {}
        }
    }
    None
}

/// Drops the text of lines that have tags or comments and otherwise blanks alone.
fn stripped(pieces: Vec<Piece<'_>>) -> Vec<Piece<'_>> {
    let ends_line =
        |piece: &Piece<'_>| matches!(piece.kind, Kind::Text(text) if text.ends_with('\n'));
    let mut kept = Vec::with_capacity(pieces.len());
    let mut line: Vec<Piece<'_>> = Vec::new();
    for piece in pieces {
        let is_end = ends_line(&piece);
        line.push(piece);
        if is_end {
            flush(&mut line, &mut kept);
        }
    }
    flush(&mut line, &mut kept);
    kept
}

fn flush<'s>(line: &mut Vec<Piece<'s>>, kept: &mut Vec<Piece<'s>>) {
    let is_tag = |piece: &Piece<'_>| matches!(piece.kind, Kind::Tag { .. } | Kind::Comment);
    let is_blank = |piece: &Piece<'_>| match piece.kind {
        Kind::Text(text) => text.trim().is_empty(),
        Kind::Print(_) => false,
        Kind::Tag { .. } | Kind::Comment => true,
    };
    let strips = line.iter().any(is_tag) && line.iter().all(is_blank);
    kept.extend(line.drain(..).filter(|piece| !strips || is_tag(piece)));
}
