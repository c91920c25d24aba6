//! A bearer token from a shell command, such as those of cloud providers.

use std::{
    future::Future,
    io::{self, Read},
    pin::Pin,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    thread,
    time::Duration,
};

use crate::on::adapter::{
    Prepared,
    client::Attempt,
    http::{StatusCode, header::AUTHORIZATION},
};

/// The longest token, which a header field can hold.
const LONGEST: u64 = 64 * 1024;

/// How often to check whether a command that has closed its output has ended.
const INTERVAL: Duration = Duration::from_millis(10);

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Sets the token before the first attempt, and a new one after a 401. Any other response that is not an
/// event stream ends the program, as without this hook, unless its status is one to retry.
pub(crate) async fn prepare(
    mut attempt: Attempt,
    command: String,
    retried: Vec<StatusCode>,
) -> Result<Prepared, Error> {
    let status = attempt.unexpected_response().map(|answer| answer.status());
    let is_refused = status == Some(StatusCode::UNAUTHORIZED);
    if status.is_some_and(|status| !is_refused && !retried.contains(&status)) {
        return Ok(Prepared::Stop);
    }
    if is_refused || !attempt.headers.contains_key(AUTHORIZATION) {
        attempt.set_bearer(Output::of(&command)?.await?.trim())?;
    }
    Ok(Prepared::Send(attempt))
}

/// The output of a command. Dropping it ends the command.
struct Output {
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    child: Child,
    result: Option<io::Result<String>>,
    waiting: Option<Waker>,
}

impl Output {
    fn of(command: &str) -> io::Result<Self> {
        let mut shell = match cfg!(windows) {
            true => Command::new("cmd"),
            false => Command::new("sh"),
        };
        shell.arg(if cfg!(windows) { "/C" } else { "-c" });
        let mut child = shell
            .arg(command)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = child.stdout.take();
        let shared = Arc::new(Mutex::new(Shared {
            child,
            result: None,
            waiting: None,
        }));
        let output = Self {
            shared: shared.clone(),
        };
        thread::spawn(move || {
            let result = read(stdout, &shared);
            let mut shared = lock(&shared);
            shared.result = Some(result);
            if let Some(waker) = shared.waiting.take() {
                waker.wake();
            }
        });
        Ok(output)
    }
}

impl Future for Output {
    type Output = io::Result<String>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut shared = lock(&self.shared);
        if let Some(result) = shared.result.take() {
            return Poll::Ready(result);
        }
        shared.waiting = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        // This fails where the command has ended.
        let _ = lock(&self.shared).child.kill();
    }
}

/// Reads the command's output. If the command ends early, this does not wait for it.
fn read(stdout: Option<impl Read>, shared: &Mutex<Shared>) -> io::Result<String> {
    let mut text = String::new();
    if let Some(stdout) = stdout {
        stdout.take(LONGEST).read_to_string(&mut text)?;
    }
    let status = loop {
        if let Some(status) = lock(shared).child.try_wait()? {
            break status;
        }
        thread::sleep(INTERVAL);
    };
    match status.success() {
        true => Ok(text),
        false => Err(io::Error::other(format!(
            "the command for the token failed: {status}"
        ))),
    }
}

/// Nothing panics while it is locked.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
