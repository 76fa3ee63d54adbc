//! What must hold in every world. Each law is written down from the outside: from what the store holds, what the server
//! sees and what callers get, without asking the crate under test what it thinks.

use super::flow::Flow;
use super::plan::Driver;
use super::server::{HOST, NEW_PATH, OLD_PATH, Rotation, login_of, number_of};
use super::wire::refresh_token_of;
use super::{Want, World};
use u2m_core::{
    Fingerprint, Host, HttpRequest, IssuedToken, Lifetime, RefreshFailureKind, RefreshToken,
    Session, Target, Timestamp, TokenError, TokenOrigin, TokenRequest, TokenStep, WhichToken,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Law {
    /// A caller gets a token that is good at its time, and an error only if there is none.
    Answer,
    /// Tokens go to the endpoint of the login that they belong to.
    Destination,
    /// Every caller ends, and the world comes to rest.
    End,
    /// A fresh token costs neither a lock nor a request, and a good one no waiting.
    Fresh,
    /// Where nothing gets lost, the login is alive at the end.
    Life,
    /// The lock is held by whoever sends or saves, and by nobody who has ended.
    Lock,
    /// What is remembered of a failure spares the server the next request.
    Memory,
    /// One request for each state of the entry, and none without need.
    OneRequest,
    /// A spent refresh token is sent again only if a crash or a lost answer hid its successor.
    Reuse,
    /// An older session never replaces a newer one, and the parts of a session belong together.
    Store,
}

fn left(session: &Session, clock: Timestamp) -> i64 {
    session.expiry.map_or(i64::MAX, |expiry| expiry.unix() - clock.unix())
}

fn is_good(session: &Session, clock: Timestamp) -> bool {
    left(session, clock) >= 10
}

/// Good for longer than the lead; and neither from the future by this clock nor with more left than it was granted, by more than
/// the lead.
fn is_fresh(session: &Session, clock: Timestamp) -> bool {
    let granted = session.lifetime.filter(|life| *life > Lifetime::ZERO).map(Lifetime::seconds);
    let lead = granted.map_or(300, |life| (life / 4).min(300)).max(10);
    let left = left(session, clock);
    let is_issued = session.issued_at.is_none_or(|at| at.until(clock).seconds() >= -lead);
    left >= lead && is_issued && granted.is_none_or(|granted| left <= granted + lead)
}

impl World {
    pub(crate) fn expect(&mut self, law: Law, holds: bool, what: &str) {
        if !holds {
            self.report
                .broken
                .push((law, format!("turn {}, second {}: {what}", self.turn, self.now)));
        }
    }

    pub(crate) fn law_of_fresh_tokens(&mut self, id: usize, step: &TokenStep, clock: Timestamp) {
        let flow = &self.flows[id];
        let fresh = flow.last.as_ref().is_some_and(|entry| is_fresh(entry, clock));
        if fresh && flow.want == Want::Usable {
            self.expect(
                Law::Fresh,
                matches!(step, TokenStep::Done(_)),
                "a fresh token was not handed out at once",
            );
        }
    }

    pub(crate) fn laws_of_sending(&mut self, id: usize, request: &HttpRequest) {
        let url = request.url();
        let at_home = Host::of(url).is_ok_and(|host| host.as_str() == HOST);
        let known = [OLD_PATH, NEW_PATH].contains(&url.path()) && url.query().is_none();
        self.expect(Law::Destination, at_home && known, "a refresh token left for another place");
        let held = self.shelf.is_held_by(id) || self.driver == Driver::IgnoresTheLock;
        self.expect(Law::Lock, held, "a request without the lock");
        let token = refresh_token_of(request.form().unwrap_or_default());
        self.laws_of_memory(id, &token);
        if self.plan.intruder {
            return;
        }
        let Some(entry) = self.shelf.read() else { return };
        let flow = &self.flows[id];
        let stored = entry.refresh_token.as_ref().map_or("", RefreshToken::expose);
        let needed = !is_good(&entry, flow.reloaded_at)
            || match &flow.want {
                Want::Usable => !is_fresh(&entry, flow.reloaded_at),
                Want::Newer(Some(seen)) | Want::Other(seen) => *seen == entry.access_token,
                Want::Newer(None) => flow.first_token() == Some(&entry.access_token),
            };
        let is_the_stored_one = stored == token;
        self.expect(
            Law::OneRequest,
            is_the_stored_one,
            "a refresh token that is not the stored one was sent",
        );
        self.expect(Law::OneRequest, needed, "a request that nobody needed");
    }

    /// What is remembered of this very refresh token speaks against sending it again: for ever, if it was rejected; if the
    /// failure may pass, for those who waited while it fell, and for a minute for those who can wait.
    fn laws_of_memory(&mut self, id: usize, token: &str) {
        let of = Fingerprint::of_refresh(&RefreshToken::new(token));
        let Some(refresh_failure) =
            self.shelf.recall().filter(|refresh_failure| refresh_failure.of == of)
        else {
            return;
        };
        let flow = &self.flows[id];
        let age = refresh_failure.at.second().until(flow.reloaded_at).seconds();
        let can_wait = flow.want == Want::Usable
            && flow.last.as_ref().is_some_and(|entry| is_good(entry, flow.reloaded_at));
        let waited = !can_wait && age >= 0 && refresh_failure.at >= flow.asked_at.into();
        let rejected = matches!(refresh_failure.kind, RefreshFailureKind::Rejected(_));
        let asked_for = refresh_failure.pause.map_or(0, |pause| pause.seconds());
        let pause = can_wait && (0..60).contains(&age);
        self.expect(Law::Memory, !rejected, "a rejected refresh token was sent again");
        self.expect(Law::Memory, rejected || !waited, "who waited for a failure made it again");
        self.expect(Law::Memory, rejected || !pause, "a renewal ahead of time did not pause");
        let alone = asked_for == 0 || !(-60..asked_for).contains(&age);
        self.expect(Law::Memory, rejected || alone, "the server was not left alone as it asked");
    }

    /// Who has a good token does not stand in line for the next one.
    pub(crate) fn law_of_queues(&mut self, id: usize) {
        let flow = &self.flows[id];
        let had_one = flow.want == Want::Usable
            && flow.last.as_ref().is_some_and(|entry| is_good(entry, flow.judged_at));
        self.expect(Law::Fresh, !had_one, "a caller with a good token waited for the lock");
    }

    /// A refresh token has reached the server.
    pub(crate) fn law_of_one_request(&mut self) {
        let requests = self.requests.entry(self.shelf.version()).or_default();
        *requests += 1;
        let may = *requests == 1 || self.plan.is_lossy() || self.plan.intruder;
        self.expect(Law::OneRequest, may, "a second request for one state of the entry");
    }

    pub(crate) fn law_of_saving(&mut self, id: usize, session: &Session) {
        let held = self.shelf.is_held_by(id) || self.driver != Driver::Honest;
        self.expect(Law::Lock, held, "a session was saved without the lock");
        let number = number_of(session.access_token.expose());
        let old = self.shelf.read().map_or(0, |entry| number_of(entry.access_token.expose()));
        self.expect(Law::Store, number > old, "an older session replaced a newer one");
        let refresh = session.refresh_token.as_ref().map_or("", RefreshToken::expose);
        let together = login_of(refresh) == login_of(session.access_token.expose())
            && (self.plan.rotation == Rotation::Never || number_of(refresh) == number);
        self.expect(Law::Store, together, "a session was put together from two answers");
        self.expect(Law::Store, session.binding.is_some(), "a session lost whom it belongs to");
    }

    pub(crate) fn laws_of_ending(&mut self, id: usize, outcome: &Result<IssuedToken, TokenError>) {
        self.expect(
            Law::Lock,
            !self.shelf.is_held_by(id),
            "a flow ended with the lock in its hand",
        );
        let Flow { want, judged_at, last, .. } = &self.flows[id];
        let judged_at = *judged_at;
        match outcome {
            Ok(issued) => {
                let good = is_good(issued.session(), judged_at);
                let fresh_enough =
                    !matches!(issued.how(), TokenOrigin::Kept(_)) || *want == Want::Usable;
                let (first, coalesced) = (self.flows[id].first_token(), age(issued, judged_at));
                let seen_at_first = first == Some(&issued.session().access_token);
                let waited_for =
                    *want != Want::Newer(None) || !seen_at_first || (0..=5).contains(&coalesced);
                self.expect(Law::Answer, good, "a token that had ended was handed out");
                self.expect(
                    Law::Answer,
                    fresh_enough && waited_for,
                    "an old token was handed out for a new one",
                );
                let issued_by_us = self.plan.clocks
                    || self.server.takes(&issued.session().access_token, judged_at.unix());
                self.expect(
                    Law::Answer,
                    issued_by_us,
                    "a token that no API would take was handed out",
                );
            }
            Err(error) => {
                let had_one = *want == Want::Usable
                    && last.as_ref().is_some_and(|entry| is_good(entry, judged_at));
                let may_fail = self.plan.faults || self.plan.crashes;
                let honest_reason = matches!(
                    error,
                    TokenError::LockTimeout
                        | TokenError::Refresh(_)
                        | TokenError::Rejected(_)
                        | TokenError::TriedJustNow(_)
                        | TokenError::Postponed { .. }
                        | TokenError::Endpoints(_)
                        | TokenError::Store(_)
                );
                let text = format!("{error:?} where nothing was in the way");
                self.expect(Law::Answer, may_fail && honest_reason, &text);
                self.expect(Law::Answer, !had_one, "an error although the old token was good");
            }
        }
    }

    /// What a caller gets, be it the leader of its flow or one that joined it.
    pub(crate) fn law_of_answers(&mut self, want: &Want, issued: &IssuedToken) {
        let token = &issued.session().access_token;
        let differs = !matches!(want, Want::Newer(Some(seen)) | Want::Other(seen) if seen == token);
        self.expect(Law::Answer, differs, "the very token that the caller would not have");
    }

    /// After every turn.
    pub(crate) fn laws_of_rest(&mut self) {
        let held_by_the_dead = self.shelf.holder().is_some_and(|id| self.flows[id].is_over());
        self.expect(Law::Lock, !held_by_the_dead, "the lock is held by a flow that has ended");
        for _ in 0..std::mem::take(&mut self.server.retries) {
            self.count("spent token sent again after a loss");
        }
        let thefts = std::mem::take(&mut self.server.thefts);
        if !self.plan.intruder {
            for token in thefts {
                self.expect(
                    Law::Reuse,
                    false,
                    &format!("{token} was sent again although its successor was saved"),
                );
            }
        }
    }

    /// When nothing is left to happen, a newcomer asks.
    pub(crate) fn laws_of_the_end(&mut self) {
        self.expect(Law::End, !self.shelf.is_locked(), "the lock is still held");
        let Some(entry) = self.shelf.read() else { return };
        let refresh = entry.refresh_token.as_ref().map_or("", RefreshToken::expose);
        let alive = self.server.is_alive(refresh);
        self.expect(Law::Life, alive || self.plan.is_lossy(), "the login is dead");
        self.count(if alive { "login alive" } else { "login dead" });
        // Another host that gets hold of the entry learns nothing.
        let elsewhere = TokenRequest::new(Target::workspace(
            Host::parse("https://evil.example").expect("a host"),
        ));
        let TokenStep::Load(load) =
            elsewhere.start(WhichToken::Usable, Timestamp::from_unix(self.now))
        else {
            return;
        };
        let mismatch = entry.binding.is_none()
            || matches!(
                load.loaded(Some(entry), Timestamp::from_unix(self.now)),
                Err(TokenError::Mismatch { .. })
            );
        self.expect(Law::Destination, mismatch, "another host was given the login");
    }
}

fn age(issued: &IssuedToken, clock: Timestamp) -> i64 {
    issued.session().issued_at.map_or(-1, |at| at.until(clock).seconds())
}
