//! Base64 and the form encoding of `URLEncoder`/`URLDecoder`.

use base64::Engine;
use base64::engine::general_purpose::{
    GeneralPurpose, STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD,
};
use base64::engine::{DecodePaddingMode, GeneralPurposeConfig};

use super::super::arguments::{bounded, text};
use super::super::{Outcome, object};
use super::{Static, pure};
use crate::error::{EvalErrorKind, shorten};
use crate::value::{ByteArray, Object, Text, Value};

pub(super) const STATICS: &[Static] = &[
    pure("Base64", "getEncoder", 0..=0, |_args| {
        Ok(object(Encoder {
            is_url: false,
            pads: true,
        }))
    }),
    pure("Base64", "getUrlEncoder", 0..=0, |_args| {
        Ok(object(Encoder {
            is_url: true,
            pads: true,
        }))
    }),
    pure("Base64", "getDecoder", 0..=0, |_args| {
        Ok(object(Decoder { is_url: false }))
    }),
    pure("Base64", "getUrlDecoder", 0..=0, |_args| {
        Ok(object(Decoder { is_url: true }))
    }),
    pure("URLEncoder", "encode", 1..=2, |args| {
        bounded(form_encode(&text(args, 0)?))
    }),
    pure("URLDecoder", "decode", 1..=2, |args| {
        form_decode(&text(args, 0)?)
    }),
];

#[derive(Debug)]
struct Encoder {
    is_url: bool,
    pads: bool,
}

impl Encoder {
    fn encode(&self, bytes: &[u8]) -> String {
        match (self.is_url, self.pads) {
            (false, true) => STANDARD.encode(bytes),
            (false, false) => STANDARD_NO_PAD.encode(bytes),
            (true, true) => URL_SAFE.encode(bytes),
            (true, false) => URL_SAFE_NO_PAD.encode(bytes),
        }
    }
}

impl Object for Encoder {
    fn type_name(&self) -> &'static str {
        "Base64 encoder"
    }

    fn to_text(&self) -> Text {
        Text::constant("Base64.Encoder")
    }

    fn call(&self, method: &str, arguments: &[Value]) -> Option<Result<Value, String>> {
        if method == "withoutPadding" {
            let encoder = Self {
                is_url: self.is_url,
                pads: false,
            };
            return Some(Ok(object(encoder)));
        }
        let bytes = match arguments.first() {
            Some(Value::Object(bytes)) => bytes.as_bytes(),
            Some(Value::Text(text)) => Some(text.as_bytes()),
            _ => None,
        };
        let Some(bytes) = bytes else {
            return Some(Err("encoding takes a byte array".to_owned()));
        };
        match method {
            "encodeToString" => Some(Ok(self.encode(bytes).into())),
            "encode" => Some(Ok(object(ByteArray(self.encode(bytes).into_bytes())))),
            _ => None,
        }
    }
}

#[derive(Debug)]
struct Decoder {
    is_url: bool,
}

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD_DECODER: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::STANDARD, LENIENT);
const URL_DECODER: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::URL_SAFE, LENIENT);

impl Object for Decoder {
    fn type_name(&self) -> &'static str {
        "Base64 decoder"
    }

    fn to_text(&self) -> Text {
        Text::constant("Base64.Decoder")
    }

    fn call(&self, method: &str, arguments: &[Value]) -> Option<Result<Value, String>> {
        if method != "decode" {
            return None;
        }
        let encoded = match arguments.first() {
            Some(Value::Object(bytes)) => bytes.as_bytes(),
            Some(Value::Text(text)) => Some(text.as_bytes()),
            _ => None,
        };
        let Some(encoded) = encoded else {
            return Some(Err("decoding takes text or a byte array".to_owned()));
        };
        let engine = if self.is_url {
            URL_DECODER
        } else {
            STANDARD_DECODER
        };
        Some(match engine.decode(encoded) {
            Ok(bytes) => Ok(object(ByteArray(bytes))),
            Err(error) => Err(format!("not Base64: {error}")),
        })
    }
}

/// `application/x-www-form-urlencoded` as Java writes it: a blank becomes `+`.
fn form_encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'*' | b'_' => {
                out.push(char::from(byte));
            }
            b' ' => out.push('+'),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

fn form_decode(text: &str) -> Outcome {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digits = after
                    .get(..2)
                    .and_then(|digits| std::str::from_utf8(digits).ok());
                let decoded = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
                let Some(decoded) = decoded else {
                    return Err(EvalErrorKind::Unparsable {
                        text: shorten(text.to_owned()),
                        expected: "percent-encoded".to_owned(),
                    });
                };
                bytes.push(decoded);
                rest = &after[2..];
            }
            byte => bytes.push(*byte),
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned().into())
}
