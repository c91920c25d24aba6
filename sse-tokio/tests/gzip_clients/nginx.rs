//! nginx in front of the server.

use std::{env, fs, net::SocketAddr, path::PathBuf, process, process::Command};

use sse_suite::port::Port;
use tokio::net::TcpStream;

use crate::{
    Setting,
    browser::Browser,
    chromium::{Process, until},
    programs::Program,
};

/// A running nginx, which ends with this, and its files.
struct Nginx {
    _process: Process,
    folder: PathBuf,
    port: Port,
}

impl Nginx {
    async fn start(upstream: SocketAddr) -> Self {
        let port = Port::reserve();
        let folder = env::temp_dir().join(format!("sse-nginx-{}-{}", process::id(), port.number()));
        fs::create_dir_all(&folder).unwrap();
        let config = include_str!("nginx.conf")
            .replace("UPSTREAM", &upstream.to_string())
            .replace("PORT", &port.number().to_string())
            .replace("DIR", folder.to_str().unwrap());
        let file = folder.join("nginx.conf");
        fs::write(&file, config).unwrap();
        let mut command = Command::new("nginx");
        command.arg("-p").arg(&folder).arg("-c").arg(&file);
        let nginx = Self {
            _process: Process::start(&mut command),
            folder,
            port,
        };
        let address = nginx.port.address();
        until("nginx", async || TcpStream::connect(address).await.ok()).await;
        nginx
    }

    fn base(&self) -> String {
        format!("http://{}", self.port.address())
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[tokio::test]
#[ignore = "needs nginx, and what the others need: run .ci/test"]
async fn behind_nginx_it_is_the_same() {
    let setting = Setting::start().await;
    let nginx = Nginx::start(setting.address).await;
    let base = nginx.base();
    for program in [Program::Curl, Program::Urllib, Program::Node] {
        program.takes_it(&setting, &base).await;
    }
    let browser = Browser::start().await;
    browser.takes_it(&setting, &base).await;
}

#[tokio::test]
#[ignore = "needs nginx and curl: run .ci/test"]
async fn nginx_as_installed_asks_in_http_1_0_and_gets_plain_bytes() {
    let setting = Setting::start().await;
    let nginx = Nginx::start(setting.address).await;
    let base = format!("{}/as-installed", nginx.base());
    Program::Curl.takes_events(&setting, &base, "none").await;
}
