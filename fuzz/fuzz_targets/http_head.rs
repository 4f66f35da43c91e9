//! Heads and chunked bodies: no input panics, and what a decoder gives does not depend on how its input is split.

#![no_main]

use bytes::{Bytes, BytesMut};
use http::Method;
use libfuzzer_sys::fuzz_target;
use tidegate_edge_http::h1::{
    ChunkDecoder, ChunkError, Decoded, HeadLimits, parse_request, parse_response,
};

fuzz_target!(|data: &[u8]| {
    let limits = HeadLimits::default();
    let head = Bytes::copy_from_slice(data);
    if let Ok(request) = parse_request(&head, &limits) {
        for value in request.headers.values() {
            assert!(
                value
                    .as_bytes()
                    .iter()
                    .all(|byte| *byte == b'\t' || *byte >= b' ')
            );
        }
        assert!(!request.headers.contains_key("transfer-encoding"));
    }
    let _ = parse_response(&head, &Method::GET, &limits);

    let Some((first, body)) = data.split_first() else {
        return;
    };
    let cut = usize::from(*first).min(body.len());
    assert_eq!(decode(&[body]), decode(&[&body[..cut], &body[cut..]]));
});

fn decode(pieces: &[&[u8]]) -> Result<(Vec<u8>, bool), ChunkError> {
    let mut decoder = ChunkDecoder::default();
    let mut input = BytesMut::new();
    let mut content = Vec::new();
    for piece in pieces {
        input.extend_from_slice(piece);
        loop {
            match decoder.decode(&mut input)? {
                Decoded::Data(data) => content.extend_from_slice(&data),
                Decoded::Trailers(_) => {}
                Decoded::End => return Ok((content, true)),
                Decoded::More => break,
            }
        }
    }
    Ok((content, false))
}
