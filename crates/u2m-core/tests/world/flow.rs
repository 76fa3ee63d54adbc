//! The driver: it takes one real step of `u2m-core` at a time, so that anything may happen between two of them.

use super::laws::Law;
use super::plan::Driver;
use super::server::METADATA_PATH;
use super::wire::Outcome;
use super::{Want, World};
use u2m_core::{
    AccessToken, HttpCall, HttpResponse, IssuedToken, Lock, RefreshFailure, RefreshingToken,
    Session, StoreFailure, Timestamp, TokenError, TokenStep,
};

/// How long a flow waits for the lock.
const PATIENCE: i64 = 60;

/// One run through the steps, by the process that leads it.
pub(crate) struct Flow {
    pub(crate) process: usize,
    /// When its caller asked, by the process's clock.
    pub(crate) asked_at: Timestamp,
    pub(crate) want: Want,
    pub(crate) state: State,
    /// What was read before the lock.
    pub(crate) first: (Option<Session>, Option<RefreshFailure>),
    /// What was read last, and what the process's clock said then.
    pub(crate) last: Option<Session>,
    pub(crate) judged_at: Timestamp,
    /// What the clock said when the entry was read under the lock.
    pub(crate) reloaded_at: Timestamp,
    /// The refresh token whose successor is known to nobody but this flow.
    pub(crate) holds_successor_of: Option<String>,
}

#[allow(clippy::large_enum_variant, reason = "one of each in a world")]
pub(crate) enum State {
    Ready(TokenStep),
    Queueing {
        lock: Lock,
        until: i64,
    },
    Asking {
        call: HttpCall<RefreshingToken>,
        sent_at: Timestamp,
        outcome: Option<Outcome>,
        tries: u8,
    },
    Over,
}

impl World {
    /// Whether a flow could take a step now.
    pub(crate) fn can_step(&self, id: usize) -> bool {
        match &self.flows[id].state {
            State::Ready(_) => true,
            State::Queueing { until, .. } => !self.shelf.is_locked() || self.now >= *until,
            State::Asking { outcome, .. } => outcome.is_some(),
            State::Over => false,
        }
    }

    /// Takes one step of a flow.
    pub(crate) fn step(&mut self, id: usize) {
        let clock = self.clock(self.flows[id].process);
        let next = match std::mem::replace(&mut self.flows[id].state, State::Over) {
            // A process may die between its last write and the answer to its callers.
            State::Ready(TokenStep::Done(issued)) => return self.end(id, Ok(issued)),
            State::Ready(step) => self.take(id, step, clock),
            State::Queueing { lock, .. } => self.lock(id, lock),
            State::Asking { call, sent_at, outcome: Some(outcome), tries } => {
                self.hear(id, call, sent_at, outcome, tries)
            }
            State::Asking { outcome: None, .. } | State::Over => unreachable!("it cannot step now"),
        };
        match next {
            Ok(state) => self.flows[id].state = state,
            Err(error) => self.end(id, Err(error)),
        }
    }

    fn take(&mut self, id: usize, step: TokenStep, clock: Timestamp) -> Result<State, TokenError> {
        Ok(State::Ready(match step {
            TokenStep::Load(load) => {
                self.count("load");
                let entry = self.read(id, clock);
                self.flows[id].first = (entry.clone(), self.shelf.recall());
                let step = load.loaded(entry, clock)?;
                self.law_of_fresh_tokens(id, &step, clock);
                step
            }
            TokenStep::Lock(lock) => {
                if lock.is_worth_waiting()
                    && self.shelf.is_locked()
                    && self.driver != Driver::IgnoresTheLock
                {
                    self.count("wait for the lock");
                    self.law_of_queues(id);
                    return Ok(State::Queueing { lock, until: self.now + PATIENCE });
                }
                return self.lock(id, lock);
            }
            TokenStep::Reload(reload) => {
                self.count("reload");
                let (mut entry, mut refresh_failure) = (self.read(id, clock), self.shelf.recall());
                self.flows[id].reloaded_at = clock;
                if self.driver == Driver::SkipsTheRecheck {
                    (entry, refresh_failure) = self.flows[id].first.clone();
                }
                if self.driver == Driver::ForgetsVerdicts {
                    refresh_failure = None;
                }
                reload.loaded(entry, refresh_failure, clock)?
            }
            TokenStep::CheckWritable(prove) if self.plan.faults && self.chance.once_in(20) => {
                self.count("disk full before the request");
                self.flows[id].judged_at = clock;
                prove.failed(full(), clock)?
            }
            TokenStep::CheckWritable(prove) => prove.proven(clock)?,
            TokenStep::Discover(call) => {
                self.count("discover");
                let request = call.request();
                let is_plain = request.form().is_none() && request.url().query().is_none();
                self.expect(
                    Law::Destination,
                    is_plain && request.url().path() == METADATA_PATH,
                    "metadata request",
                );
                let in_trouble = self.plan.faults && self.chance.once_in(10);
                let answer = if in_trouble {
                    HttpResponse::new(503, Vec::new())
                } else {
                    self.server.metadata()
                };
                self.flows[id].judged_at = clock;
                call.answered(Ok(answer), clock)?
            }
            TokenStep::Refresh(call) => return Ok(self.send(id, call, 0)),
            TokenStep::ReloadAfterRejection(recheck) => {
                self.count("recheck");
                let entry = self.read(id, clock);
                self.flows[id].reloaded_at = clock;
                recheck.loaded(entry, clock)?
            }
            TokenStep::RecordFailure(note) => {
                self.count("note");
                self.shelf.remember(note.refresh_failure(clock));
                self.flows[id].judged_at = clock;
                note.noted(clock)?
            }
            TokenStep::Save(save) => {
                let saved = self.save(id, save.session());
                save.saved(saved)?
            }
            TokenStep::Done(issued) => TokenStep::Done(issued),
        }))
    }

