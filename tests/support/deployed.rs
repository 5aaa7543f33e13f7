//! A real mosquitto that runs on the files of `deploy/`, with keys made by `standpipe provision`.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::gateway::program;
use crate::process::{Process, free_port, server};
use crate::secure::{Login, Secure};
use crate::wait_for;

/// Two townships of one district; `t1` has a community.
pub const STATIONS: &str = "id,name,level,parent,lat,lon\n\
    d,支队,district,,29.38,106.54\n\
    t1,鱼洞站,township,d,29.38,106.55\n\
    t2,李家沱站,township,d,29.48,106.55\n\
    c1,社区站,community,t1,29.38,106.56\n";
/// Devices of both.
pub const DEVICES: &str = "id,kind,name,station,zone,profile,lat,lon,address,building\n\
    H1,hydrant,消火栓 1,t1,,,29.381,106.551,滨江路,\n\
    H2,hydrant,消火栓 2,t2,,,29.481,106.551,马王坪,\n\
    D1,smoke,感烟 1,c1,,smoke_home,29.381,106.561,新市街 3 号,A\n\
    D2,smoke,感烟 2,t2,,smoke_home,29.481,106.561,马王坪正街,B\n";

/// The folder `deploy`.
#[must_use]
pub fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy")
}

/// A running broker and everybody's keys.
#[derive(Debug)]
pub struct Deployed {
    process: Process,
    /// For devices and stations by certificate, for devices by password, for programs.
    pub ports: [u16; 3],
    dir: PathBuf,
}

impl Deployed {
    /// Makes keys and starts the broker, with its files in `dir`.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start(dir: &Path) -> Self {
        std::fs::write(dir.join("stations.csv"), STATIONS).expect("a file");
        std::fs::write(dir.join("devices.csv"), DEVICES).expect("a file");
        provision(dir, &[]);
        let ports = [(); 3].map(|()| free_port());
        let state = dir.join("mosquitto");
        std::fs::create_dir_all(&state).expect("a folder");
        let mut config = std::fs::read_to_string(deploy().join("mosquitto/mosquitto.conf"))
            .expect("deploy/mosquitto/mosquitto.conf")
            .replace("/etc/standpipe/broker", &dir.join("keys/broker").display().to_string())
            .replace("/var/lib/mosquitto", &state.display().to_string());
        // The programs' is on this machine alone as it is.
        for (usual, port) in ["8883", "8884", "8885 127.0.0.1"].into_iter().zip(ports) {
            let (from, to) =
                (format!("listener {usual}\n"), format!("listener {port} 127.0.0.1\n"));
            assert!(config.contains(&from), "no listener {usual} in deploy's configuration");
            config = config.replace(&from, &to);
        }
        // The folders of a test belong to whoever runs it.
        std::fs::write(state.join("mosquitto.conf"), format!("user root\n{config}"))
            .expect("a file");
        let process = Self::run(dir, ports);
        Self { process, ports, dir: dir.to_owned() }
    }

    fn run(dir: &Path, ports: [u16; 3]) -> Process {
        let mut command = Command::new(server("mosquitto"));
        command.arg("-c").arg(dir.join("mosquitto/mosquitto.conf"));
        let process = Process::start(&mut command, &dir.join("mosquitto/log"));
        for port in ports {
            wait_for("mosquitto", Duration::from_secs(10), || {
                TcpStream::connect(("127.0.0.1", port)).ok()
            });
        }
        process
    }

    /// Stops it in good order and starts it with the files as they are now.
    pub fn restart(&mut self) {
        self.process.signal("TERM");
        let process = &mut self.process;
        wait_for("mosquitto to stop", Duration::from_secs(10), || process.ended());
        self.process = Self::run(&self.dir, self.ports);
    }

    /// A file of `standpipe provision`.
    #[must_use]
    pub fn key(&self, name: &str) -> PathBuf {
        self.dir.join("keys").join(name)
    }

    /// Who signs everybody's certificate, PEM.
    ///
    /// # Panics
    /// When it was not made.
    #[must_use]
    pub fn authority(&self) -> Vec<u8> {
        std::fs::read(self.key("ca.pem")).expect("the authority")
    }

    /// A device or station by the certificate it was given: `devices/t1/H1`, `stations/t1`.
    ///
    /// # Errors
    /// Why the broker does not let it in.
    pub fn enter(&self, place: &str) -> Result<Secure, String> {
        Secure::connect(self.ports[0], &self.authority(), &Login::files(&self.key(place)))
    }

    /// The lines of `[mqtt]` of a gateway on this broker.
    #[must_use]
    pub fn mqtt(&self) -> String {
        let key = |name| self.key(name).display().to_string();
        format!(
            "url = \"mqtts://127.0.0.1:{}\"\nca_file = \"{}\"\nclient_cert_file = \"{}\"\n\
             client_key_file = \"{}\"",
            self.ports[2],
            key("ca.pem"),
            key("gateway/gateway.pem"),
            key("gateway/gateway.key")
        )
    }
}

/// `standpipe provision` for the registry in `dir`, into `dir/keys`.
///
/// # Panics
/// When it fails.
pub fn provision(dir: &Path, more: &[&str]) {
    let out = Command::new(program())
        .current_dir(dir)
        .args(["provision", "--stations", "stations.csv", "--devices", "devices.csv"])
        .args(["--out", "keys"])
        .args(more)
        .output()
        .expect("the program");
    assert!(out.status.success(), "provision: {}", String::from_utf8_lossy(&out.stderr));
}
