//! A body whose end somebody waits for.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};

use super::{Body, BodyError};

/// How a body ended.
#[derive(Clone, Copy, Debug)]
pub enum BodyEnd<'a> {
    /// Everything was read.
    Complete,
    /// It failed.
    Failed(&'a BodyError),
    /// It was dropped before its end, because nobody takes the rest.
    Abandoned,
}

type OnEnd = Box<dyn FnOnce(u64, BodyEnd<'_>)>;
type OnData = Box<dyn FnMut(&Bytes)>;

/// A body that tells once how it ended and how many bytes were read of it.
pub struct ObservedBody {
    body: Body,
    bytes: u64,
    /// Gone once told.
    on_end: Option<OnEnd>,
    on_data: Option<OnData>,
}

impl std::fmt::Debug for ObservedBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ObservedBody").field(&self.body).finish()
    }
}

impl ObservedBody {
    pub(super) fn new(body: Body, on_end: impl FnOnce(u64, BodyEnd<'_>) + 'static) -> ObservedBody {
        ObservedBody {
            body,
            bytes: 0,
            on_end: Some(Box::new(on_end)),
            on_data: None,
        }
    }

    pub(super) fn tapped(body: Body, on_data: impl FnMut(&Bytes) + 'static) -> ObservedBody {
        ObservedBody {
            body,
            bytes: 0,
            on_end: None,
            on_data: Some(Box::new(on_data)),
        }
    }

    pub(super) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = std::task::ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &polled {
            Some(Ok(frame)) => {
                self.bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
                if let (Some(on_data), Some(data)) = (&mut self.on_data, frame.data_ref()) {
                    on_data(data);
                }
                // Whoever knows that this was the last frame does not ask again.
                if self.body.is_end_stream() {
                    self.tell(BodyEnd::Complete);
                }
            }
            Some(Err(error)) => self.tell(BodyEnd::Failed(error)),
            None => self.tell(BodyEnd::Complete),
        }
        Poll::Ready(polled)
    }

    pub(super) fn poll_progress(&mut self, cx: &mut Context<'_>) {
        self.body.poll_progress(cx);
    }

    pub(super) fn is_end(&self) -> bool {
        self.body.is_end_stream()
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }

    fn tell(&mut self, end: BodyEnd<'_>) {
        if let Some(on_end) = self.on_end.take() {
            on_end(self.bytes, end);
        }
    }
}

impl Drop for ObservedBody {
    fn drop(&mut self) {
        let end = if self.body.is_end_stream() {
            BodyEnd::Complete
        } else {
            BodyEnd::Abandoned
        };
        self.tell(end);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::*;

    /// Yields its pieces and then waits for ever, fails, or ends.
    struct Pieces(Vec<Result<&'static str, BodyError>>, bool);

    impl http_body::Body for Pieces {
        type Data = Bytes;
        type Error = BodyError;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
            if self.0.is_empty() {
                return if self.1 {
                    Poll::Ready(None)
                } else {
                    Poll::Pending
                };
            }
            let piece = self.0.remove(0);
            Poll::Ready(Some(piece.map(|text| Frame::data(Bytes::from(text)))))
        }
    }

    /// Polls until nothing more comes, drops the body, and gives what was told.
    fn told(body: Body) -> Vec<String> {
        let told = Rc::new(RefCell::new(Vec::new()));
        let into = Rc::clone(&told);
        let mut body = body.observed(move |bytes, end| {
            into.borrow_mut().push(format!("{bytes} {end:?}"));
        });
        let mut cx = Context::from_waker(std::task::Waker::noop());
        while let Poll::Ready(Some(Ok(_))) = Pin::new(&mut body).poll_frame(&mut cx) {}
        drop(body);
        told.take()
    }

    #[test]
    fn the_end_is_told_once_with_what_was_read() {
        let stream = |pieces, ends| Body::stream(Pieces(pieces, ends));
        let failed = || Err(BodyError::UpstreamAborted);
        for (body, expected) in [
            (Body::Empty, "0 Complete"),
            (Body::full("four"), "4 Complete"),
            (stream(vec![Ok("two"), Ok("2")], true), "4 Complete"),
            (stream(vec![Ok("two")], false), "3 Abandoned"),
            (stream(vec![], false), "0 Abandoned"),
            (
                stream(vec![Ok("a"), failed()], true),
                "1 Failed(UpstreamAborted)",
            ),
        ] {
            assert_eq!(told(body), [expected]);
        }
    }

    #[test]
    fn what_was_not_read_at_all_is_abandoned() {
        let told = Rc::new(RefCell::new(String::new()));
        let into = Rc::clone(&told);
        let on_end = move |bytes, end: BodyEnd<'_>| *into.borrow_mut() = format!("{bytes} {end:?}");
        drop(Body::full("unread").observed(on_end));
        assert_eq!(*told.borrow(), "0 Abandoned");
    }
}