    fn read(&mut self, id: usize, clock: Timestamp) -> Option<Session> {
        let entry = self.shelf.read();
        self.flows[id].last = entry.clone();
        self.flows[id].judged_at = clock;
        entry
    }

    fn lock(&mut self, id: usize, lock: Lock) -> Result<State, TokenError> {
        if self.shelf.try_lock(id) || self.driver == Driver::IgnoresTheLock {
            self.count("lock");
            return Ok(State::Ready(lock.locked()));
        }
        self.count("not locked");
        lock.not_locked().map(State::Ready)
    }

    /// Lets a refresh token out.
    fn send(&mut self, id: usize, call: HttpCall<RefreshingToken>, tries: u8) -> State {
        self.count("request");
        let sent_at = self.clock(self.flows[id].process);
        self.laws_of_sending(id, call.request());
        self.post(id, call.request().url().path(), call.request().form().unwrap_or_default());
        State::Asking { call, sent_at, outcome: None, tries }
    }

    fn hear(
        &mut self,
        id: usize,
        call: HttpCall<RefreshingToken>,
        sent_at: Timestamp,
        outcome: Outcome,
        tries: u8,
    ) -> Result<State, TokenError> {
        if tries == 0 && call.replay().may_follow(&outcome) {
            self.count("request sent again");
            return Ok(self.send(id, call, 1));
        }
        if self.driver == Driver::UnlocksBeforeSaving {
            self.shelf.unlock(id);
        }
        self.flows[id].judged_at = sent_at;
        call.answered(outcome, sent_at).map(State::Ready)
    }

    fn save(&mut self, id: usize, session: &Session) -> Result<(), StoreFailure> {
        self.law_of_saving(id, session);
        let successor_of = self.flows[id].holds_successor_of.take();
        if self.plan.faults && self.chance.once_in(20) {
            self.count("disk full after the answer");
            if let Some(token) = successor_of {
                self.server.lose(&token);
            }
            return Err(full());
        }
        self.count("save");
        self.shelf.write(session.clone());
        Ok(())
    }

    fn end(&mut self, id: usize, outcome: Result<IssuedToken, TokenError>) {
        if self.driver != Driver::KeepsTheLock {
            self.shelf.unlock(id);
        }
        self.laws_of_ending(id, &outcome);
        self.hand_out(id, &outcome);
    }

    /// A process dies: nothing of it goes on but what it has sent.
    pub(crate) fn crash(&mut self, process: usize) {
        self.count("crash");
        for id in 0..self.flows.len() {
            let at = match &self.flows[id].state {
                _ if self.flows[id].process != process => continue,
                State::Over => continue,
                State::Queueing { .. } => "crash in the queue",
                State::Asking { outcome: None, .. } => "crash with the request under way",
                State::Asking { outcome: Some(_), .. } => "crash with the answer in hand",
                State::Ready(step) => match step {
                    TokenStep::Load(_) => "crash before Load",
                    TokenStep::Lock(_) => "crash before Lock",
                    TokenStep::Reload(_) => "crash before Reload",
                    TokenStep::CheckWritable(_) => "crash before Prove",
                    TokenStep::Discover(_) => "crash before Discover",
                    TokenStep::Refresh(_) => "crash before Refresh",
                    TokenStep::Save(_) => "crash before Save",
                    TokenStep::ReloadAfterRejection(_) => "crash before Recheck",
                    TokenStep::RecordFailure(_) => "crash before Note",
                    TokenStep::Done(_) => "crash before Done",
                },
            };
            self.count(at);
            let flow = &mut self.flows[id];
            flow.state = State::Over;
            if let Some(token) = flow.holds_successor_of.take() {
                self.server.lose(&token);
            }
            self.shelf.unlock(id);
        }
        self.bury(process);
    }
}

impl Flow {
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    /// The access token that stood in the entry before the lock.
    pub(crate) fn first_token(&self) -> Option<&AccessToken> {
        self.first.0.as_ref().map(|session| &session.access_token)
    }
}

fn full() -> StoreFailure {
    StoreFailure::new(std::io::Error::other("no space left on device"))
}
