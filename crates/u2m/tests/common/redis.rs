//! A fake authorization server whose logins are kept in a Redis server, for several machines.
#![allow(dead_code, reason = "each story uses its part")]
#![allow(clippy::unwrap_used)]

use crate::common::{Child, World};
use crate::redis_server::RedisServer;
use std::time::Duration;
use u2m::store::{RedisSettings, RedisStore, SealKey, Session, TokenStore};
use u2m::{Builder, PersistentAuth};
use u2m_testkit::{Endpoint, Fault, Settings, Times};

const URL: &str = "U2M_STORY_REDIS";
const LEASE: &str = "U2M_STORY_LEASE";

/// How long the answer to a refresh is waited for, in times of a lease.
pub(crate) const ANSWER: u32 = 2;

/// As long as nobody is meant to die.
pub(crate) const LEASE_OF_OLD: Duration = Duration::from_secs(45);

pub(crate) struct SharedToken {
    pub(crate) world: World,
    pub(crate) redis: RedisServer,
    pub(crate) lease: Duration,
}

impl SharedToken {
    /// A login that has run out. `None` where there is no `redis-server`.
    pub(crate) fn expired(lease: Duration) -> Option<Self> {
        Self::with(Settings::new(), lease, -5)
    }

    /// A login whose access token has `left` seconds.
    pub(crate) fn with(settings: Settings, lease: Duration, left: i64) -> Option<Self> {
        let redis = RedisServer::start(&["--appendonly", "yes"])?;
        let shared = Self { world: World::with(settings), redis, lease };
        shared.sign_in(left);
        Some(shared)
    }

    pub(crate) fn sign_in(&self, left: i64) -> Session {
        let session = self.world.session(left);
        self.store().save(&self.world.key(), &session).unwrap();
        session
    }

    /// A store with connections of its own.
    pub(crate) fn store(&self) -> RedisStore {
        open(&self.redis.url(), self.lease)
    }

    /// The store of another machine: its threads do not stand in line with this process's.
    pub(crate) fn abroad(&self) -> RedisStore {
        open(&self.redis.url().replace("127.0.0.1", "localhost"), self.lease)
    }

    pub(crate) fn builder(&self) -> Builder {
        PersistentAuth::builder(self.world.target()).with_store(self.store())
    }

    pub(crate) fn auth(&self) -> PersistentAuth {
        self.builder().build().unwrap()
    }

    pub(crate) fn stored(&self) -> Option<Session> {
        self.store().load(&self.world.key()).unwrap()
    }

    /// Every answer of the token endpoint is late.
    pub(crate) fn late(self, by: Duration) -> Self {
        self.world.server.inject(Endpoint::Token, Times::Always, Fault::delay(by));
        self
    }

    /// The login can still be renewed, with what is stored.
    pub(crate) fn assert_alive(&self) {
        let token = self.stored().unwrap().refresh_token.unwrap();
        assert!(self.world.server.is_refreshable(token.expose()));
        assert!(self.world.server.is_login_alive());
    }

    pub(crate) fn child(&self, job: &str) -> Child {
        let mut command = self.world.command(job);
        command.env(URL, self.redis.url()).env(LEASE, self.lease.as_millis().to_string());
        Child::of(command)
    }
}

/// The store that the parent of this process means.
pub(crate) fn inherited() -> RedisStore {
    let lease = std::env::var(LEASE).unwrap().parse().unwrap();
    open(&std::env::var(URL).unwrap(), Duration::from_millis(lease))
}

pub(crate) fn open(url: &str, lease: Duration) -> RedisStore {
    let settings = RedisSettings::new().with_lease(lease).with_token_answer_limit(lease * ANSWER);
    RedisStore::open_with(url, &SealKey::from_bytes([7; 32]), settings).unwrap()
}
