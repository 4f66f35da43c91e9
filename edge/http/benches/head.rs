//! What it costs to read a head and to decode chunks.

use std::hint::black_box;

use bytes::{Bytes, BytesMut};
use criterion::{Criterion, criterion_group, criterion_main};
use tidegate_edge_http::h1::{ChunkDecoder, Decoded, HeadLimits, parse_request, parse_response};

const REQUEST: &[u8] = b"GET /shop/v1/items?page=2&size=50 HTTP/1.1\r\nhost: api.example.com\r\n\
    user-agent: Mozilla/5.0 (X11; Linux x86_64)\r\naccept: application/json\r\n\
    accept-encoding: gzip, deflate, br\r\nx-gravitee-api-key: 5cb8e3b4-6a4e-4b9a-8f0e-0f4a4b1c2d3e\r\n\
    cookie: session=0123456789abcdef\r\nconnection: keep-alive\r\n\r\n";

const RESPONSE: &[u8] =
    b"HTTP/1.1 200 OK\r\nserver: nginx\r\ndate: Tue, 24 Nov 2026 10:00:00 GMT\r\n\
    content-type: application/json\r\ncontent-length: 1024\r\nconnection: keep-alive\r\n\
    etag: \"65f0-400\"\r\naccept-ranges: bytes\r\n\r\n";

fn heads(criterion: &mut Criterion) {
    let limits = HeadLimits::default();
    let request = Bytes::from_static(REQUEST);
    criterion.bench_function("parse_request", |bencher| {
        bencher.iter(|| parse_request(black_box(&request), &limits));
    });
    let response = Bytes::from_static(RESPONSE);
    criterion.bench_function("parse_response", |bencher| {
        bencher.iter(|| parse_response(black_box(&response), &http::Method::GET, &limits));
    });
}

fn chunks(criterion: &mut Criterion) {
    let mut body = Vec::new();
    for _ in 0..64 {
        body.extend_from_slice(b"400\r\n");
        body.extend_from_slice(&[b'x'; 1024]);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"0\r\n\r\n");
    criterion.bench_function("decode_64_chunks_of_1_kib", |bencher| {
        bencher.iter(|| {
            let mut input = BytesMut::from(&body[..]);
            let mut decoder = ChunkDecoder::default();
            while !matches!(decoder.decode(&mut input), Ok(Decoded::End) | Err(_)) {}
            input
        });
    });
}

criterion_group!(benches, heads, chunks);
criterion_main!(benches);
