//! Passes every request on to one upstream, with one thread. The only argument is a file with two addresses:
//! where to listen, and the upstream.

use std::net::SocketAddr;

use async_trait::async_trait;
use pingora_core::{
    Error, ErrorType, Result,
    server::{Server, configuration::ServerConf},
    upstreams::peer::HttpPeer,
};
use pingora_proxy::{ProxyHttp, Session, http_proxy_service};

struct Pass(SocketAddr);

#[async_trait]
impl ProxyHttp for Pass {
    type CTX = ();

    fn new_ctx(&self) {}

    async fn upstream_peer(&self, _: &mut Session, _: &mut ()) -> Result<Box<HttpPeer>> {
        Ok(Box::new(HttpPeer::new(self.0, false, String::new())))
    }
}

fn main() -> Result<()> {
    let usage = || Error::explain(ErrorType::InternalError, "usage: pingora-peer FILE");
    let file = std::env::args().nth(1).ok_or_else(usage)?;
    let text = std::fs::read_to_string(file).map_err(|_unreadable| usage())?;
    let (address, upstream) = text.trim().split_once(' ').ok_or_else(usage)?;
    let upstream = upstream.parse().map_err(|_malformed| usage())?;
    let configuration = ServerConf {
        threads: 1,
        upstream_keepalive_pool_size: 128,
        ..ServerConf::default()
    };
    let mut server = Server::new_with_opt_and_conf(None, configuration);
    server.bootstrap();
    let mut service = http_proxy_service(&server.configuration, Pass(upstream));
    service.add_tcp(address);
    server.add_service(service);
    server.run_forever();
}
