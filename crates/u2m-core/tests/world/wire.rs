//! The way between a flow and the server, on which requests and answers get lost, delayed or both.

use super::World;
use super::flow::State;
use std::time::Duration;
use u2m_core::{HttpResponse, TransportFailure, TransportFailureKind};
use url::form_urlencoded;

pub(crate) type Outcome = Result<HttpResponse, TransportFailure>;

/// After this long without an answer, a flow hears that the time is up.
const DEADLINE: i64 = 30;

/// Something that is going to happen on the wire.
pub(crate) struct Event {
    pub(crate) at: i64,
    flow: usize,
    path: String,
    token: String,
    what: What,
}

#[derive(Clone, Copy)]
enum What {
    /// The request arrives, and its answer too.
    Exchange,
    /// The request arrives; its answer does not.
    AnswerLost,
    /// The request arrives after its sender has stopped waiting.
    Late,
    /// The server is busy, and says so.
    Busy,
    /// The sender learns of a failure.
    Failure(TransportFailureKind),
}

impl World {
    /// Sends a request; the weather decides what becomes of it.
    pub(crate) fn post(&mut self, flow: usize, path: &str, form: &str) {
        let token = refresh_token_of(form);
        let soon = self.now + self.chance.within(0, if self.plan.faults { 20 } else { 3 });
        let up = self.now + DEADLINE;
        let whole = !self.plan.faults || !self.chance.once_in(3);
        match if whole { 0 } else { 1 + self.chance.below(6) } {
            0 => self.arrange(soon, flow, path, &token, What::Exchange),
            1 => self.arrange(soon, flow, path, &token, What::Busy),
            2 => {
                self.arrange(soon, flow, path, &token, What::Failure(TransportFailureKind::NotSent))
            }
            3 => {
                self.arrange(soon, flow, path, &token, What::Failure(TransportFailureKind::Broken))
            }
            4 => self.arrange(soon, flow, path, &token, What::AnswerLost),
            5 => {
                self.arrange(up, flow, path, &token, What::Failure(TransportFailureKind::TimedOut))
            }
            _ => {
                let late = self.now + self.chance.within(0, 2 * DEADLINE);
                self.arrange(late, flow, path, &token, What::Late);
                self.arrange(up, flow, path, &token, What::Failure(TransportFailureKind::TimedOut));
            }
        }
    }

    fn arrange(&mut self, at: i64, flow: usize, path: &str, token: &str, what: What) {
        self.wire.push(Event { at, flow, path: path.to_owned(), token: token.to_owned(), what });
    }

    /// Lets one event happen.
    pub(crate) fn happen(&mut self, event: usize) {
        let Event { flow, path, token, what, .. } = self.wire.swap_remove(event);
        let outcome = match what {
            What::Busy => {
                let busy = HttpResponse::new(503, Vec::new());
                // Some ask for a pause, of which none counts beyond an hour.
                Ok(match u64::try_from(self.now % 4).unwrap_or(0) {
                    0 => busy.with_retry_after(Duration::from_secs(1 << (self.now / 4 % 8))),
                    _ => busy,
                })
            }
            What::Failure(kind) => {
                self.count("request or answer lost");
                Err(TransportFailure::new(kind))
            }
            What::Exchange => Ok(self.arrive(flow, &path, token, what)),
            What::AnswerLost => {
                self.arrive(flow, &path, token, what);
                Err(TransportFailure::new(TransportFailureKind::Broken))
            }
            What::Late => {
                self.arrive(flow, &path, token, what);
                return;
            }
        };
        self.hand_back(flow, outcome);
    }

    /// A request reaches the server.
    fn arrive(&mut self, flow: usize, path: &str, token: String, what: What) -> HttpResponse {
        if path != self.server.token_path() {
            self.count("endpoint gone");
            return HttpResponse::new(404, Vec::new());
        }
        self.law_of_one_request();
        let is_gone = self.flows[flow].is_over() || matches!(what, What::Late);
        if is_gone {
            // The sender does not listen any more, and another flow may have overtaken its request.
            self.count("request of nobody");
            self.server.lose(&token);
        }
        let (answer, granted) = self.server.respond(&token, self.now);
        if granted && !is_gone && matches!(what, What::Exchange) {
            self.flows[flow].holds_successor_of = Some(token);
        } else if granted {
            self.server.lose(&token);
        }
        answer
    }

    fn hand_back(&mut self, flow: usize, answer: Outcome) {
        // A flow that has died hears nothing; one that was told that its time is up does not hear twice.
        if let State::Asking { outcome: outcome @ None, .. } = &mut self.flows[flow].state {
            *outcome = Some(answer);
        }
    }
}

pub(crate) fn refresh_token_of(form: &str) -> String {
    let mut pairs = form_urlencoded::parse(form.as_bytes());
    pairs
        .find(|(key, _)| key == "refresh_token")
        .map(|(_, token)| token.into_owned())
        .unwrap_or_default()
}
