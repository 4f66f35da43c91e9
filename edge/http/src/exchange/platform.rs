//! Phases 1 and 12: the organisation's flows around those of every API. Source: `gravitee-v4.md` §3.1.

use std::pin::pin;

use http::StatusCode;
use tidegate_policy::{Failure, Phase};

use super::{
    Gateway,
    life::{Interruption, Life},
    timeout::{Elapsed, within},
};
use crate::{body::Body, flow::Selection};

impl Life<'_> {
    /// 1: chooses the organisation's flows, for both phases, and runs their request steps.
    pub(super) async fn enter_platform(&mut self, gateway: &Gateway) -> Result<(), Interruption> {
        let flows = self.snapshot.platform();
        let context = &gateway.context;
        if flows.selector_needs().request_content {
            self.buffer_request(context).await?;
        }
        self.platform = flows.select(&self.exchange);
        if flows.needs(&self.platform).request_content {
            self.buffer_request(context).await?;
        }
        let selection = self.platform.clone();
        self.run_flows(context, flows, &selection, Phase::Request)
            .await
    }

    /// 12: runs the response steps of the organisation's flows, on errors too. A failure here is a bare 500: nothing
    /// is left that could describe it.
    pub(super) async fn leave_platform(&mut self, gateway: &Gateway) {
        self.mark_response();
        let selection = std::mem::take(&mut self.platform);
        let limit = gateway.context.settings.request_timeout;
        let left = {
            let running = pin!(self.run_platform_response(gateway, &selection));
            within(limit, running).await
        };
        match left {
            Ok(Ok(())) => {}
            Ok(Err(Interruption::Answered(response))) => {
                self.exchange.response.status = response.status;
                self.exchange.response.headers = response.headers.into();
                self.replace_body(Body::full(response.body));
            }
            Ok(Err(Interruption::Failed(failure))) => self.end_bare(failure),
            Err(Elapsed) => {
                let failure = Failure::new(StatusCode::GATEWAY_TIMEOUT);
                self.end_bare(Box::new(failure.with_key("REQUEST_TIMEOUT")));
            }
        }
    }

    async fn run_platform_response(
        &mut self,
        gateway: &Gateway,
        selection: &Selection,
    ) -> Result<(), Interruption> {
        let flows = self.snapshot.platform();
        let context = &gateway.context;
        if flows.needs(selection).response_content {
            self.buffer_response(context).await?;
        }
        self.run_flows(context, flows, selection, Phase::Response)
            .await
    }

    fn end_bare(&mut self, failure: Box<Failure>) {
        self.exchange.response.status = StatusCode::INTERNAL_SERVER_ERROR;
        self.exchange.response.headers = http::HeaderMap::new().into();
        self.is_marked = false;
        self.replace_body(Body::Empty);
        self.error = Some(failure);
    }

    fn replace_body(&mut self, body: Body) {
        self.transfer.upgrade = None;
        self.exchange.response.content.take();
        self.transfer.response_body = body;
    }
}
