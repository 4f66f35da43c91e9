//! A small HTTP service to put behind the sample API: it answers with the request it got.

use std::{convert::Infallible, net::SocketAddr};

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{Request, Response, body::Bytes, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;

use crate::{failure::Failure, output};

/// Bodies are echoed up to this size, in bytes.
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// Serves until the process is ended.
pub(crate) async fn run(listen: SocketAddr) -> Result<(), Failure> {
    super::bind_to_parent()?;
    let listener = TcpListener::bind(listen).await?;
    let address = listener.local_addr()?.to_string();
    output::line(&json!({ "ready": true, "http": address }).to_string())?;
    loop {
        let (stream, _peer) = listener.accept().await?;
        tokio::spawn(async move {
            let server = auto::Builder::new(TokioExecutor::new());
            // A client that breaks off is no concern of an echo service.
            let _ = server
                .serve_connection(TokioIo::new(stream), service_fn(echo))
                .await;
        });
    }
}

async fn echo(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = match Limited::new(body, BODY_BYTES_MAX).collect().await {
        Ok(body) => String::from_utf8_lossy(&body.to_bytes()).into_owned(),
        Err(error) => format!("(not echoed: {error})"),
    };
    let mut headers = Map::new();
    for (name, value) in &head.headers {
        let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
        headers.insert(name.to_string(), Value::String(text));
    }
    let answer = json!({
        "method": head.method.as_str(),
        "path": head.uri.path(),
        "query": head.uri.query(),
        "headers": headers,
        "body": body,
    });
    let mut response = Response::new(Full::from(output::pretty(&answer) + "\n"));
    let json_type = hyper::header::HeaderValue::from_static("application/json");
    response
        .headers_mut()
        .insert(hyper::header::CONTENT_TYPE, json_type);
    Ok(response)
}
