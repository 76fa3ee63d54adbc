//! The blocks: what is measured, beside what, and the bars.

use super::bars::Limit::{Ratio, Typical, Worst};
use super::bars::{Bar, Limit};
use super::programs::Programs;
use super::{Block, Measured, Table, growth, keyring, warm};
use crate::run::{Failure, output};

const fn bar(table: &'static str, case: &'static str, figure: &'static str, limit: Limit) -> Bar {
    Bar { table, case, figure, limit }
}

/// In the order of the page.
pub(super) const BLOCKS: &[Block] = &[
    Block {
        name: "token",
        title: "A token from a warm cache, as a process",
        about: "`u2m token --profile bench` and the floor read the same `token-cache.json` of five \
                logins. u2m is as `cargo install --path crates/u2m-cli` builds it, here and in all other \
                blocks; one row has it with the feature `lean-start`, which is off by default. The floor parses the file with serde_json and prints the entry; it is built \
                with the product's profile, once as usual and once with the C library linked in. \
                `u2m version`, which SDKs ask for before each token, and `u2m --help` read nothing. \
                Times are from start to exit; memory is the peak of the resident set, of \
                which the process that weighs has 2 MiB itself: less cannot show.",
        tables: &[
            Table { name: "token", title: "Time", anchors: &[("ms", warm::FLOOR)] },
            Table {
                name: "token-peers",
                title: "Time, beside a peer",
                anchors: &[("ms", warm::FLOOR)],
            },
            Table { name: "token-peak", title: "Memory", anchors: &[("MiB", warm::FLOOR)] },
            Table { name: "token-calls", title: "System calls", anchors: &[] },
        ],
        bars: &[
            bar("token", warm::U2M, "ms", Ratio(warm::FLOOR, 1.2)),
            bar("token", warm::VERSION, "ms", Ratio(warm::FLOOR, 1.3)),
            bar("token", warm::HELP, "ms", Ratio(warm::FLOOR, 5.0)),
            bar("token-calls", warm::VERSION, "system calls", Worst(100.0)),
            bar("token-calls", warm::VERSION, "sockets", Worst(0.0)),
            bar("token-peak", warm::U2M, "MiB", Worst(8.0)),
            bar("token-calls", warm::U2M, "system calls", Worst(100.0)),
            bar("token-calls", warm::U2M, "sockets", Worst(0.0)),
            bar("token-calls", warm::U2M, "threads", Worst(0.0)),
        ],
        measure: warm::measure,
    },
    Block {
        name: "keyring",
        title: "A token from the keyring, as a process",
        about: "`u2m token --profile bench` and `secret-tool lookup` read the same item of a real \
                GNOME Keyring on a session bus of its own; u2m also reads the profile file, looks at \
                the expiry, and prints JSON. The floor reads a file, as above.",
        tables: &[
            Table {
                name: "keyring",
                title: "Time",
                anchors: &[("ms", keyring::SECRET_TOOL), ("ms", warm::FLOOR)],
            },
            Table { name: "keyring-calls", title: "System calls", anchors: &[] },
        ],
        bars: &[
            // At least five times as fast.
            bar("keyring", warm::U2M, "ms", Ratio(keyring::SECRET_TOOL, 0.2)),
            bar("keyring-calls", warm::U2M, "system calls", Worst(100.0)),
            bar("keyring-calls", warm::U2M, "sockets", Worst(1.0)),
            bar("keyring-calls", warm::U2M, "threads", Worst(0.0)),
        ],
        measure: keyring::measure,
    },
    Block {
        name: "hot",
        title: "A fresh token in the process",
        about: "Each library is fed once from a constant, then only its path to a fresh token is \
                timed. The floor loads a shared pointer (arc-swap), looks at the clock and counts a \
                reference. Futures are polled by the same runtime, many calls in one `block_on`. \
                With two threads, the slower one's time counts.",
        tables: &[
            Table { name: "hot-1", title: "1 thread", anchors: &[("ns", "floor")] },
            Table { name: "hot-2", title: "2 threads", anchors: &[("ns", "floor")] },
        ],
        bars: &[
            bar("hot-1", "u2m `token()`", "ns", Ratio("floor", 0.6)),
            bar("hot-2", "u2m `token()`", "ns", Ratio("floor", 0.4)),
        ],
        measure: |programs| printed(programs, "hot", &[]),
    },
    Block {
        name: "storm",
        title: "Many callers, one expired token",
        about: "All threads of all processes ask at the same instant, in 5 rounds. The server \
                rotates refresh tokens, revokes a login when a spent one comes back, and takes 50 ms \
                to answer a refresh. Afterwards the token expires again, and a new process asks.",
        tables: &[Table { name: "storm", title: "", anchors: &[] }],
        bars: &[
            bar("storm", "u2m, 8 x 8", "requests", Worst(1.0)),
            bar("storm", "u2m, 8 x 8", "rejected", Worst(0.0)),
            bar("storm", "u2m, 8 x 8", "without a token", Worst(0.0)),
            bar("storm", "u2m, 8 x 8", "by the server's time", Typical(2.0)),
            bar("storm", "u2m, 8 x 8", "logins lost", Worst(0.0)),
            bar("storm", "u2m, 32 x 32", "requests", Worst(1.0)),
            bar("storm", "u2m, 32 x 32", "rejected", Worst(0.0)),
            bar("storm", "u2m, 32 x 32", "without a token", Worst(0.0)),
            bar("storm", "u2m, 32 x 32", "logins lost", Worst(0.0)),
        ],
        measure: |programs| printed(programs, "storm", &["5"]),
    },
    Block {
        name: "files",
        title: "Cache updates by several processes",
        about: "8 processes make 50 updates each, of a key of their own, in one file with five \
                foreign logins, in 10 rounds. An update is lost when its process does not find it \
                again; a read is torn when the file does not parse. The anchors are written by hand: \
                a rename without a lock, and the same under a lock with fsync. What u2m saves is recorded \
                beside as well, and lasts with its name when a save is over.",
        tables: &[Table {
            name: "files",
            title: "",
            anchors: &[("ms", "rename"), ("ms", "flock-fsync")],
        }],
        bars: &[
            bar("files", "u2m", "lost", Worst(0.0)),
            bar("files", "u2m", "torn", Worst(0.0)),
            bar("files", "u2m", "foreign lost", Worst(0.0)),
            // The lock, the fsync and the rename are one; the rest is for whoever else writes, and for what is known of the login.
            bar("files", "u2m", "ms", Ratio("flock-fsync", 1.5)),
        ],
        measure: |programs| printed(programs, "files", &["10", "8", "50"]),
    },
    Block {
        name: "growth",
        title: "Many logins",
        about: "Homes of 10, 1,000 and 10,000 profiles, each with a login that another program has \
                saved in `token-cache.json`. `u2m storage` and `u2m profiles --skip-validate` tell of \
                all of them; a refresh renews one, at a server on this machine that answers at once. \
                A fresh `u2m token` reads the same files and prints one. From start to exit.",
        tables: &[Table { name: growth::TABLE, title: "", anchors: &[("ms", growth::TOKEN[2])] }],
        bars: &[
            // Linear is ten.
            bar(growth::TABLE, growth::STORAGE[2], "ms", Ratio(growth::STORAGE[1], 12.0)),
            bar(growth::TABLE, growth::PROFILES[2], "ms", Ratio(growth::PROFILES[1], 12.0)),
            bar(growth::TABLE, growth::REFRESH[2], "ms", Ratio(growth::REFRESH[1], 12.0)),
            bar(growth::TABLE, growth::STORAGE[2], "ms", Ratio(growth::TOKEN[2], 20.0)),
            bar(growth::TABLE, growth::PROFILES[2], "ms", Ratio(growth::TOKEN[2], 20.0)),
            bar(growth::TABLE, growth::REFRESH[2], "ms", Ratio(growth::TOKEN[2], 20.0)),
        ],
        measure: growth::measure,
    },
    Block {
        name: "flow",
        title: "The arithmetic of a login",
        about: "Once per login, so this guards against regressions only. The floor is written by \
                hand for exactly these inputs.",
        tables: &[
            Table {
                name: "login-start",
                title: "PKCE, state and URL",
                anchors: &[("ns", "floor")],
            },
            Table { name: "login-callback", title: "The callback", anchors: &[("ns", "floor")] },
            Table {
                name: "login-whole",
                title: "All of it, with the answer",
                anchors: &[("ns", "floor")],
            },
        ],
        bars: &[],
        measure: |programs| printed(programs, "flow", &[]),
    },
];

/// The samples that one program of `bench/` prints.
fn printed(programs: &Programs, name: &str, args: &[&str]) -> Result<Measured, Failure> {
    let mut measured = Measured::default();
    measured.samples.take(&output(programs.peer(name).args(args))?)?;
    Ok(measured)
}
