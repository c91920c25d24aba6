//! nginx in front of the server.

use std::{env, fs, net::SocketAddr, path::PathBuf, process, process::Command};

use tokio::net::TcpStream;

use crate::{
    Setting,
    browser::Browser,
    chromium::{Process, free_address, until},
    programs::Program,
};

/// A running nginx, which ends with this, and its files.
struct Nginx {
    _process: Process,
    folder: PathBuf,
    address: SocketAddr,
}

impl Nginx {
    async fn start(upstream: SocketAddr) -> Self {
        let address = free_address();
        let folder =
            env::temp_dir().join(format!("sse-nginx-{}-{}", process::id(), address.port()));
        fs::create_dir_all(&folder).unwrap();
        let config = include_str!("nginx.conf")
            .replace("UPSTREAM", &upstream.to_string())
            .replace("PORT", &address.port().to_string())
            .replace("DIR", folder.to_str().unwrap());
        let file = folder.join("nginx.conf");
        fs::write(&file, config).unwrap();
        let mut command = Command::new("nginx");
        command.arg("-p").arg(&folder).arg("-c").arg(&file);
        let nginx = Self {
            _process: Process::start(&mut command),
            folder,
            address,
        };
        until("nginx", async || TcpStream::connect(address).await.ok()).await;
        nginx
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
    let base = format!("http://{}", nginx.address);
    for program in [Program::Curl, Program::Urllib, Program::Node] {
        program.takes_it(&setting, &base).await;
    }
    Browser::start().takes_it(&setting, &base).await;
}

#[tokio::test]
#[ignore = "needs nginx and curl: run .ci/test"]
async fn nginx_as_installed_asks_in_http_1_0_and_gets_plain_bytes() {
    let setting = Setting::start().await;
    let nginx = Nginx::start(setting.address).await;
    let base = format!("http://{}/as-installed", nginx.address);
    Program::Curl.takes_events(&setting, &base, "none").await;
}
