//! What the process does to keep its secrets to itself, and to end well.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::mpsc;
use std::time::Duration;

/// How long the end of this process waits for what is spent and not saved: for as long as an answer may come and be saved.
/// Where a process of its own refreshes, there is nothing to wait for.
pub(crate) const GRACE: Duration = Duration::from_secs(180);

/// Waits until nothing is spent and unsaved in this process, after which nothing is spent in it any more.
pub(crate) fn wait_for_saves() {
    u2m::process::wait_for_saves_and_refuse(GRACE);
}

/// The same, and says so if it takes longer than a moment.
pub(crate) fn settle_aloud() {
    if u2m::process::wait_for_saves(Duration::ZERO) {
        return wait_for_saves();
    }
    let what = "Waiting until the renewed login is saved";
    crate::waiting::during(what, Some(GRACE), wait_for_saves);
}

/// No core dump and no debugger of the same user gets at the tokens, and a panic says where, not what.
pub(crate) fn harden() {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{
            DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit,
        };
        // Where the kernel does not let it be so, it is as before.
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
        let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    }
    std::panic::set_hook(Box::new(|info| {
        let place = info
            .location()
            .map(|at| format!(" at {}:{}", at.file(), at.line()))
            .unwrap_or_default();
        crate::output::note(&format!(
            "internal error{place}: please report it. What was stored is still there"
        ));
    }));
}

/// The exit code of the signal that came; 0 while none has.
static INTERRUPTED: AtomicU8 = AtomicU8::new(0);

/// The exit code to end with, if a signal came. What was fetched is saved by then, and is not printed: who interrupts a
/// command does not want its result.
pub(crate) fn interrupted() -> Option<u8> {
    Some(INTERRUPTED.load(Ordering::Relaxed)).filter(|code| *code != 0)
}

/// Whether what became of something is about to be said.
static TELLING: AtomicBool = AtomicBool::new(false);

/// Keeps the end of the process, for a moment after all is settled, until it is said what came of it.
pub(crate) struct ExitGuard(());

impl ExitGuard {
    pub(crate) fn begin() -> Self {
        TELLING.store(true, Ordering::Release);
        Self(())
    }
}

impl Drop for ExitGuard {
    fn drop(&mut self) {
        TELLING.store(false, Ordering::Release);
    }
}

/// Waits until it is said, which takes no longer than a line; whoever is to say it may stand still.
fn let_it_be_told() {
    for _ in 0..100 {
        if !TELLING.load(Ordering::Acquire) {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The person has broken off a question: the process ends as after Ctrl-C.
pub(crate) fn break_off() {
    INTERRUPTED.store(130, Ordering::Relaxed);
}

/// From here on a signal waits for what is spent and unsaved, and then ends the process with 128 and its number. Not
/// called on the way of a fresh token: nothing can be lost there.
pub(crate) fn watch_signals() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(watch);
}

fn watch() {
    let (ready, is_ready) = mpsc::sync_channel::<()>(1);
    let watch = move || {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
            return;
        };
        let code = 128 + runtime.block_on(signal(ready));
        INTERRUPTED.store(code, Ordering::Relaxed);
        crate::screen::restore();
        settle_aloud();
        let_it_be_told();
        #[allow(clippy::exit)]
        std::process::exit(code.into());
    };
    // Without it, signals end the process as they always do.
    let started = std::thread::Builder::new().name("u2m-signals".into()).spawn(watch);
    // A signal that comes from now on is heard. Where none can be listened for, the sender is dropped.
    let _ = started.map(|_| is_ready.recv());
}

/// Says that it listens, and waits for a signal.
#[cfg(unix)]
async fn signal(ready: mpsc::SyncSender<()>) -> u8 {
    use tokio::signal::unix::{SignalKind, signal};
    let listen = |kind| signal(kind).ok();
    // Ctrl-\ too: by itself it would leave a terminal that shows nothing of what is typed.
    let (interrupt, quit) = (listen(SignalKind::interrupt()), listen(SignalKind::quit()));
    let terminate = listen(SignalKind::terminate());
    if let Some(mut goes_on) = listen(SignalKind::from_raw(rustix::process::Signal::CONT.as_raw()))
    {
        tokio::spawn(async move {
            while goes_on.recv().await.is_some() {
                crate::screen::resume();
            }
        });
    }
    drop(ready);
    let (Some(mut interrupt), Some(mut quit), Some(mut terminate)) = (interrupt, quit, terminate)
    else {
        return std::future::pending().await;
    };
    let signals = [(&mut interrupt, 2), (&mut quit, 3), (&mut terminate, 15)];
    let mut heard = signals.map(|(signal, number)| (Box::pin(signal.recv()), number));
    std::future::poll_fn(|context| {
        for (signal, number) in &mut heard {
            if signal.as_mut().poll(context).is_ready() {
                return std::task::Poll::Ready(*number);
            }
        }
        std::task::Poll::Pending
    })
    .await
}

#[cfg(not(unix))]
async fn signal(ready: mpsc::SyncSender<()>) -> u8 {
    drop(ready);
    match tokio::signal::ctrl_c().await {
        Ok(()) => 2,
        Err(_) => std::future::pending().await,
    }
}
