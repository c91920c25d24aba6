//! Programs of others around the server: Redis, and proxies with the settings of `docs/proxies.md`.

use std::{
    env, fs, io,
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use sse_suite::port::Port;

/// The page with the settings.
const PAGE: &str = include_str!("../../../docs/proxies.md");

/// How long a program may take to listen.
const PATIENCE: Duration = Duration::from_secs(300);

/// Starts a program, and ends it when the standard input ends, as it does when the process that started
/// it is gone, however that went.
const GUARD: &str = r#""$@" >&2 & read -r _; kill -9 $!; wait"#;

/// Finds a program on the path, and where Debian has those of administrators.
pub fn find(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain(["/usr/sbin".into()]);
    let mut files = folders.map(|folder| folder.join(name));
    files.find(|file| file.is_file())
}

/// A program that listens on a port. It ends with this, and with the process.
#[derive(Debug)]
pub struct Program {
    guard: Child,
}

impl Program {
    /// Starts the program, and waits until it listens at `address`.
    ///
    /// # Errors
    ///
    /// Those of the system, and [`io::ErrorKind::TimedOut`] where it does not listen.
    pub fn start(program: &Path, arguments: &[&str], address: SocketAddr) -> io::Result<Self> {
        let guard = Command::new("sh")
            .args(["-c", GUARD, "sh"])
            .arg(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let program = Self { guard };
        let begin = Instant::now();
        while TcpStream::connect(address).is_err() {
            if begin.elapsed() > PATIENCE {
                let text = format!("{arguments:?} does not listen at {address}");
                return Err(io::Error::new(io::ErrorKind::TimedOut, text));
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(program)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

/// Starts a Redis server without files.
///
/// # Errors
///
/// Those of [`Program::start`].
pub fn redis(program: &Path, port: &Port) -> io::Result<Program> {
    let port_text = port.number().to_string();
    let mut arguments = vec!["--port", &port_text, "--bind", "127.0.0.1"];
    arguments.extend(["--save", "", "--appendonly", "no", "--dir", "/tmp"]);
    Program::start(program, &arguments, port.address())
}

/// A proxy that the page has settings for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proxy {
    /// nginx.
    Nginx,
    /// haproxy.
    Haproxy,
}

/// A running proxy, with its files.
#[derive(Debug)]
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    _program: Program,
    _port: Port,
    _folder: tempfile::TempDir,
}

impl Proxy {
    /// Returns the name of its program, which is also that of its package.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Haproxy => "haproxy",
        }
    }

    /// Starts it in front of the server at `upstream`, with the settings of the page. `timeout` takes
    /// the place of the 60 s after which they cut an idle stream.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::NotFound`] where the program is not installed, and those of [`Program::start`].
    pub fn start(self, upstream: SocketAddr, timeout: Duration) -> io::Result<Running> {
        let program = find(self.name()).ok_or_else(|| {
            let text = format!("{} is not installed", self.name());
            io::Error::new(io::ErrorKind::NotFound, text)
        })?;
        let folder = tempfile::tempdir()?;
        let files = folder.path().display().to_string();
        let port = Port::reserve();
        let address = port.address();
        let timeout = format!("{}s", timeout.as_secs());
        let settings = match self {
            Self::Nginx => nginx(address, &files),
            Self::Haproxy => haproxy(address, &files),
        };
        let settings = replace(&settings, "127.0.0.1:8080", &upstream.to_string());
        let settings = replace(&settings, "60s", &timeout);
        let file = folder.path().join("settings");
        fs::write(&file, settings)?;
        fs::write(folder.path().join("away.http"), block("http"))?;
        let file = file.display().to_string();
        let arguments = match self {
            Self::Nginx => vec!["-p", &files, "-c", &file],
            Self::Haproxy => vec!["-db", "-f", &file],
        };
        Ok(Running {
            address,
            _program: Program::start(&program, &arguments, address)?,
            _port: port,
            _folder: folder,
        })
    }
}

/// The page's settings of nginx, without TLS, in a whole file.
fn nginx(address: SocketAddr, files: &str) -> String {
    let page = replace(
        block("nginx"),
        "listen 443 ssl http2;",
        &format!("listen {address};"),
    );
    let kept = page.lines().filter(|line| {
        let line = line.trim_start();
        !line.starts_with("ssl_") && !line.starts_with("server_name")
    });
    let server = kept.collect::<Vec<_>>().join("\n");
    let folders = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {files}/{name};"))
        .concat();
    format!(
        "daemon off; master_process off; pid {files}/pid; error_log {files}/error.log;\n\
         events {{ worker_connections 1000; }}\n\
         http {{ access_log off; {folders}\n{server}\n}}\n"
    )
}

/// The page's settings of haproxy.
fn haproxy(address: SocketAddr, files: &str) -> String {
    let page = replace(block("haproxy"), "127.0.0.1:8081", &address.to_string());
    replace(
        &page,
        "/etc/haproxy/away.http",
        &format!("{files}/away.http"),
    )
}

/// Replaces what the settings must have.
fn replace(settings: &str, old: &str, new: &str) -> String {
    assert!(settings.contains(old), "docs/proxies.md has no {old:?}");
    settings.replace(old, new)
}

/// The first block of the page in this language.
fn block(language: &str) -> &'static str {
    let begin = format!("\n```{language}\n");
    let found = PAGE.split_once(&begin);
    let found = found.and_then(|(_, rest)| rest.split_once("```\n"));
    found.map_or("", |(block, _)| block)
}
