//! A world in a box: processes with clocks, callers that ask, one shared entry, and a server that rotates. Chance decides
//! who moves next; every step of the token flow is the crate's own. One number makes one world.

mod chance;
mod flow;
mod laws;
mod people;
mod plan;
mod server;
mod shelf;
mod wire;

pub(crate) use laws::Law;
pub(crate) use people::Want;
pub(crate) use plan::{Driver, Plan};

use chance::Chance;
use flow::{Flow, State};
use people::{Caller, Process};
use server::{HOST, OLD_PATH, Server};
use shelf::RecordStore;
use std::collections::{BTreeMap, HashMap, VecDeque};
use u2m_core::{Binding, Host, Lifetime, RefreshToken, Session, Target, Timestamp, TokenRequest};
use wire::Event;

/// A world that is not at rest after this many turns never will be.
const TURNS: u32 = 3_000;

/// What a world showed.
#[derive(Debug, Default)]
pub(crate) struct ReportedError {
    /// Laws that were broken, and where.
    pub(crate) broken: Vec<(Law, String)>,
    /// How often what happened.
    pub(crate) counts: BTreeMap<&'static str, u64>,
    /// What happened in what order, and in which second.
    pub(crate) story: Vec<(i64, &'static str)>,
    /// The weather.
    pub(crate) plan: Option<Plan>,
}

pub(crate) struct World {
    plan: Plan,
    driver: Driver,
    chance: Chance,
    now: i64,
    turn: u32,
    request: TokenRequest,
    server: Server,
    shelf: RecordStore,
    processes: Vec<Process>,
    callers: Vec<Caller>,
    flows: Vec<Flow>,
    wire: Vec<Event>,
    /// Until when the intruder keeps away.
    quiet_until: i64,
    /// Requests by the version of the entry that they were for.
    requests: HashMap<u64, u32>,
    report: ReportedError,
}

/// Who can move.
enum Mover {
    Caller(usize),
    Flow(usize),
    Wire(usize),
}

impl World {
    /// Lives through the world of a seed.
    pub(crate) fn live(seed: u64, driver: Driver) -> ReportedError {
        let mut chance = Chance::new(seed);
        let plan = Plan::draw(&mut chance);
        Self::new(chance, plan, driver).run()
    }

    /// Lives through a fair day on which six callers in three processes want the same thing in the same second.
    pub(crate) fn live_crowded(seed: u64, want: Want) -> ReportedError {
        Self::new(Chance::new(seed), Plan::crowd(want), Driver::Honest).run()
    }

    fn run(self) -> ReportedError {
        let mut world = self;
        while world.turn < TURNS && world.take_turn() {
            world.turn += 1;
            world.laws_of_rest();
        }
        let stuck = world.callers.iter().filter(|caller| caller.waiting.is_some()).count();
        world.expect(
            Law::End,
            stuck == 0 && world.turn < TURNS,
            &format!("{stuck} callers wait for ever"),
        );
        world.laws_of_the_end();
        world.count("world");
        world.report
    }

    fn new(chance: Chance, plan: Plan, driver: Driver) -> Self {
        let host = Host::parse(HOST).expect("a host");
        let mut world = Self {
            now: 1_800_000_000,
            turn: 0,
            driver,
            request: TokenRequest::new(Target::workspace(host)),
            server: Server::new(plan.rotation, plan.lifetime),
            shelf: RecordStore::default(),
            processes: Vec::new(),
            callers: Vec::new(),
            flows: Vec::new(),
            wire: Vec::new(),
            quiet_until: 0,
            requests: HashMap::new(),
            report: ReportedError::default(),
            chance,
            plan,
        };
        world.report.plan = Some(world.plan.clone());
        world.sign_in(world.plan.bound);
        world.populate();
        world
    }

    /// Each round is a crowd that asks within a few seconds: around an expiry, or at any time.
    fn populate(&mut self) {
        let error = |world: &mut Self| {
            if world.plan.clocks { world.chance.within(-4_000, 4_000) } else { 0 }
        };
        for _ in 0..self.plan.processes {
            let clock_error = error(self);
            self.processes.push(Process { clock_error, flight: None });
        }
        let mut crowd = self.now;
        let mut crowds = Vec::new();
        for _ in 0..self.plan.rounds {
            crowd += match self.chance.below(4) {
                _ if self.plan.crowd_wants == Some(Want::Usable) => self.plan.lifetime,
                _ if self.plan.crowd_wants.is_some() => self.chance.within(60, self.plan.lifetime),
                0 => self.chance.within(0, 30),
                1 => self.chance.within(0, self.plan.lifetime),
                _ => self.plan.lifetime + self.chance.within(-self.plan.lifetime.min(320), 30),
            };
            crowds.push(crowd);
        }
        for caller in 0..self.plan.callers {
            let times: VecDeque<_> = crowds
                .iter()
                .map(|crowd| crowd + self.chance.within(0, self.plan.spread))
                .collect();
            self.callers.push(Caller::new(caller % self.plan.processes, times));
        }
    }

