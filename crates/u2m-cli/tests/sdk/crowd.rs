//! Twenty programs that start at once on a login whose token has run out.

use crate::common::World;
use crate::program::{Program, with_u2m};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use u2m_testkit::{Endpoint, Fault, Times};

const COUNT: usize = 20;

/// Twenty interpreters are enough for one machine.
static ONE: Mutex<()> = Mutex::new(());

fn crowd(is_with_flag: bool) {
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let world = World::new();
    world.write(".databrickscfg", &format!("[dev]\nhost = {}\n", world.url()));
    world.seed("dev", -5);
    // As long as twenty interpreters may need to come to their question on a busy machine.
    world.server.inject(Endpoint::Token, Times::Always, Fault::delay(Duration::from_secs(2)));
    let all: Option<Vec<Program>> =
        (0..COUNT).map(|_| Program::start(&world, &with_u2m())).collect();
    let Some(mut all) = all else { return };
    all.iter().for_each(Program::ready);
    if !is_with_flag {
        all.iter_mut().for_each(|program| drop(program.ask("before-force-refresh").unwrap()));
    }
    all.iter_mut().for_each(|program| program.order(r#"client {"profile": "dev"}"#));
    for program in &all {
        assert_eq!(program.answer().unwrap(), "databricks-cli");
    }
    all.iter_mut().for_each(|program| program.order("me"));
    for program in &all {
        assert_eq!(program.answer().unwrap(), "fake.user@example.com");
    }
    let counts = world.server.counts();
    assert_eq!((counts.refreshes, counts.rejected, counts.reuse_detections), (1, 0, 0));
    world.assert_alive("dev");
    let token = if is_with_flag {
        "auth token --profile dev --force-refresh"
    } else {
        "auth token --profile dev"
    };
    assert_eq!(all[0].called(), ["version --output json", token]);
}

#[test]
fn row_6_twenty_programs_at_once_make_one_refresh_though_each_forces_it() {
    crowd(true);
}

#[test]
fn row_6_twenty_programs_of_before_that_flag_make_one_refresh() {
    crowd(false);
}
