//! The scripts, and their names on the server.

use std::sync::OnceLock;

use redis::cmd;

const APPEND: &str = concat!(include_str!("current.lua"), include_str!("append.lua"));
const READ: &str = concat!(include_str!("current.lua"), include_str!("read.lua"));

/// The scripts of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Script {
    Append,
    Read,
}

impl Script {
    pub(crate) const ALL: [Self; 2] = [Self::Append, Self::Read];

    fn text(self) -> &'static str {
        match self {
            Self::Append => APPEND,
            Self::Read => READ,
        }
    }

    /// Returns the command that stores the script. Its answer is the script's name.
    pub(crate) fn load(self) -> Vec<u8> {
        cmd("SCRIPT")
            .arg("LOAD")
            .arg(self.text())
            .get_packed_command()
    }
}

/// The names, which every server computes in the same way from the text.
#[derive(Debug, Default)]
pub(crate) struct Names {
    append: OnceLock<String>,
    read: OnceLock<String>,
}

impl Names {
    fn of(&self, script: Script) -> &OnceLock<String> {
        match script {
            Script::Append => &self.append,
            Script::Read => &self.read,
        }
    }

    pub(crate) fn set(&self, script: Script, name: String) {
        let _ = self.of(script).set(name);
    }

    /// Returns the command that runs the script by its name, or by its text if there is no name or
    /// `by_text` is true.
    pub(crate) fn command(
        &self,
        script: Script,
        by_text: bool,
        keys: &[String],
        arguments: &[&[u8]],
    ) -> Vec<u8> {
        let name = self.of(script).get().filter(|_| !by_text);
        let mut command = cmd(if name.is_some() { "EVALSHA" } else { "EVAL" });
        command.arg(name.map_or(script.text(), String::as_str));
        command.arg(keys.len()).arg(keys);
        arguments.iter().for_each(|argument| {
            command.arg(*argument);
        });
        command.get_packed_command()
    }
}
