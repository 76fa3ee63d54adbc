//! A login whose token endpoint is on another host that was allowed by name.

use crate::desk::Desk;
use crate::elsewhere::Elsewhere;

#[test]
fn a_login_with_its_endpoint_on_another_allowed_host_lives_in_the_keyring() {
    let Some(desk) = Desk::new() else { return };
    let Desk { world, service } = desk;
    let elsewhere = Elsewhere::new(world);
    let run = elsewhere.world.path("run");
    elsewhere.live(|line| {
        let mut command = elsewhere.world.command(line);
        command.env("DATABRICKS_AUTH_STORAGE", "secure").env("XDG_RUNTIME_DIR", &run);
        command.env("DBUS_SESSION_BUS_ADDRESS", service.address());
        command
    });
}
