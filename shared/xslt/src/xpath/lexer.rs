//! The words of an expression (XPath 1.0 §3.7).

/// Longest text of an expression, in bytes.
const SOURCE_BYTES_MAX: usize = 64 * 1024;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// `(`, `)`, `[`, `]`, `.`, `..`, `@`, `,`, `::`, `/`, `//`, `|`, `+`, `-`, `=`, `!=`, `<`, `<=`, `>`, `>=`, and `*`
    /// where it is no operator.
    Sign(&'static str),
    /// An operator with a name, or `*` where it multiplies.
    Operator(&'static str),
    /// A name, perhaps with a prefix; `prefix:*` as well.
    Name(String),
    Variable(String),
    Literal(String),
    Number(f64),
}

const SIGNS: &[&str] = &[
    "::", "..", "//", "!=", "<=", ">=", "(", ")", "[", "]", ".", "@", ",", "/", "|", "+", "-", "=",
    "<", ">", "*",
];
const NAMED_OPERATORS: &[&str] = &["and", "or", "mod", "div"];

pub(super) fn is_name_start(character: char) -> bool {
    character.is_alphabetic() || character == '_'
}

pub(super) fn is_name_part(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '-' | '.' | '\u{b7}')
}

/// Splits an expression into words.
pub(super) fn tokens(source: &str) -> Result<Vec<Token>, String> {
    if source.len() > SOURCE_BYTES_MAX {
        return Err(format!("more than {SOURCE_BYTES_MAX} bytes"));
    }
    let mut tokens = Vec::new();
    let mut rest = source.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, behind) = if first == '"' || first == '\'' {
            let inside = rest.get(1..).unwrap_or_default();
            let (text, behind) = inside.split_once(first).ok_or("a text without its end")?;
            (Token::Literal(text.to_owned()), behind)
        } else if first.is_ascii_digit() || starts_number(rest) {
            number(rest)?
        } else if first == '$' {
            let (name, behind) = name(rest.get(1..).unwrap_or_default())?;
            (Token::Variable(name), behind)
        } else if is_name_start(first) {
            let (name, behind) = name(rest)?;
            let operator = NAMED_OPERATORS.iter().find(|known| **known == name);
            match operator.filter(|_| is_operator_next(&tokens)) {
                Some(operator) => (Token::Operator(operator), behind),
                None => (Token::Name(name), behind),
            }
        } else {
            let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign));
            let sign = sign.ok_or_else(|| format!("{first:?} has no meaning here"))?;
            let behind = rest.get(sign.len()..).unwrap_or_default();
            match *sign {
                "*" if is_operator_next(&tokens) => (Token::Operator("*"), behind),
                sign => (Token::Sign(sign), behind),
            }
        };
        tokens.push(token);
        rest = behind.trim_start();
    }
    Ok(tokens)
}

fn starts_number(text: &str) -> bool {
    let mut characters = text.chars();
    characters.next() == Some('.') && characters.next().is_some_and(|next| next.is_ascii_digit())
}

fn number(text: &str) -> Result<(Token, &str), String> {
    let mut has_point = false;
    let end = text.find(|character: char| match character {
        '.' => std::mem::replace(&mut has_point, true),
        other => !other.is_ascii_digit(),
    });
    let (digits, behind) = text.split_at(end.unwrap_or(text.len()));
    let number = digits
        .parse()
        .map_err(|_invalid| format!("{digits:?} is no number"))?;
    Ok((Token::Number(number), behind))
}

/// A name, with a prefix and a star behind it if they follow at once.
fn name(text: &str) -> Result<(String, &str), String> {
    let first = ncname(text).ok_or("a name is missing")?;
    let behind = text.get(first.len()..).unwrap_or_default();
    if let Some(local) = behind
        .strip_prefix(':')
        .filter(|local| !local.starts_with(':'))
    {
        if let Some(after) = local.strip_prefix('*') {
            return Ok((format!("{first}:*"), after));
        }
        if let Some(local) = ncname(local) {
            let length = first.len() + 1 + local.len();
            let (name, after) = text.split_at(length);
            return Ok((name.to_owned(), after));
        }
    }
    Ok((first.to_owned(), behind))
}

fn ncname(text: &str) -> Option<&str> {
    let first = text.chars().next().filter(|first| is_name_start(*first))?;
    let end = text.find(|character: char| !is_name_part(character));
    debug_assert!(end != Some(0), "{first}");
    text.get(..end.unwrap_or(text.len()))
}

/// Whether a name or star here is an operator: something stands before it, and no operator, sign of a path or opening
/// bracket does.
fn is_operator_next(before: &[Token]) -> bool {
    match before.last() {
        None | Some(Token::Operator(_)) => false,
        Some(Token::Sign(sign)) => matches!(*sign, ")" | "]" | "." | ".." | "*"),
        Some(Token::Name(_) | Token::Variable(_) | Token::Literal(_) | Token::Number(_)) => true,
    }
}
