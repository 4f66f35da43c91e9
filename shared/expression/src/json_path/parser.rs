//! Path text to steps.

use super::Step;
use super::filter::{Comparison, Filter, Operand};
use crate::error::{EvalErrorKind, shorten};
use crate::methods::compile_regex;
use crate::value::{Text, Value};

/// Deepest nesting of a filter.
const FILTER_DEPTH_MAX: usize = 32;

/// Most steps of a path.
const STEPS_MAX: usize = 64;

type Parsed<T> = Result<T, EvalErrorKind>;

/// Parses a whole path, which begins with `$`.
pub(super) fn parse(source: &str) -> Parsed<Vec<Step>> {
    let mut parser = Parser {
        source,
        rest: source.trim(),
        depth: 0,
    };
    if !parser.takes("$") {
        return Err(parser.wrong("a JSON path that begins with '$'"));
    }
    let steps = parser.steps()?;
    if parser.rest.is_empty() {
        return Ok(steps);
    }
    Err(parser.wrong("a JSON path ('.' or '[' expected)"))
}

struct Parser<'a> {
    source: &'a str,
    rest: &'a str,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn steps(&mut self) -> Parsed<Vec<Step>> {
        let mut steps = Vec::new();
        loop {
            if self.takes("..") {
                steps.push(Step::Descend);
                if !self.rest.starts_with('[') {
                    steps.push(self.dotted()?);
                }
            } else if self.takes(".") {
                steps.push(self.dotted()?);
            } else if self.takes("[") {
                steps.push(self.bracketed()?);
                self.blanks();
                if !self.takes("]") {
                    return Err(self.wrong("a JSON path (']' expected)"));
                }
            } else {
                return Ok(steps);
            }
            if steps.len() > STEPS_MAX {
                return Err(EvalErrorKind::Limit("steps of JSON path"));
            }
        }
    }

    /// What follows a dot: `*`, `length()` or a name.
    fn dotted(&mut self) -> Parsed<Step> {
        if self.takes("*") {
            return Ok(Step::Wildcard);
        }
        if self.takes("length()") || self.takes("size()") {
            return Ok(Step::Length);
        }
        let name =
            self.while_accepts(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '$' | '@'));
        if name.is_empty() {
            return Err(self.wrong("a JSON path (a name expected)"));
        }
        Ok(Step::Member(name.into()))
    }

    /// What stands between brackets.
    fn bracketed(&mut self) -> Parsed<Step> {
        self.blanks();
        if self.takes("*") {
            return Ok(Step::Wildcard);
        }
        if self.takes("?") {
            self.blanks();
            if !self.takes("(") {
                return Err(self.wrong("a JSON path ('(' expected)"));
            }
            let filter = self.filter()?;
            self.blanks();
            if !self.takes(")") {
                return Err(self.wrong("a JSON path (')' expected)"));
            }
            return Ok(Step::Filter(filter));
        }
        if self.rest.starts_with(['\'', '"']) {
            let mut names = vec![self.quoted()?];
            while self.takes_after_blanks(",") {
                self.blanks();
                names.push(self.quoted()?);
            }
            return Ok(if names.len() == 1 {
                Step::Member(names.remove(0))
            } else {
                Step::Members(names)
            });
        }
        self.positions()
    }

    /// `n`, `a,b`, `start:end:step`
    fn positions(&mut self) -> Parsed<Step> {
        let start = self.integer()?;
        if self.takes_after_blanks(":") {
            let end = self.integer()?;
            let step = if self.takes_after_blanks(":") {
                self.integer()?
            } else {
                None
            };
            let step = step.unwrap_or(1);
            if step < 1 {
                return Err(self.wrong("a JSON path (a step above zero expected)"));
            }
            return Ok(Step::Slice { start, end, step });
        }
        let Some(first) = start else {
            return Err(self.wrong("a JSON path (a name or position expected)"));
        };
        let mut indexes = vec![first];
        while self.takes_after_blanks(",") {
            match self.integer()? {
                Some(index) => indexes.push(index),
                None => return Err(self.wrong("a JSON path (a position expected)")),
            }
        }
        Ok(if indexes.len() == 1 {
            Step::Index(first)
        } else {
            Step::Indexes(indexes)
        })
    }

    /// `and-filter || …`
    fn filter(&mut self) -> Parsed<Filter> {
        self.depth += 1;
        if self.depth > FILTER_DEPTH_MAX {
            return Err(EvalErrorKind::Limit("nesting of JSON path filter"));
        }
        let mut any = vec![self.all_of()?];
        while self.takes_after_blanks("||") {
            any.push(self.all_of()?);
        }
        self.depth -= 1;
        Ok(if any.len() == 1 {
            any.remove(0)
        } else {
            Filter::Any(any)
        })
    }

    /// `term && …`
    fn all_of(&mut self) -> Parsed<Filter> {
        let mut all = vec![self.term()?];
        while self.takes_after_blanks("&&") {
            all.push(self.term()?);
        }
        Ok(if all.len() == 1 {
            all.remove(0)
        } else {
            Filter::All(all)
        })
    }

    fn term(&mut self) -> Parsed<Filter> {
        self.blanks();
        if self.takes("!") {
            self.depth += 1;
            if self.depth > FILTER_DEPTH_MAX {
                return Err(EvalErrorKind::Limit("nesting of JSON path filter"));
            }
            let term = self.term()?;
            self.depth -= 1;
            return Ok(Filter::Not(Box::new(term)));
        }
        if self.takes("(") {
            let filter = self.filter()?;
            if !self.takes_after_blanks(")") {
                return Err(self.wrong("a JSON path (')' expected)"));
            }
            return Ok(filter);
        }
        let left = self.operand()?;
        self.blanks();
        if self.takes("=~") {
            self.blanks();
            return Ok(Filter::Matches(left, self.regex()?));
        }
        const COMPARISONS: &[(&str, Comparison)] = &[
            ("==", Comparison::Equal),
            ("!=", Comparison::NotEqual),
            ("<=", Comparison::LessOrEqual),
            (">=", Comparison::GreaterOrEqual),
            ("<", Comparison::Less),
            (">", Comparison::Greater),
            ("in ", Comparison::In),
            ("nin ", Comparison::NotIn),
        ];
        for (symbol, comparison) in COMPARISONS {
            if self.takes(symbol) {
                return Ok(Filter::Compare(left, *comparison, self.operand()?));
            }
        }
        Ok(Filter::Exists(left))
    }

    fn operand(&mut self) -> Parsed<Operand> {
        self.blanks();
        if self.takes("@") {
            return Ok(Operand::Element(self.steps()?));
        }
        if self.takes("$") {
            return Ok(Operand::Root(self.steps()?));
        }
        self.literal().map(Operand::Literal)
    }

    fn literal(&mut self) -> Parsed<Value> {
        self.blanks();
        if self.rest.starts_with(['\'', '"']) {
            return self.quoted().map(Value::from);
        }
        if self.takes("[") {
            let mut items = Vec::new();
            while !self.takes_after_blanks("]") {
                if !items.is_empty() && !self.takes_after_blanks(",") {
                    return Err(self.wrong("a JSON path (',' or ']' expected)"));
                }
                self.blanks();
                if self.rest.starts_with('[') {
                    return Err(self.wrong("a JSON path (a plain value expected)"));
                }
                items.push(self.literal()?);
            }
            return Ok(items.into());
        }
        let word = self.while_accepts(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '+'));
        let value = match word {
            "true" => Some(Value::Bool(true)),
            "false" => Some(Value::Bool(false)),
            "null" => Some(Value::Null),
            word if word.starts_with(|c: char| c.is_ascii_digit() || c == '-') => word
                .parse::<i64>()
                .map(Value::from)
                .or_else(|_error| word.parse::<f64>().map(Value::from))
                .ok(),
            _ => None,
        };
        value.ok_or_else(|| self.wrong("a JSON path (a value expected)"))
    }

    /// `/pattern/` with the flag `i`
    fn regex(&mut self) -> Parsed<regex::Regex> {
        if !self.takes("/") {
            return Err(self.wrong("a JSON path ('/' expected)"));
        }
        let mut pattern = String::new();
        let mut characters = self.rest.char_indices();
        while let Some((offset, c)) = characters.next() {
            match c {
                '/' => {
                    self.rest = &self.rest[offset + 1..];
                    let flags = if self.takes("i") { "(?i)" } else { "" };
                    return compile_regex(&format!(r"{flags}\A(?:{pattern})\z"));
                }
                '\\' => match characters.next() {
                    Some((_, '/')) => pattern.push('/'),
                    Some((_, escaped)) => pattern.extend(['\\', escaped]),
                    None => {}
                },
                c => pattern.push(c),
            }
        }
        Err(self.wrong("a JSON path ('/' at the end of the pattern expected)"))
    }

    fn quoted(&mut self) -> Parsed<Text> {
        let quote = self.rest.chars().next().filter(|c| matches!(c, '\'' | '"'));
        let Some(quote) = quote else {
            return Err(self.wrong("a JSON path (a quoted name expected)"));
        };
        let mut content = String::new();
        let mut characters = self.rest[1..].char_indices();
        while let Some((offset, c)) = characters.next() {
            match c {
                '\\' => content.extend(characters.next().map(|(_, escaped)| escaped)),
                c if c == quote => {
                    self.rest = &self.rest[offset + 2..];
                    return Ok(content.into());
                }
                c => content.push(c),
            }
        }
        Err(self.wrong("a JSON path (a closing quote expected)"))
    }

    fn integer(&mut self) -> Parsed<Option<i64>> {
        self.blanks();
        let digits = self.while_accepts(|c| c.is_ascii_digit() || c == '-');
        if digits.is_empty() {
            return Ok(None);
        }
        match digits.parse() {
            Ok(value) => Ok(Some(value)),
            Err(_) => Err(self.wrong("a JSON path (a position expected)")),
        }
    }

    fn while_accepts(&mut self, accepts: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !accepts(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    fn takes(&mut self, symbol: &str) -> bool {
        let rest = self.rest.strip_prefix(symbol);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn takes_after_blanks(&mut self, symbol: &str) -> bool {
        self.blanks();
        self.takes(symbol)
    }

    fn blanks(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn wrong(&self, expected: &str) -> EvalErrorKind {
        EvalErrorKind::Unparsable {
            text: shorten(self.source.to_owned()),
            expected: expected.to_owned(),
        }
    }
}
