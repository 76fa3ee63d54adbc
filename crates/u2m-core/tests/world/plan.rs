//! What a world is like: drawn from its seed before anything happens in it.

use super::chance::Chance;
use super::people::Want;
use super::server::Rotation;

/// Who drives the steps: the honest driver, or one with a fault that the laws have to notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Driver {
    Honest,
    /// Hands in under the lock what it read before the lock.
    SkipsTheRecheck,
    /// Goes on although another holds the lock.
    IgnoresTheLock,
    /// Gives the lock back before the new session is saved.
    UnlocksBeforeSaving,
    /// Never hands in what is remembered of a failure.
    ForgetsVerdicts,
    /// Dies with the lock in its hand.
    KeepsTheLock,
}

/// The weather of one world.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) processes: usize,
    pub(crate) callers: usize,
    pub(crate) rounds: usize,
    pub(crate) rotation: Rotation,
    pub(crate) lifetime: i64,
    /// Processes die.
    pub(crate) crashes: bool,
    /// Requests and answers get lost, servers and disks are in trouble.
    pub(crate) faults: bool,
    /// Clocks differ and jump.
    pub(crate) clocks: bool,
    /// A program that does not know the lock refreshes too.
    pub(crate) intruder: bool,
    /// The token endpoint moves to another path.
    pub(crate) moves: bool,
    /// The person signs in again.
    pub(crate) relogin: bool,
    /// The login knows its endpoint; if not, another program wrote it.
    pub(crate) bound: bool,
    /// Over how many seconds a crowd of callers is spread. With none, steps take no time.
    pub(crate) spread: i64,
    /// What all callers want; if nothing, each draws for itself.
    pub(crate) crowd_wants: Option<Want>,
}

impl Plan {
    pub(crate) fn draw(chance: &mut Chance) -> Self {
        let processes = 1 + chance.below(3);
        let crashes = chance.once_in(3);
        let faults = chance.once_in(3);
        let rotation = match chance.below(8) {
            0 => Rotation::Never,
            1 | 2 => Rotation::Refuse,
            _ => Rotation::Revoke,
        };
        Self {
            processes,
            callers: processes.max(1 + chance.below(6)),
            rounds: 1 + chance.below(3),
            rotation,
            lifetime: [120, 240, 900, 3600][chance.below(4)],
            crashes,
            faults,
            clocks: chance.once_in(3),
            // One that reuses a spent token ends the login under revocation, whatever we do.
            intruder: rotation == Rotation::Refuse && !crashes && !faults && chance.once_in(2),
            moves: chance.once_in(8),
            relogin: chance.once_in(5),
            bound: !chance.once_in(6),
            spread: 4,
            crowd_wants: None,
        }
    }

    /// A fair day with a strict server.
    pub(crate) fn crowd(want: Want) -> Self {
        Self {
            processes: 3,
            callers: 6,
            rounds: 1,
            rotation: Rotation::Revoke,
            lifetime: 3600,
            crashes: false,
            faults: false,
            clocks: false,
            intruder: false,
            moves: false,
            relogin: false,
            bound: true,
            spread: 0,
            crowd_wants: Some(want),
        }
    }

    /// Whether an answer, or what was made of it, can get lost.
    pub(crate) fn is_lossy(&self) -> bool {
        self.crashes || self.faults
    }
}
