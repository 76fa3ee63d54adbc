//! Callers and processes: who asks, who joins whom, who goes away.

use super::World;
use super::flow::{Flow, State};
use std::collections::VecDeque;
use u2m_core::{AccessToken, IssuedToken, Timestamp, TokenError, TokenOrigin, WhichToken};

/// What a caller asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Want {
    Newer(Option<AccessToken>),
    Other(AccessToken),
    Usable,
}

impl Want {
    fn ask(&self) -> WhichToken {
        match self {
            Self::Newer(seen) => WhichToken::Newer(seen.clone()),
            Self::Other(seen) => WhichToken::Other(seen.clone()),
            Self::Usable => WhichToken::Usable,
        }
    }

    /// Whether a caller that joined a flow can take its outcome. If not, it begins a flow of its own.
    fn is_met_by(&self, outcome: &Result<IssuedToken, TokenError>, leader: &Self) -> bool {
        match (self, outcome) {
            (Self::Usable, Ok(_)) => true,
            (Self::Newer(Some(seen)) | Self::Other(seen), Ok(issued)) => {
                *seen != issued.session().access_token
                    && !matches!(issued.how(), TokenOrigin::Kept(_))
            }
            (Self::Newer(None), Ok(issued)) => {
                matches!(issued.how(), TokenOrigin::Renewed | TokenOrigin::RenewedUnsaved(_))
            }
            (want, Err(_)) => (*want == Self::Usable) == (*leader == Self::Usable),
        }
    }
}

/// A process: a clock, and at most one flow at a time, which all its callers share.
pub(crate) struct Process {
    pub(crate) clock_error: i64,
    pub(crate) flight: Option<usize>,
}

pub(crate) struct Caller {
    pub(crate) process: usize,
    /// When it asks, in the world's time.
    pub(crate) times: VecDeque<i64>,
    pub(crate) waiting: Option<Waiting>,
    /// The last token it got.
    seen: Option<AccessToken>,
}

pub(crate) struct Waiting {
    want: Want,
    asked_at: Timestamp,
    flow: usize,
}

impl Caller {
    pub(crate) fn new(process: usize, times: VecDeque<i64>) -> Self {
        Self { process, times, waiting: None, seen: None }
    }

    /// Whether it is about to ask.
    pub(crate) fn is_due(&self, now: i64) -> bool {
        self.waiting.is_none() && self.times.front().is_some_and(|at| *at <= now)
    }
}

impl World {
    pub(crate) fn clock(&self, process: usize) -> Timestamp {
        Timestamp::from_unix(self.now + self.processes[process].clock_error)
    }

    /// A caller's time has come.
    pub(crate) fn ask(&mut self, caller: usize) {
        self.callers[caller].times.pop_front();
        let seen = self.callers[caller].seen.clone();
        let want = match (self.chance.below(10), seen) {
            _ if self.plan.crowd_wants.is_some() => {
                self.plan.crowd_wants.clone().unwrap_or(Want::Usable)
            }
            (0 | 1, seen) => Want::Newer(seen.filter(|_| self.chance.once_in(2))),
            (2 | 3, Some(seen)) => Want::Other(seen),
            _ => Want::Usable,
        };
        self.count(match &want {
            Want::Newer(_) => "ask for a newer one",
            Want::Other(_) => "ask for another one",
            Want::Usable => "ask",
        });
        let asked_at = self.clock(self.callers[caller].process);
        self.board(caller, want, asked_at);
    }

    /// Joins the flow of the caller's process, or begins one.
    fn board(&mut self, caller: usize, want: Want, asked_at: Timestamp) {
        let process = self.callers[caller].process;
        let flow = match self.processes[process].flight {
            Some(flow) => {
                self.count("join");
                flow
            }
            None => self.begin(process, want.clone(), asked_at),
        };
        self.callers[caller].waiting = Some(Waiting { want, asked_at, flow });
    }

    fn begin(&mut self, process: usize, want: Want, asked_at: Timestamp) -> usize {
        let step = self.request.clone().start(want.ask(), asked_at);
        self.flows.push(Flow {
            process,
            asked_at,
            want,
            state: State::Ready(step),
            first: (None, None),
            last: None,
            judged_at: asked_at,
            reloaded_at: asked_at,
            holds_successor_of: None,
        });
        let flow = self.flows.len() - 1;
        self.processes[process].flight = Some(flow);
        flow
    }

    /// A flow has ended: those who waited for it take what they can use, and the others begin anew.
    pub(crate) fn hand_out(&mut self, flow: usize, outcome: &Result<IssuedToken, TokenError>) {
        self.processes[self.flows[flow].process].flight = None;
        let leader = self.flows[flow].want.clone();
        self.count(match outcome {
            Ok(issued) => match issued.how() {
                TokenOrigin::Kept(_) => "kept",
                TokenOrigin::Renewed => "renewed",
                TokenOrigin::RenewedUnsaved(_) => "renewed, not saved",
                _ => "stored",
            },
            Err(_) => "error",
        });
        let mut unmet = Vec::new();
        for caller in 0..self.callers.len() {
            let Some(waiting) =
                self.callers[caller].waiting.take_if(|waiting| waiting.flow == flow)
            else {
                continue;
            };
            if waiting.want != leader && !waiting.want.is_met_by(outcome, &leader) {
                unmet.push((caller, waiting));
                continue;
            }
            if let Ok(issued) = outcome {
                self.law_of_answers(&waiting.want, issued);
                self.callers[caller].seen = Some(issued.session().access_token.clone());
            }
        }
        for (caller, waiting) in unmet {
            self.count("begin anew");
            self.board(caller, waiting.want, waiting.asked_at);
        }
    }

    /// A caller stops waiting; the flow that it led or joined goes on.
    pub(crate) fn go_away(&mut self, caller: usize) {
        if self.callers[caller].waiting.take().is_some() {
            self.count("caller gone");
        }
    }

    /// The callers of a process that has died wait for nothing any more; those that come later find a new process.
    pub(crate) fn bury(&mut self, process: usize) {
        self.processes[process].flight = None;
        for caller in self.callers.iter_mut().filter(|caller| caller.process == process) {
            caller.waiting = None;
            caller.seen = None;
        }
    }
}
