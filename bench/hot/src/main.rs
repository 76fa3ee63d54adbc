//! A fresh token in the process: u2m, four other libraries, and the floor underneath.
//!
//! No network: each library is fed once from a constant, then only its path to a fresh token is
//! timed. Futures are polled by the same runtime, many calls in one `block_on`.

mod azure;
mod dbx;
mod floor;
mod google;
mod u2m;
mod yup;

use measure::Contest;
use std::error::Error;
use tokio::runtime::Builder;

fn main() -> Result<(), Box<dyn Error>> {
    rustls::crypto::ring::default_provider().install_default().map_err(|_| "a provider is set")?;
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    for threads in [1, 2] {
        let mut contest = Contest::new(format!("hot-{threads}"), threads);
        floor::enter(&mut contest);
        u2m::enter(&mut contest, &runtime)?;
        google::enter(&mut contest, &runtime)?;
        azure::enter(&mut contest, &runtime)?;
        yup::enter(&mut contest, &runtime)?;
        dbx::enter(&mut contest, &runtime)?;
        contest.run();
    }
    Ok(())
}

/// An access token as long as a usual one in JWT form.
fn jwt() -> String {
    format!("eyJ{}", "aZ9-_".repeat(180))
}

/// The answer of a token endpoint.
fn answer() -> String {
    let jwt = jwt();
    format!(
        r#"{{"access_token":"{jwt}","token_type":"Bearer","expires_in":86400,"ext_expires_in":86400}}"#
    )
}
