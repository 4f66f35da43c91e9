//! JSON to a value. Only the structure is read here, so that duplicate keys and the place of every error are known;
//! strings and numbers are decoded by `serde_json`.

use serde_json::{Map, Number, Value};

use super::{Budget, DEPTH_MAX, Place, SourceError, member_path};

/// Why a text is refused.
#[derive(Debug)]
pub(super) enum Error {
    /// It is no JSON.
    Syntax(SourceError),
    /// It is JSON that breaks a limit or has duplicate keys.
    Refused(SourceError),
}

/// Reads one JSON value that takes up the whole text.
pub(super) fn parse(text: &str) -> Result<Value, Error> {
    let mut reader = Reader {
        text,
        position: 0,
        budget: Budget::new(),
    };
    let value = reader.value("", 0)?;
    reader.skip_blanks();
    if reader.position < text.len() {
        return Err(reader.syntax("the end of the file"));
    }
    Ok(value)
}

struct Reader<'a> {
    text: &'a str,
    position: usize,
    budget: Budget,
}

impl<'a> Reader<'a> {
    fn value(&mut self, path: &str, depth: usize) -> Result<Value, Error> {
        self.skip_blanks();
        match self.peek() {
            Some(b'{' | b'[') if depth >= DEPTH_MAX => {
                let error = SourceError::new(
                    self.place(self.position),
                    "a deeper nesting",
                    format!("at most {DEPTH_MAX} levels"),
                );
                Err(Error::Refused(error.at(path)))
            }
            Some(b'{') => self.object(path, depth),
            Some(b'[') => self.array(path, depth),
            Some(b'"') => Ok(Value::String(self.string()?)),
            Some(b't' | b'f' | b'n') => self.word(),
            Some(b'-' | b'0'..=b'9') => self.number(path),
            _ => Err(self.syntax("a JSON value")),
        }
    }

    fn object(&mut self, path: &str, depth: usize) -> Result<Value, Error> {
        self.spend(0)?;
        self.position += 1;
        let mut members = Map::new();
        self.skip_blanks();
        if self.take(b'}') {
            return Ok(Value::Object(members));
        }
        loop {
            self.skip_blanks();
            let key_at = self.position;
            if self.peek() != Some(b'"') {
                return Err(self.syntax("a key in double quotes"));
            }
            let key = self.string()?;
            let path = member_path(path, &key);
            if members.contains_key(&key) {
                let error = SourceError::new(
                    self.place(key_at),
                    "a key that is there already",
                    "each key once",
                );
                return Err(Error::Refused(error.at(&path)));
            }
            self.skip_blanks();
            if !self.take(b':') {
                return Err(self.syntax("':'"));
            }
            let value = self.value(&path, depth + 1)?;
            members.insert(key, value);
            self.skip_blanks();
            if self.take(b'}') {
                return Ok(Value::Object(members));
            }
            if !self.take(b',') {
                return Err(self.syntax("',' or '}'"));
            }
        }
    }

    fn array(&mut self, path: &str, depth: usize) -> Result<Value, Error> {
        self.spend(0)?;
        self.position += 1;
        let mut items = Vec::new();
        self.skip_blanks();
        if self.take(b']') {
            return Ok(Value::Array(items));
        }
        loop {
            let item = self.value(&format!("{path}[{}]", items.len()), depth + 1)?;
            items.push(item);
            self.skip_blanks();
            if self.take(b']') {
                return Ok(Value::Array(items));
            }
            if !self.take(b',') {
                return Err(self.syntax("',' or ']'"));
            }
        }
    }

    fn string(&mut self) -> Result<String, Error> {
        let start = self.position;
        let bytes = self.text.as_bytes();
        let mut end = start + 1;
        while let Some(byte) = bytes.get(end) {
            match byte {
                b'"' => break,
                b'\\' => end += 2,
                _ => end += 1,
            }
        }
        let token = self.text.get(start..=end);
        let decoded = token.and_then(|token| serde_json::from_str::<String>(token).ok());
        let Some(decoded) = decoded else {
            return Err(self.syntax("a string with valid escapes and its closing quote"));
        };
        self.position = end + 1;
        self.spend(decoded.len())?;
        Ok(decoded)
    }

    fn word(&mut self) -> Result<Value, Error> {
        self.spend(0)?;
        let words = [
            ("true", Value::Bool(true)),
            ("false", Value::Bool(false)),
            ("null", Value::Null),
        ];
        for (word, value) in words {
            if self.text[self.position..].starts_with(word) {
                self.position += word.len();
                return Ok(value);
            }
        }
        Err(self.syntax("true, false or null"))
    }

    fn number(&mut self, path: &str) -> Result<Value, Error> {
        self.spend(0)?;
        let rest = &self.text[self.position..];
        let is_part = |c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | 'e' | 'E');
        let token = &rest[..rest.find(|c| !is_part(c)).unwrap_or(rest.len())];
        // `serde_json` says whether it is a number; its floats may be off by the last bit, those of `str` are exact.
        let Ok(number) = serde_json::from_str::<Number>(token) else {
            return Err(self.syntax("a number"));
        };
        let exact = token.parse::<f64>().ok().and_then(Number::from_f64);
        let number = match (number.is_f64(), exact) {
            (true, _) if token == "-0" => Number::from(0),
            (true, Some(exact)) => exact,
            _ => number,
        };
        if number.is_f64() && !token.contains(['.', 'e', 'E']) {
            let error = SourceError::new(
                self.place(self.position),
                token,
                "a whole number of 64 bits, or a text in quotes",
            );
            return Err(Error::Refused(error.at(path)));
        }
        self.position += token.len();
        Ok(Value::Number(number))
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.position).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.position += usize::from(is_next);
        is_next
    }

    fn skip_blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.position += 1;
        }
    }

    fn spend(&mut self, text_bytes: usize) -> Result<(), Error> {
        let place = Place { line: 1, column: 1 };
        self.budget
            .spend(1, text_bytes, place)
            .map_err(Error::Refused)
    }

    fn place(&self, position: usize) -> Place {
        let before = &self.text[..position];
        let line_start = before.rfind('\n').map_or(0, |index| index + 1);
        Place {
            line: before.bytes().filter(|byte| *byte == b'\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }

    fn syntax(&self, expected: &str) -> Error {
        let found = match self.text[self.position..].chars().next() {
            Some(character) => format!("{character:?}"),
            None => "the end of the file".to_owned(),
        };
        Error::Syntax(SourceError::new(self.place(self.position), found, expected))
    }
}
