//! A service whose 200 tasks need tokens all the time. One refresh serves them all, none of them waits for it while the old token
//! is good, and the service ends without losing a login that is just being renewed.
//!
//!     cargo run --example service -- https://my-workspace.cloud.databricks.com
//!
//! Sign in before (`u2m login`), and end it with Ctrl-C. Without a host it tries itself out, against a fake server.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use u2m::login::browser_fn;
use u2m::source::{Renewal, TokenSource};
use u2m::store::MemoryStore;
use u2m::{Builder, Host, PersistentAuth, Target, Url};
use u2m_testkit::{RunningServer, follow_login_in_background};

const TASKS: usize = 200;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let Some(host) = std::env::args().nth(1) else { return try_out().await };
    let auth = build(PersistentAuth::builder(Target::workspace(Host::parse(&host)?)))?;
    serve(auth, async { tokio::signal::ctrl_c().await.unwrap_or_default() }).await
}

/// All tasks have the old token while the next one is fetched behind them.
fn build(builder: Builder) -> Result<PersistentAuth, u2m::BuildError> {
    builder.with_renewal(Renewal::Behind).with_wait(Duration::from_secs(30)).build()
}

async fn serve(auth: PersistentAuth, end: impl Future<Output = ()>) -> Result<(), Box<dyn Error>> {
    let (stop, stopped) = watch::channel(false);
    // What the tasks know of it: they work with any source of tokens.
    let source: Arc<dyn TokenSource> = Arc::new(auth.clone());
    let mut tasks = JoinSet::new();
    for _ in 0..TASKS {
        tasks.spawn(work(Arc::clone(&source), stopped.clone()));
    }
    end.await;
    stop.send(true)?;
    let done: usize = tasks.join_all().await.into_iter().sum();
    // What was spent is saved before the process ends.
    let is_saved = auth.close(Duration::from_secs(90)).await;
    println!("{TASKS} tasks have done {done} pieces of work; all is saved: {is_saved}.");
    Ok(())
}

/// Works until it is told to stop; how many pieces of work it has done.
async fn work(source: Arc<dyn TokenSource>, mut stopped: watch::Receiver<bool>) -> usize {
    let mut done = 0;
    while !*stopped.borrow() {
        match source.token().await {
            // Here it would send a request.
            Ok(_token) => done += 1,
            Err(error) if error.is_transient() => {}
            Err(error) => return fail(&error, done),
        }
        let pause = Duration::from_millis(20);
        let _ = tokio::time::timeout(pause, stopped.changed()).await;
    }
    done
}

fn fail(error: &u2m::source::SourceError, done: usize) -> usize {
    println!("A task ends: {error}");
    done
}

async fn try_out() -> Result<(), Box<dyn Error>> {
    let server = RunningServer::start()?;
    let browser = browser_fn(|page: Url| async move {
        drop(follow_login_in_background(page));
        Ok(())
    });
    let target = Target::workspace(Host::parse(server.base_url())?);
    let builder = PersistentAuth::builder(target).with_store(MemoryStore::new());
    let auth = build(builder.with_browser(browser).with_port(0))?;
    auth.challenge().await?;
    serve(auth, tokio::time::sleep(Duration::from_millis(300))).await
}
