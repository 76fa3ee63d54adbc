//! A program whose logins are in its own database: `u2m-sqlite-store DATABASE HOST` renews the login to a host when it is time,
//! and says when its token ends. Signing in is `PersistentAuth::challenge` over the same store.

use std::error::Error;
use u2m::{Host, PersistentAuth, Target};
use u2m_sqlite_store::sqlite_store;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(database), Some(host)) = (args.next(), args.next()) else {
        return Err("usage: u2m-sqlite-store DATABASE HOST".into());
    };
    let target = Target::workspace(Host::parse(&host)?);
    let auth = PersistentAuth::builder(target).with_store(sqlite_store(database)).build()?;
    let token = auth.blocking().token()?;
    println!("{}", token.expiry().map_or(0, |end| end.unix()));
    Ok(())
}
