//! Expressions of templates: texts to trees.

use tidegate_expression::Text;

use super::builtins::Builtin;
use super::tree::{Expression, Operator};
use super::{DEPTH_MAX, SyntaxError};

/// Parses a text that is one whole expression.
pub(super) fn parse_expression(source: &str, line: usize) -> Result<Expression, SyntaxError> {
    let mut parser = Parser::new(source, line)?;
    let expression = parser.expression()?;
    parser.end()?;
    Ok(expression)
}

#[derive(Clone, Debug, PartialEq)]
enum Token<'s> {
    Name(&'s str),
    Integer(i64),
    Float(f64),
    /// A text; the flag tells whether interpolations count in it.
    Text(String, bool),
    Symbol(&'static str),
    End,
}

/// Most parts of one expression; bounds the height of its tree.
const PARTS_MAX: usize = 512;

/// Longer symbols first: the first that fits is taken.
const SYMBOLS: &[&str] = &[
    "&gt;=",
    "&lt;=",
    "&gt;",
    "&lt;",
    "&amp;&amp;",
    "..",
    "??",
    "==",
    "!=",
    "<=",
    ">=",
    "&&",
    "||",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    ".",
    "?",
    "!",
    "=",
    "<",
    ">",
    "+",
    "-",
    "*",
    "/",
    "%",
];

pub(super) struct Parser<'s> {
    rest: &'s str,
    token: Token<'s>,
    line: usize,
    depth: usize,
    parts: usize,
}

impl<'s> Parser<'s> {
    pub(super) fn new(source: &'s str, line: usize) -> Result<Self, SyntaxError> {
        let mut parser = Self {
            rest: source,
            token: Token::End,
            line,
            depth: 0,
            parts: 0,
        };
        parser.advance()?;
        Ok(parser)
    }

    /// Checks that nothing follows.
    pub(super) fn end(&self) -> Result<(), SyntaxError> {
        if self.is_at_end() {
            Ok(())
        } else {
            Err(self.error("an operator or the end"))
        }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.token == Token::End
    }

    /// Takes a symbol if it is next.
    pub(super) fn take_symbol(&mut self, symbol: &str) -> Result<bool, SyntaxError> {
        if matches!(self.token, Token::Symbol(next) if next == symbol) {
            self.advance()?;
            return Ok(true);
        }
        Ok(false)
    }

    fn expect(&mut self, symbol: &str) -> Result<(), SyntaxError> {
        if self.take_symbol(symbol)? {
            Ok(())
        } else {
            Err(self.error(symbol))
        }
    }

    pub(super) fn keyword(&mut self, word: &str) -> Result<(), SyntaxError> {
        if self.token == Token::Name(word) {
            return self.advance();
        }
        Err(self.error(word))
    }

    pub(super) fn name(&mut self) -> Result<Text, SyntaxError> {
        match &self.token {
            Token::Name(name) => {
                let name = Text::from(*name);
                self.advance()?;
                Ok(name)
            }
            // A name may be written as text: `<#assign "x" = 1>`.
            Token::Text(text, _) => {
                let name = Text::from(text.as_str());
                self.advance()?;
                Ok(name)
            }
            _ => Err(self.error("a name")),
        }
    }

