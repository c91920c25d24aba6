//! A Redis server that ends with the measurement.

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use crate::Result;

pub(crate) struct Redis {
    child: Child,
    port: u16,
}

impl Redis {
    pub(crate) fn start() -> Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let child = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
            .args(["--save", "", "--appendonly", "no", "--dir", "/tmp"])
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| format!("redis-server: {error}; install it"))?;
        let redis = Self { child, port };
        for _ in 0..100 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Ok(redis);
            }
            thread::sleep(Duration::from_millis(50));
        }
        Err("redis-server does not listen".into())
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Returns its CPU time so far, in microseconds.
    pub(crate) fn cpu(&self) -> Result<f64> {
        let mut socket = BufReader::new(TcpStream::connect(("127.0.0.1", self.port))?);
        socket.get_mut().write_all(b"INFO cpu\r\nQUIT\r\n")?;
        let mut seconds = 0.0;
        for line in socket.lines() {
            let line = line?;
            if let Some(("used_cpu_user" | "used_cpu_sys", value)) = line.split_once(':') {
                seconds += value.parse::<f64>()?;
            }
        }
        Ok(seconds * 1e6)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
