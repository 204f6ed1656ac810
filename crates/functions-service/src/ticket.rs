//! One call: who answered, and what is on the account and in the log when it is over.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Frame, SizeHint};
use stoa_functions::activator::Served;
use stoa_functions::{Body, ColdStart};

use crate::log_store::LoggedCall;
use crate::metering::{Account, Done};
use crate::own::Depth;
use crate::service::FunctionService;

/// Characters of the path of a call in the log.
const MAX_LOGGED_PATH: usize = 500;

/// Who answered: an extension of every answer.
#[derive(Clone, Debug)]
pub struct Answered {
    /// None for what is no version yet.
    pub version: Option<u32>,
    pub served: Option<Served>,
}

/// Writes a call down when it is over, however that comes.
pub(crate) struct Ticket {
    service: FunctionService,
    account: Account,
    begun: Instant,
    cold: Option<ColdStart>,
    failed: bool,
    forgotten: bool,
    _depth: Arc<Depth>,
    asked: Asked,
    status: Option<u16>,
    instance: Option<stoa_functions::InstanceId>,
}

/// What a call is called by in the log.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    request: String,
    method: String,
    path: String,
}

impl Asked {
    pub(crate) fn of<B>(request: &Request<B>, named: String) -> Self {
        let path = request.uri().path().chars().take(MAX_LOGGED_PATH).collect();
        Self { request: named, method: request.method().to_string(), path }
    }
}

impl Ticket {
    pub(crate) fn new(
        service: FunctionService,
        account: Account,
        begun: Instant,
        depth: Arc<Depth>,
        asked: Asked,
    ) -> Self {
        let (cold, status, instance) = (None, None, None);
        Self { service, account, begun, cold, failed: true, forgotten: false, _depth: depth, asked, status, instance }
    }

    /// The call is not over, but begun anew.
    pub(crate) fn forget(mut self) {
        self.forgotten = true;
    }

    /// The call is over with the body of this.
    pub(crate) fn answered(mut self, response: Response<Body>, version: Option<u32>) -> Response<MeteredBody> {
        let served = response.extensions().get::<Served>().cloned();
        self.cold = served.as_ref().and_then(|served| served.cold_start);
        self.failed = response.status().is_server_error();
        self.status = Some(response.status().as_u16());
        self.instance = served.as_ref().map(|served| served.instance.clone());
        let mut response = response.map(|body| MeteredBody { body, ticket: Some(self) });
        response.extensions_mut().insert(Answered { version, served });
        response
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.forgotten {
            return;
        }
        let done = Done { failed: self.failed, duration: self.begun.elapsed(), cold: self.cold };
        let Asked { request, method, path } = self.asked.clone();
        let ms = u64::try_from(done.duration.as_millis()).unwrap_or(u64::MAX);
        let alias = self.account.alias.clone();
        let call = LoggedCall { number: 0, request, method, path, status: self.status, ms, alias };
        self.service.call_is_over(self.account.clone(), done, self.instance.as_ref(), call);
    }
}

/// The body of an answer, on the account until it is over.
pub struct MeteredBody {
    body: Body,
    ticket: Option<Ticket>,
}

impl http_body::Body for MeteredBody {
    type Data = Bytes;
    type Error = stoa_functions::CallError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        match &polled {
            Poll::Ready(None) => self.ticket = None,
            Poll::Ready(Some(Err(_))) => {
                if let Some(ticket) = &mut self.ticket {
                    ticket.failed = true;
                }
                self.ticket = None;
            }
            _ => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
