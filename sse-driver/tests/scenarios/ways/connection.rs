//! Over a connection: the pump, on a runtime without sockets.

use std::time::Duration;

use sse_core::lifecycle::CloseCounts;
use sse_driver::{
    Report, Server, ServerConfig, ServerHandle,
    router::{RouteError, Router},
};

use super::{Host, Sight, wire};
use crate::{
    scenario::{Ask, Bounds, IN_FLIGHT},
    sim::{Client, Job, Sim},
};

pub struct Served {
    sim: Sim,
    handle: ServerHandle,
    _serving: Job<Result<Report, RouteError>>,
    clients: Vec<Reader>,
}

struct Reader {
    /// `None` once it has gone away.
    client: Option<Client>,
    is_head: bool,
    holds: bool,
    sight: Sight,
}

impl Served {
    pub fn new(sim: &Sim, router: Router, bounds: &Bounds) -> Self {
        let mut config = ServerConfig::default();
        let connection = &mut config.connection;
        connection.stall_timeout = bounds.stall_timeout;
        connection.response.respond_timeout = bounds.respond_timeout;
        connection.response.body_timeout = bounds.body_timeout;
        connection.response.body_limit = bounds.body_limit;
        connection.response.keep_alive = bounds.keep_alive;
        connection.response.high_water_mark = bounds.high_water_mark;
        let server = Server::new(sim.clone(), sim.listen()).with_config(config);
        let handle = server.handle();
        let serving = sim.start(server.serve(router));
        sim.settle();
        Self {
            sim: sim.clone(),
            handle,
            _serving: serving,
            clients: Vec::new(),
        }
    }

    fn client(&mut self) -> Option<&mut Client> {
        self.clients[0].client.as_mut()
    }

    fn closed(&self) -> CloseCounts {
        self.handle.stats().closed
    }
}

impl Reader {
    /// Whether there was anything.
    fn read(&mut self) -> bool {
        let Some(client) = &mut self.client else {
            return false;
        };
        let busy = client.read_all() > 0;
        self.sight = wire::read(client.received().as_bytes(), self.is_head, client.at_end());
        busy
    }
}

impl Host for Served {
    fn ask(&mut self, path: &'static str, ask: &Ask) {
        let capacity = match ask.holds {
            true => IN_FLIGHT,
            false => 64 * 1024,
        };
        let client = self.sim.connect_over(capacity);
        let mut client = client.expect("the server listens");
        let mut head = format!("{} {path} HTTP/1.1\r\nhost: sim\r\n", ask.method);
        for (name, value) in &ask.fields {
            head += &format!("{name}: {value}\r\n");
        }
        if let Some(announced) = ask.announced {
            head += &format!("content-length: {announced}\r\n");
        }
        client.send(head + "\r\n");
        self.clients.push(Reader {
            client: Some(client),
            is_head: ask.method == "HEAD",
            holds: ask.holds,
            sight: Sight::default(),
        });
        self.settle();
    }

    fn settle(&mut self) {
        loop {
            self.sim.settle();
            let mut busy = false;
            for client in self.clients.iter_mut().filter(|client| !client.holds) {
                busy |= client.read();
            }
            if !busy {
                return;
            }
        }
    }

    fn advance(&mut self, by: Duration) {
        self.sim.advance(by);
    }

    fn hold_up(&mut self, by: Duration) {
        self.sim.hold_up(by);
    }

    fn read_once(&mut self) {
        self.clients[0].read();
    }

    fn upload(&mut self, piece: &'static str) {
        self.client().unwrap().send(piece);
    }

    fn break_upload(&mut self) {
        self.client().unwrap().half_close();
    }

    fn leave(&mut self) {
        if let Some(client) = self.clients[0].client.take() {
            client.close();
        }
        self.settle();
    }

    fn shut_down(&mut self) {
        self.handle.shut_down();
    }

    fn cut(&mut self) {
        self.handle.cut();
    }

    fn stop(&mut self) {
        self.sim.stop();
    }

    fn sight(&self) -> Sight {
        self.clients[0].sight.clone()
    }

    fn bystander(&self) -> Sight {
        self.clients[1].sight.clone()
    }

    fn counted(&self) -> Option<String> {
        super::counted(self.closed())
    }
}