    /// A person signs in. The session is saved under the lock, which is not held while the browser is open.
    fn sign_in(&mut self, bound: bool) {
        let pair = self.server.sign_in(self.now);
        let now = Timestamp::from_unix(self.now);
        let mut session = Session::new(pair.access)
            .with_refresh_token(pair.refresh)
            .with_expiry(now.plus(Lifetime::from_seconds(self.plan.lifetime)));
        if bound {
            let host = Host::parse(HOST).expect("a host");
            let endpoint = url::Url::parse(&format!("{HOST}{OLD_PATH}")).expect("a URL");
            session = session
                .with_lifetime(Lifetime::from_seconds(self.plan.lifetime))
                .with_issued_at(now)
                .with_binding(Binding::new(
                    format!("{HOST}/oidc"),
                    endpoint,
                    "databricks-cli",
                    host,
                ));
        }
        self.shelf.write(session);
    }

    /// Lets someone move; false when all is at rest.
    fn take_turn(&mut self) -> bool {
        self.disturb();
        let movers = self.movers();
        if movers.is_empty() {
            return self.wait();
        }
        match movers[self.chance.below(movers.len())] {
            Mover::Caller(id) => self.ask(id),
            Mover::Flow(id) => self.step(id),
            Mover::Wire(id) => self.happen(id),
        }
        if self.plan.spread > 0 && self.chance.once_in(6) {
            self.now += 1;
        }
        true
    }

    fn movers(&self) -> Vec<Mover> {
        let callers = (0..self.callers.len())
            .filter(|id| self.callers[*id].is_due(self.now))
            .map(Mover::Caller);
        let flows = (0..self.flows.len()).filter(|id| self.can_step(*id)).map(Mover::Flow);
        let wire = (0..self.wire.len()).filter(|id| self.wire[*id].at <= self.now).map(Mover::Wire);
        callers.chain(flows).chain(wire).collect()
    }

    /// Sleeps until something is due; false if nothing ever will be.
    fn wait(&mut self) -> bool {
        let asks = self
            .callers
            .iter()
            .filter(|caller| caller.waiting.is_none())
            .filter_map(|caller| caller.times.front());
        let queues = self.flows.iter().filter_map(|flow| match &flow.state {
            State::Queueing { until, .. } => Some(until),
            State::Ready(_) | State::Asking { .. } | State::Over => None,
        });
        let next = asks.chain(queues).chain(self.wire.iter().map(|event| &event.at)).min().copied();
        if let Some(next) = next {
            self.now = self.now.max(next);
        }
        next.is_some()
    }

    /// What the weather does between two steps.
    fn disturb(&mut self) {
        let (process, caller) =
            (self.chance.below(self.processes.len()), self.chance.below(self.callers.len()));
        if self.plan.crashes && self.chance.once_in(40) && self.processes[process].flight.is_some()
        {
            self.crash(process);
        }
        if self.plan.clocks && self.chance.once_in(60) {
            self.count("clock step");
            self.processes[process].clock_error += self.chance.within(-5_000, 5_000);
        }
        // Not between a flow's metadata and its request: the flow does not ask for the same document twice.
        if self.plan.moves && !self.shelf.is_locked() && self.chance.once_in(60) {
            self.server.has_moved = true;
        }
        if self.plan.relogin && !self.shelf.is_locked() && self.chance.once_in(80) {
            self.count("relogin");
            self.sign_in(self.plan.bound);
        }
        if self.plan.intruder && self.now > self.quiet_until && self.chance.once_in(30) {
            self.intrude();
        }
        if self.plan.crowd_wants.is_none() && self.chance.once_in(60) {
            self.go_away(caller);
        }
    }

    /// A program that does not know the lock refreshes, and saves what it got.
    fn intrude(&mut self) {
        let Some(entry) = self.shelf.read() else { return };
        let token = entry.refresh_token.as_ref().map_or("", RefreshToken::expose).to_owned();
        let Some(pair) = self.server.redeem(&token, self.now) else { return };
        self.count("intruder");
        // A flow looks at the entry again once: two intrusions during one are beyond it.
        self.quiet_until = self.now + 90;
        let now = Timestamp::from_unix(self.now);
        let end = now.plus(Lifetime::from_seconds(self.plan.lifetime));
        let mut session = Session::new(pair.access)
            .with_refresh_token(pair.refresh)
            .with_expiry(end)
            .with_issued_at(now);
        session.binding = entry.binding;
        self.shelf.write(session);
    }

    pub(crate) fn count(&mut self, what: &'static str) {
        *self.report.counts.entry(what).or_default() += 1;
        self.report.story.push((self.now, what));
    }
}
