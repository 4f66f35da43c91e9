//! Small fakes of what policies find outside: systems to call, time, caches, endpoints.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::executor::block_on;
use tidegate_policy::{
    BoxFuture, Cache, CallError, Exchange, Failure, HttpClient, Interceptor, Invocation,
    OutboundCall, Overloaded, Resource, ResourceError, Resources, Services, Tasks,
};

/// Notes calls and gives one answer to all.
#[derive(Debug)]
pub(crate) struct FakeHttp {
    calls: RefCell<Vec<OutboundCall>>,
    answer: Result<http::Response<Bytes>, CallError>,
}

impl FakeHttp {
    pub(crate) fn answering(status: u16, headers: &[(&str, &str)], body: &str) -> Rc<Self> {
        let mut answer = http::Response::builder().status(status);
        for (name, value) in headers {
            answer = answer.header(*name, *value);
        }
        let answer = answer.body(Bytes::copy_from_slice(body.as_bytes()));
        Rc::new(Self {
            calls: RefCell::default(),
            answer: Ok(answer.unwrap()),
        })
    }

    pub(crate) fn failing(error: CallError) -> Rc<Self> {
        Rc::new(Self {
            calls: RefCell::default(),
            answer: Err(error),
        })
    }

    /// Takes the calls made until now.
    pub(crate) fn calls(&self) -> Vec<OutboundCall> {
        self.calls.take()
    }
}

impl HttpClient for FakeHttp {
    fn send(&self, call: OutboundCall) -> BoxFuture<'_, Result<http::Response<Bytes>, CallError>> {
        self.calls.borrow_mut().push(call);
        Box::pin(std::future::ready(self.answer.clone()))
    }
}

/// Keeps tasks until they are run, and notes how long was slept.
#[derive(Default)]
pub(crate) struct FakeTasks {
    tasks: RefCell<Vec<BoxFuture<'static, ()>>>,
    sleeps: RefCell<Vec<Duration>>,
}

impl std::fmt::Debug for FakeTasks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FakeTasks")
    }
}

impl FakeTasks {
    pub(crate) fn run(&self) {
        for task in self.tasks.take() {
            block_on(task);
        }
    }

    pub(crate) fn sleeps(&self) -> Vec<Duration> {
        self.sleeps.take()
    }
}

impl Tasks for FakeTasks {
    /// Is over the second time it is looked at, so that what is ready at once wins.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.sleeps.borrow_mut().push(duration);
        Box::pin(yield_once())
    }

    fn spawn(&self, task: BoxFuture<'static, ()>) -> Result<(), Overloaded> {
        self.tasks.borrow_mut().push(task);
        Ok(())
    }
}

async fn yield_once() {
    let mut has_waited = false;
    std::future::poll_fn(|context| {
        if has_waited {
            return std::task::Poll::Ready(());
        }
        has_waited = true;
        context.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
}

/// A cache that keeps everything and notes times to live.
#[derive(Debug, Default)]
pub(crate) struct FakeCache {
    pub(crate) entries: Mutex<BTreeMap<String, (Bytes, Option<Duration>)>>,
    pub(crate) is_down: bool,
}

impl FakeCache {
    /// Gives the exchange's API this cache under a name.
    pub(crate) fn install(self: &Arc<Self>, name: &str, exchange: &mut Exchange) {
        let mut resources = Resources::default();
        resources.insert(name, Resource::Cache(Arc::<Self>::clone(self)));
        let mut api = (*exchange.api).clone();
        api.resources = Arc::new(resources);
        exchange.api = Arc::new(api);
    }

    fn answer<T: 'static>(&self, value: T) -> BoxFuture<'static, Result<T, ResourceError>> {
        let result = if self.is_down {
            Err(ResourceError::Unavailable("down".to_owned()))
        } else {
            Ok(value)
        };
        Box::pin(std::future::ready(result))
    }
}

impl Cache for FakeCache {
    fn get<'a>(
        &'a self,
        key: &'a str,
        _services: &'a Services,
    ) -> BoxFuture<'a, Result<Option<Bytes>, ResourceError>> {
        let entries = self.entries.lock().unwrap();
        self.answer(entries.get(key).map(|(value, _)| value.clone()))
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        value: Bytes,
        time_to_live: Option<Duration>,
        _services: &'a Services,
    ) -> BoxFuture<'a, Result<(), ResourceError>> {
        if !self.is_down {
            let mut entries = self.entries.lock().unwrap();
            entries.insert(key.to_owned(), (value, time_to_live));
        }
        self.answer(())
    }

    fn evict<'a>(
        &'a self,
        key: &'a str,
        _services: &'a Services,
    ) -> BoxFuture<'a, Result<(), ResourceError>> {
        self.entries.lock().unwrap().remove(key);
        self.answer(())
    }
}

/// An endpoint that gives prepared answers and counts what is asked of it.
#[derive(Debug, Default)]
pub(crate) struct FakeEndpoint {
    pub(crate) answers: VecDeque<Answer>,
    pub(crate) calls: usize,
    pub(crate) discarded: usize,
}

/// What a fake endpoint answers.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Response(u16, &'static [(&'static str, &'static str)], &'static str),
    Failure(u16),
    /// Never.
    Silence,
}

impl FakeEndpoint {
    pub(crate) fn new(answers: impl IntoIterator<Item = Answer>) -> Self {
        Self {
            answers: answers.into_iter().collect(),
            ..Self::default()
        }
    }

    /// Runs the last interceptor of the exchange around this endpoint.
    pub(crate) fn around(
        &mut self,
        exchange: &mut Exchange,
        services: &Services,
    ) -> Result<(), Box<Failure>> {
        let interceptor: Arc<dyn Interceptor> =
            Arc::clone(exchange.interceptors.last().expect("an interceptor"));
        block_on(interceptor.around(exchange, services, self))
    }
}

impl Invocation for FakeEndpoint {
    fn call<'a>(
        &'a mut self,
        exchange: &'a mut Exchange,
    ) -> BoxFuture<'a, Result<(), Box<Failure>>> {
        self.calls += 1;
        let answer = self
            .answers
            .pop_front()
            .unwrap_or(Answer::Response(200, &[], ""));
        Box::pin(async move {
            match answer {
                Answer::Silence => std::future::pending().await,
                Answer::Failure(status) => {
                    let status = http::StatusCode::from_u16(status).unwrap();
                    Err(Box::new(Failure::new(status)))
                }
                Answer::Response(status, headers, body) => {
                    exchange.response.status = http::StatusCode::from_u16(status).unwrap();
                    for (name, value) in headers {
                        let value = http::HeaderValue::from_static(value);
                        exchange.response.headers.append(*name, value);
                    }
                    exchange
                        .response
                        .content
                        .set(Bytes::from_static(body.as_bytes()));
                    Ok(())
                }
            }
        })
    }

    fn read_response<'a>(
        &'a mut self,
        _exchange: &'a mut Exchange,
    ) -> BoxFuture<'a, Result<(), Box<Failure>>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn discard_response(&mut self, exchange: &mut Exchange) {
        self.discarded += 1;
        exchange.response = tidegate_policy::ResponseFacts::default();
    }
}