    pub(super) fn expression(&mut self) -> Result<Expression, SyntaxError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(self.error(&format!("at most {DEPTH_MAX} levels of expressions")));
        }
        let expression = self.binary(0);
        self.depth -= 1;
        expression
    }

    /// Counts a part of the expression.
    fn part(&mut self) -> Result<(), SyntaxError> {
        self.parts += 1;
        if self.parts > PARTS_MAX {
            return Err(self.error(&format!("at most {PARTS_MAX} parts of an expression")));
        }
        Ok(())
    }

    /// Parses operators of at least this precedence; equal ones group to the left.
    fn binary(&mut self, least: u8) -> Result<Expression, SyntaxError> {
        let mut left = self.unary()?;
        while let Some((operator, precedence)) = self.operator().filter(|(_, own)| *own >= least) {
            self.part()?;
            self.advance()?;
            let right = self.binary(precedence + 1)?;
            let (first, second) = (Box::new(left), Box::new(right));
            left = match operator {
                Some(operator) => Expression::Binary(operator, first, second),
                None => Expression::Range(first, second),
            };
        }
        Ok(left)
    }

    /// Returns the operator that is next, with its precedence; none is a range.
    fn operator(&self) -> Option<(Option<Operator>, u8)> {
        let (operator, precedence) = match &self.token {
            Token::Symbol("||") => (Operator::Or, 0),
            Token::Symbol("&&" | "&amp;&amp;") | Token::Name("and") => (Operator::And, 1),
            Token::Symbol("==" | "=") => (Operator::Equal, 2),
            Token::Symbol("!=") => (Operator::NotEqual, 2),
            Token::Symbol("<" | "&lt;") | Token::Name("lt") => (Operator::Less, 3),
            Token::Symbol("<=" | "&lt;=") | Token::Name("lte") => (Operator::LessOrEqual, 3),
            Token::Symbol(">" | "&gt;") | Token::Name("gt") => (Operator::Greater, 3),
            Token::Symbol(">=" | "&gt;=") | Token::Name("gte") => (Operator::GreaterOrEqual, 3),
            Token::Symbol("..") => return Some((None, 4)),
            Token::Symbol("+") => (Operator::Plus, 5),
            Token::Symbol("-") => (Operator::Minus, 5),
            Token::Symbol("*") => (Operator::Times, 6),
            Token::Symbol("/") => (Operator::Divide, 6),
            Token::Symbol("%") => (Operator::Remainder, 6),
            Token::Name("or") => (Operator::Or, 0),
            _ => return None,
        };
        Some((Some(operator), precedence))
    }

    fn unary(&mut self) -> Result<Expression, SyntaxError> {
        let mut signs = Vec::new();
        while let Token::Symbol(sign @ ("!" | "-" | "+")) = self.token {
            signs.push(sign);
            self.part()?;
            self.advance()?;
        }
        let mut expression = self.postfix()?;
        for sign in signs.into_iter().rev() {
            expression = match sign {
                "!" => Expression::Not(Box::new(expression)),
                "-" => Expression::Negative(Box::new(expression)),
                _ => expression,
            };
        }
        Ok(expression)
    }

    fn postfix(&mut self) -> Result<Expression, SyntaxError> {
        let mut expression = self.primary()?;
        loop {
            self.part()?;
            let base = Box::new(expression);
            expression = match self.token {
                Token::Symbol(".") => {
                    self.advance()?;
                    Expression::Member(base, self.name()?)
                }
                Token::Symbol("[") => {
                    self.advance()?;
                    let index = self.expression()?;
                    self.expect("]")?;
                    Expression::Index(base, Box::new(index))
                }
                Token::Symbol("?") => {
                    self.advance()?;
                    let Token::Name(name) = self.token else {
                        return Err(self.error("the name of a built-in"));
                    };
                    let builtin = Builtin::find(name).map_err(|expected| {
                        self.found(format!("the built-in ?{name}"), expected)
                    })?;
                    self.advance()?;
                    let arguments = if self.take_symbol("(")? {
                        self.list_until(")")?
                    } else {
                        Vec::new()
                    };
                    if !builtin.takes(arguments.len()) {
                        let found = format!("{} arguments of ?{name}", arguments.len());
                        return Err(self.found(found, "another number of arguments".to_owned()));
                    }
                    Expression::Builtin(base, builtin, arguments)
                }
                Token::Symbol("??") => {
                    self.advance()?;
                    Expression::Exists(base)
                }
                Token::Symbol("!") => {
                    self.advance()?;
                    // As in FreeMarker, everything that follows belongs to the default.
                    let default = self.begins_expression().then(|| self.expression());
                    Expression::Default(base, default.transpose()?.map(Box::new))
                }
                Token::Symbol("(") => {
                    return Err(self.found(
                        "a call of a method".to_owned(),
                        "a member, an index or a built-in".to_owned(),
                    ));
                }
                _ => return Ok(*base),
            };
        }
    }

    fn begins_expression(&self) -> bool {
        match &self.token {
            Token::Name("and" | "or" | "lt" | "lte" | "gt" | "gte" | "as" | "in") | Token::End => {
                false
            }
            Token::Name(_) | Token::Integer(_) | Token::Float(_) | Token::Text(..) => true,
            Token::Symbol(symbol) => matches!(*symbol, "(" | "[" | "{" | "-" | "!"),
        }
    }

    fn primary(&mut self) -> Result<Expression, SyntaxError> {
        let token = self.token.clone();
        self.advance_after(&token)?;
        Ok(match token {
            Token::Integer(number) => Expression::Integer(number),
            Token::Float(number) => Expression::Float(number),
            Token::Text(text, true) if text.contains("${") => self.pieces(&text)?,
            Token::Text(text, _) => Expression::Text(Text::from(text)),
            Token::Name("true") => Expression::Bool(true),
            Token::Name("false") => Expression::Bool(false),
            Token::Name(name) => Expression::Variable(Text::from(name)),
            Token::Symbol("(") => {
                let inner = self.expression()?;
                self.expect(")")?;
                Expression::Group(Box::new(inner))
            }
            Token::Symbol("[") => Expression::Sequence(self.list_until("]")?),
            Token::Symbol("{") => self.hash()?,
            _ => return Err(self.error("a value")),
        })
    }

    /// Moves on, unless the token can begin nothing: it then stays for the error.
    fn advance_after(&mut self, token: &Token<'s>) -> Result<(), SyntaxError> {
        match token {
            Token::End => Ok(()),
            Token::Symbol(symbol) if !matches!(*symbol, "(" | "[" | "{") => Ok(()),
            _ => self.advance(),
        }
    }

    fn list_until(&mut self, end: &str) -> Result<Vec<Expression>, SyntaxError> {
        let mut expressions = Vec::new();
        if self.take_symbol(end)? {
            return Ok(expressions);
        }
        loop {
            expressions.push(self.expression()?);
            if self.take_symbol(end)? {
                return Ok(expressions);
            }
            self.expect(",")?;
        }
    }

    fn hash(&mut self) -> Result<Expression, SyntaxError> {
        let mut members = Vec::new();
        if self.take_symbol("}")? {
            return Ok(Expression::Hash(members));
        }
        loop {
            let key = self.expression()?;
            if !self.take_symbol(":")? {
                self.expect(",")?;
            }
            members.push((key, self.expression()?));
            if self.take_symbol("}")? {
                return Ok(Expression::Hash(members));
            }
            self.expect(",")?;
        }
    }

    /// Parses a text with interpolations.
    fn pieces(&mut self, text: &str) -> Result<Expression, SyntaxError> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find("${") {
            if at > 0 {
                parts.push(Expression::Text(Text::from(&rest[..at])));
            }
            let inside = &rest[at + 2..];
            let end = inside.find('}').ok_or_else(|| self.error("a closing }"))?;
            let mut parser = Parser::new(&inside[..end], self.line)?;
            (parser.depth, parser.parts) = (self.depth + 1, self.parts + 1);
            parts.push(parser.expression()?);
            parser.end()?;
            self.parts = parser.parts;
            rest = &inside[end + 1..];
        }
        if !rest.is_empty() {
            parts.push(Expression::Text(Text::from(rest)));
        }
        Ok(Expression::Pieces(parts))
    }

    fn error(&self, expected: &str) -> SyntaxError {
        let found = match &self.token {
            Token::End => "the end of the expression".to_owned(),
            Token::Name(name) => format!("{name:?}"),
            Token::Symbol(symbol) => format!("{symbol:?}"),
            Token::Text(text, _) => format!("the text {text:?}"),
            Token::Integer(number) => number.to_string(),
            Token::Float(number) => number.to_string(),
        };
        self.found(found, expected.to_owned())
    }

    fn found(&self, found: String, expected: String) -> SyntaxError {
        SyntaxError {
            line: self.line,
            found,
            expected,
        }
    }

    fn advance(&mut self) -> Result<(), SyntaxError> {
        let trimmed = self.rest.trim_start();
        let blanks = &self.rest[..self.rest.len() - trimmed.len()];
        self.line += blanks.matches('\n').count();
        self.rest = trimmed;
        let Some(first) = trimmed.chars().next() else {
            self.token = Token::End;
            return Ok(());
        };
        if matches!(first, '"' | '\'') {
            return self.text(&trimmed[1..], first, true);
        }
        if first == 'r' && trimmed[1..].starts_with(['"', '\'']) {
            let quote = if trimmed[1..].starts_with('"') {
                '"'
            } else {
                '\''
            };
            return self.text(&trimmed[2..], quote, false);
        }
        if first.is_ascii_digit() {
            return self.number(trimmed);
        }
        if is_name(first) {
            let length = trimmed.find(|char| !is_name(char) && !char.is_ascii_digit());
            let (name, rest) = trimmed.split_at(length.unwrap_or(trimmed.len()));
            (self.token, self.rest) = (Token::Name(name), rest);
            return Ok(());
        }
        let symbol = SYMBOLS.iter().find(|symbol| trimmed.starts_with(**symbol));
        let Some(symbol) = symbol else {
            return Err(self.found(format!("{first:?}"), "a value or an operator".to_owned()));
        };
        (self.token, self.rest) = (Token::Symbol(symbol), &trimmed[symbol.len()..]);
        Ok(())
    }

    fn number(&mut self, text: &'s str) -> Result<(), SyntaxError> {
        let digits = |text: &str| {
            text.len()
                - text
                    .trim_start_matches(|char: char| char.is_ascii_digit())
                    .len()
        };
        let whole = digits(text);
        let fraction = match text[whole..].strip_prefix('.') {
            Some(after) => digits(after),
            None => 0,
        };
        let length = if fraction > 0 {
            whole + 1 + fraction
        } else {
            whole
        };
        let (number, rest) = text.split_at(length);
        let token = if fraction > 0 {
            number.parse().ok().map(Token::Float)
        } else {
            number.parse().ok().map(Token::Integer)
        };
        let too_large = || {
            self.found(
                format!("the number {number}"),
                "a smaller number".to_owned(),
            )
        };
        self.token = token.ok_or_else(too_large)?;
        self.rest = rest;
        Ok(())
    }

    fn text(&mut self, after: &'s str, quote: char, has_escapes: bool) -> Result<(), SyntaxError> {
        let mut text = String::new();
        let mut chars = after.char_indices();
        while let Some((at, char)) = chars.next() {
            if char == quote {
                self.token = Token::Text(text, has_escapes);
                self.rest = &after[at + char.len_utf8()..];
                return Ok(());
            }
            if char != '\\' || !has_escapes {
                text.push(char);
                continue;
            }
            match chars.next().map(|(_, char)| char) {
                Some('n') => text.push('\n'),
                Some('r') => text.push('\r'),
                Some('t') => text.push('\t'),
                Some('l') => text.push('<'),
                Some('g') => text.push('>'),
                Some('a') => text.push('&'),
                Some(char @ ('"' | '\'' | '\\' | '{' | '=')) => text.push(char),
                _ => {
                    return Err(self.found(
                        "an unknown escape".to_owned(),
                        r#"\n, \t, \" or \\"#.to_owned(),
                    ));
                }
            }
        }
        Err(self.found("a text".to_owned(), format!("a closing {quote}")))
    }
}

fn is_name(char: char) -> bool {
    char.is_alphabetic() || matches!(char, '_' | '$' | '@')
}
