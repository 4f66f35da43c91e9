//! The places of an exchange in which steps run.

/// A place in the life of an exchange in which policies run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Before the endpoint is called.
    Request,
    /// After the endpoint has answered.
    Response,
    /// Per message from the client (`publish`).
    MessageRequest,
    /// Per message to the client (`subscribe`).
    MessageResponse,
    /// When a native client connects.
    Connect,
    /// Per native protocol request.
    Interact,
}

impl Phase {
    /// Returns the member of a flow that holds the steps of this phase.
    #[must_use]
    pub const fn flow_member(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Response => "response",
            Self::MessageRequest => "publish",
            Self::MessageResponse => "subscribe",
            Self::Connect => "connect",
            Self::Interact => "interact",
        }
    }
}
