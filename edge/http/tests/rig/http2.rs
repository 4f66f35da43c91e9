//! HTTP/2 peers made with hyper.

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};

/// Sends a body back with a trailer, and tells in fields what arrived.
pub(crate) async fn http2_upstream() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let service = hyper::service::service_fn(answer);
            tokio::spawn(
                hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                    .serve_connection(TokioIo::new(stream), service),
            );
        }
    });
    address
}

type Frames = tokio_stream::Iter<std::vec::IntoIter<Result<Frame<Bytes>, Infallible>>>;

async fn answer(request: Request<Incoming>) -> Result<Response<StreamBody<Frames>>, Infallible> {
    let cookie = request.headers().get("cookie").cloned();
    let host = request.uri().authority().unwrap().as_str().to_owned();
    assert!(request.headers().get("host").is_none());
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let mut trailers = HeaderMap::new();
    trailers.insert("x-sum", "7".parse().unwrap());
    let frames = vec![Ok(Frame::data(body)), Ok(Frame::trailers(trailers))];
    let mut response = Response::new(StreamBody::new(tokio_stream::iter(frames)));
    response
        .headers_mut()
        .insert("x-host", host.parse().unwrap());
    if let Some(cookie) = cookie {
        response.headers_mut().insert("x-cookie", cookie);
    }
    Ok(response)
}

/// Sends one request with prior knowledge and two cookie crumbs; reads the response with its trailers.
pub(crate) async fn http2_request(
    address: SocketAddr,
    path: &str,
    body: &'static [u8],
) -> (Response<()>, Vec<u8>, Option<HeaderMap>) {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
    tokio::spawn(connection);
    let request = Request::post(format!("http://two.test{path}"))
        .header("cookie", "a=1")
        .header("cookie", "b=2")
        .header("te", "trailers")
        .body(Full::new(Bytes::from_static(body)))
        .unwrap();
    let (parts, incoming) = sender.send_request(request).await.unwrap().into_parts();
    let collected = incoming.collect().await.unwrap();
    let trailers = collected.trailers().cloned();
    (
        Response::from_parts(parts, ()),
        collected.to_bytes().to_vec(),
        trailers,
    )
}
