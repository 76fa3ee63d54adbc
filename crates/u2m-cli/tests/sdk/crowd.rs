//! Twenty programs that start at once on a login whose token has run out.

use crate::common::World;
use crate::program::{Program, with_u2m};
use std::time::Duration;
use u2m_testkit::{Endpoint, Fault, Times};

const COUNT: usize = 20;

/// Each of them makes a client and calls the API once.
fn crowd(is_with_flag: bool) {
    let world = World::new();
    world.write(".databrickscfg", &format!("[dev]\nhost = {}\n", world.url()));
    world.seed("dev", -5);
    // As long as all of them may need to come to their question on a busy machine.
    world.server.inject(Endpoint::Token, Times::Always, Fault::delay(Duration::from_secs(2)));
    let Some(mut program) = Program::start(&world, &with_u2m()) else { return };
    program.ready();
    if !is_with_flag {
        program.ask("before-force-refresh").unwrap();
    }
    let flag = if is_with_flag { " --force-refresh" } else { "" };
    let token = format!("auth token --profile dev{flag}");
    program.order(&format!(r#"crowd {COUNT} {{"profile": "dev"}}"#));
    for _ in 0..COUNT {
        let called = ["version --output json", token.as_str()];
        let wanted = serde_json::json!(["databricks-cli", "fake.user@example.com", called]);
        assert_eq!(program.answer().unwrap(), wanted);
    }
    assert_eq!(program.answer().unwrap(), serde_json::json!(vec![0; COUNT]));
    let counts = world.server.counts();
    assert_eq!((counts.refreshes, counts.rejected, counts.reuse_detections), (1, 0, 0));
    assert_eq!(counts.api, COUNT as u64);
    world.assert_alive("dev");
}

#[test]
fn twenty_programs_at_once_make_one_refresh_though_each_forces_it() {
    crowd(true);
}

#[test]
fn twenty_programs_of_before_that_flag_make_one_refresh() {
    crowd(false);
}
