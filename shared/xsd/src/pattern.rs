//! Regular expressions of XML Schema (Part 2, appendix F), as those of the `regex` crate.

use regex::{Regex, RegexBuilder};

/// Longest expression in bytes.
const PATTERN_BYTES_MAX: usize = 4096;

/// Most memory of a compiled expression in bytes.
const PROGRAM_BYTES_MAX: usize = 256 * 1024;

/// What can begin a name.
const INITIAL: &str = r"_:A-Za-z\u{C0}-\u{D6}\u{D8}-\u{F6}\u{F8}-\u{2FF}\u{370}-\u{37D}\u{37F}-\u{1FFF}\u{200C}-\u{200D}\u{2070}-\u{218F}\u{2C00}-\u{2FEF}\u{3001}-\u{D7FF}\u{F900}-\u{FDCF}\u{FDF0}-\u{FFFD}\u{10000}-\u{EFFFF}";

/// What a name can hold besides.
const FOLLOWING: &str = r"\-.0-9\u{B7}\u{300}-\u{36F}\u{203F}-\u{2040}";

/// Compiles an expression that must match a whole text, in time in proportion to it.
pub(crate) fn compile(source: &str) -> Result<Regex, String> {
    if source.len() > PATTERN_BYTES_MAX {
        return Err(format!("at most {PATTERN_BYTES_MAX} bytes"));
    }
    let translated = Translator {
        rest: source,
        out: String::with_capacity(source.len() + 16),
    }
    .translate()?;
    RegexBuilder::new(&format!(r"\A(?:{translated})\z"))
        .size_limit(PROGRAM_BYTES_MAX)
        .build()
        .map_err(|error| {
            let text = error.to_string();
            text.lines().last().unwrap_or_default().trim().to_owned()
        })
}

struct Translator<'s> {
    rest: &'s str,
    out: String,
}

impl Translator<'_> {
    fn translate(mut self) -> Result<String, String> {
        // Groups are balanced before the whole is put into one.
        let mut open = 0_usize;
        let mut was_open = false;
        while let Some(character) = self.take() {
            let is_after_open = std::mem::take(&mut was_open);
            match character {
                '\\' => self.escape(false)?,
                '[' => self.class()?,
                '(' => {
                    open += 1;
                    was_open = true;
                    self.out.push_str("(?:");
                }
                ')' => {
                    open = open.checked_sub(1).ok_or("a closing parenthesis")?;
                    self.out.push(')');
                }
                '?' | '*' | '+' | '{' if is_after_open => {
                    return Err("a quantifier of nothing".to_owned());
                }
                '?' | '*' | '+' => {
                    self.out.push(character);
                    self.no_second_quantifier()?;
                }
                '{' => {
                    let (count, rest) = self.rest.split_once('}').ok_or("an open brace")?;
                    let is_count = !count.is_empty()
                        && count
                            .bytes()
                            .all(|byte| byte.is_ascii_digit() || byte == b',');
                    if !is_count {
                        return Err(format!("the quantifier {{{count}}}"));
                    }
                    self.out.push('{');
                    self.out.push_str(count);
                    self.out.push('}');
                    self.rest = rest;
                    self.no_second_quantifier()?;
                }
                '.' => self.out.push_str(r"[^\n\r]"),
                '|' => self.out.push('|'),
                '}' | ']' => return Err(format!("{character:?} without a backslash")),
                other => self.literal(other),
            }
        }
        if open > 0 {
            return Err("an open parenthesis".to_owned());
        }
        Ok(self.out)
    }

    fn take(&mut self) -> Option<char> {
        let character = self.rest.chars().next()?;
        self.rest = &self.rest[character.len_utf8()..];
        Some(character)
    }

    /// `a??` is lazy elsewhere, here it is nothing.
    fn no_second_quantifier(&self) -> Result<(), String> {
        if self.rest.starts_with(['?', '*', '+', '{']) {
            return Err("a quantifier of a quantifier".to_owned());
        }
        Ok(())
    }

    fn literal(&mut self, character: char) {
        let text = regex::escape(character.encode_utf8(&mut [0; 4]));
        self.out.push_str(&text);
    }

    /// What follows a backslash.
    fn escape(&mut self, is_in_class: bool) -> Result<(), String> {
        let character = self.take().ok_or("a backslash at the end")?;
        let set = |content: &str, is_negative: bool| {
            let sign = if is_negative { "^" } else { "" };
            format!("[{sign}{content}]")
        };
        match character {
            'n' | 'r' | 't' | 'd' | 'D' => {
                self.out.push('\\');
                self.out.push(character);
            }
            's' | 'S' => self.out.push_str(&set(r" \t\n\r", character == 'S')),
            // The negation of `\W` is `\w`.
            'w' | 'W' => self
                .out
                .push_str(&set(r"\p{P}\p{Z}\p{C}", character == 'w')),
            'i' | 'I' => self.out.push_str(&set(INITIAL, character == 'I')),
            'c' | 'C' => {
                let content = format!("{INITIAL}{FOLLOWING}");
                self.out.push_str(&set(&content, character == 'C'));
            }
            'p' | 'P' => {
                let (name, rest) = self
                    .rest
                    .strip_prefix('{')
                    .and_then(|rest| rest.split_once('}'))
                    .ok_or("a property without a name")?;
                if name.starts_with("Is") {
                    return Err(format!("the block {name}"));
                }
                if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
                    return Err(format!("the property {name:?}"));
                }
                self.out.push_str(&format!("\\{character}{{{name}}}"));
                self.rest = rest;
            }
            '\\' | '|' | '.' | '?' | '*' | '+' | '(' | ')' | '{' | '}' | '-' | '[' | ']' | '^'
            | '$' => {
                if is_in_class || character == '-' {
                    self.out.push('\\');
                    self.out.push(character);
                } else {
                    self.literal(character);
                }
            }
            other => return Err(format!("the escape \\{other}")),
        }
        Ok(())
    }

    /// What follows an opening bracket, with its closing one.
    fn class(&mut self) -> Result<(), String> {
        self.out.push('[');
        if let Some(rest) = self.rest.strip_prefix('^') {
            self.rest = rest;
            self.out.push('^');
        }
        if self.rest.starts_with(']') {
            return Err("an empty class".to_owned());
        }
        loop {
            match self.take().ok_or("an open bracket")? {
                ']' => {
                    self.out.push(']');
                    return Ok(());
                }
                '\\' => self.escape(true)?,
                '-' if self.rest.starts_with('[') => {
                    self.take();
                    self.out.push_str("--");
                    self.class()?;
                    if !self.rest.starts_with(']') {
                        return Err("something after a subtraction".to_owned());
                    }
                }
                '[' => return Err("a bracket in a class".to_owned()),
                // A range, unless it is the first or the last.
                '-' if self.out.ends_with(['[', '^']) || self.rest.starts_with(']') => {
                    self.out.push_str(r"\-");
                }
                '-' => self.out.push('-'),
                // These mean something to the other syntax.
                other if "&~^".contains(other) => {
                    self.out.push('\\');
                    self.out.push(other);
                }
                other => self.out.push(other),
            }
        }
    }
}
