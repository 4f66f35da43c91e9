//! The bare transport as a proxy: every request goes to one upstream. Used to measure against other proxies.
//!
//! `passthrough LISTEN UPSTREAM [WORKERS]`, for example `passthrough 127.0.0.1:8082 127.0.0.1:9000 1`.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use tidegate_edge_http::bind::{Binds, start_workers};
use tidegate_edge_http::body::Body;
use tidegate_edge_http::message::{Request, Response};
use tidegate_edge_http::server::{ConnectionFacts, Handler, Limits, Reply};
use tidegate_edge_http::upstream::{TargetOptions, UpstreamPools, UpstreamTarget};
use tokio_util::sync::CancellationToken;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

struct PassThrough {
    pools: UpstreamPools,
    target: Arc<UpstreamTarget>,
}

impl Handler for PassThrough {
    async fn handle(&self, request: Request, _: &Rc<ConnectionFacts>) -> Reply {
        match self.pools.send(&self.target, request).await {
            Ok(reply) => match reply.upgrade {
                Some(upstream) => Reply::Upgrade {
                    response: reply.response.map(drop),
                    upstream,
                },
                None => Reply::Response(reply.response),
            },
            Err(error) => {
                let status = if error.is_timeout() {
                    http::StatusCode::GATEWAY_TIMEOUT
                } else {
                    http::StatusCode::BAD_GATEWAY
                };
                Reply::Response(Response::new(status, Body::full(error.to_string())))
            }
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let listen: SocketAddr = arguments.next().ok_or("missing LISTEN")?.parse()?;
    let upstream: SocketAddr = arguments.next().ok_or("missing UPSTREAM")?.parse()?;
    let workers: usize = arguments.next().unwrap_or_else(|| "1".to_owned()).parse()?;
    let mut options = TargetOptions::new(upstream.ip().to_string(), upstream.port());
    options.connections_max = 1024;
    let target = UpstreamTarget::intern(options)?;
    let binds = Binds {
        http: Some(listen),
        https: None,
    };
    let make = move |_| PassThrough {
        pools: UpstreamPools::new(workers),
        target: Arc::clone(&target),
    };
    start_workers(
        workers,
        &binds,
        make,
        &Limits::default(),
        CancellationToken::new(),
    )?
    .join();
    Ok(())
}
