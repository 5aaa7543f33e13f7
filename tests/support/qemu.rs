//! A device: the real image on an emulated board, with its wires, its EEPROM and its log.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use standpipe_firmware::identity::{Identity, PAGE};

use crate::process::{Process, server};
use crate::wait_for;

/// The EEPROM's size, and where in it the identity page is; bytes.
const EEPROM: usize = 32 * 1024;
const IDENTITY: usize = 0x7c00;

/// The image of the emulated board, built if it has changed.
///
/// # Panics
/// When it does not build, or is too large.
#[must_use]
pub fn image() -> PathBuf {
    let build = Path::new(env!("CARGO_MANIFEST_DIR")).join("../firmware/build");
    let out = Command::new(build).arg("lm3s6965").stderr(Stdio::inherit()).output().expect("bash");
    let text = String::from_utf8_lossy(&out.stdout);
    assert!(out.status.success(), "firmware/build lm3s6965 failed: see what it printed\n{text}");
    text.lines().last().expect("a path").into()
}

/// A board that can be switched on and off.
#[derive(Debug)]
pub struct Board {
    process: Option<Process>,
    dir: PathBuf,
    image: PathBuf,
    modem: u16,
    field: u16,
}

/// TCP ports that stand for a board's two serial lines.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    pub modem: u16,
    pub field: u16,
}

impl Board {
    /// A board that is off, with a new EEPROM in which only the identity is written. `ports`
    /// are those of what hangs on its serial lines.
    ///
    /// # Panics
    /// When its files cannot be written.
    #[must_use]
    pub fn new(dir: &Path, identity: &Identity<'_>, ports: Ports) -> Self {
        let Ports { modem, field } = ports;
        let dir = dir.join(identity.device);
        std::fs::create_dir_all(&dir).expect("a folder");
        let board = Self { process: None, image: image(), dir, modem, field };
        std::fs::write(board.eeprom(), vec![0xff; EEPROM]).expect("a file");
        board.identify(identity);
        board
    }

    /// The file that holds what the EEPROM holds.
    #[must_use]
    pub fn eeprom(&self) -> PathBuf {
        self.dir.join("eeprom")
    }

    /// Writes another identity; the board reads it at its next start.
    ///
    /// # Panics
    /// When it does not fit.
    pub fn identify(&self, identity: &Identity<'_>) {
        let mut page = [0xff; PAGE];
        identity.write(&mut page).expect("an identity that fits");
        self.scribble(IDENTITY, &page);
    }

    /// Overwrites bytes of the EEPROM of a board that is off.
    ///
    /// # Panics
    /// When the board is on, or the bytes are beyond the end.
    pub fn scribble(&self, at: usize, bytes: &[u8]) {
        assert!(self.process.is_none(), "the board is on");
        let mut all = std::fs::read(self.eeprom()).expect("the EEPROM");
        all[at..at + bytes.len()].copy_from_slice(bytes);
        std::fs::write(self.eeprom(), all).expect("the EEPROM");
    }

    /// Power on.
    ///
    /// # Panics
    /// When the emulator does not start.
    pub fn on(&mut self) {
        let (qmp, log) = (self.dir.join("qmp"), self.dir.join("log"));
        let _ = std::fs::remove_file(&qmp);
        // The kernel ends the emulator with the thread that started it, however that ends.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]).arg(server("qemu"));
        command.args(["-M", "lm3s6965evb", "-display", "none", "-monitor", "none"]);
        command.args(["-nic", "none", "-kernel"]).arg(&self.image);
        for (id, port) in [("modem", self.modem), ("field", self.field)] {
            let line = format!("socket,id={id},host=127.0.0.1,port={port},nodelay=on");
            command.args(["-chardev", &line, "-serial", &format!("chardev:{id}")]);
        }
        let log = format!("file,id=log,append=on,path={}", log.display());
        command.args(["-chardev", &log, "-serial", "chardev:log"]);
        command.args(["-device", "tmp105,bus=i2c,address=0x48,id=thermometer"]);
        let drive = format!("if=none,id=eeprom,format=raw,file={}", self.eeprom().display());
        command.args(["-drive", &drive, "-device"]);
        command.arg(format!("at24c-eeprom,bus=i2c,address=0x50,rom-size={EEPROM},drive=eeprom"));
        command.arg("-qmp").arg(format!("unix:{},server=on,wait=off", qmp.display()));
        self.process = Some(Process::start(&mut command, &self.dir.join("qemu.log")));
        wait_for("the emulator", Duration::from_secs(10), || UnixStream::connect(&qmp).ok());
    }

    /// Power off, at once and in the middle of everything.
    pub fn off(&mut self) {
        self.process = None;
    }

    /// Sets what the thermometer feels.
    ///
    /// # Panics
    /// When the board is off.
    pub fn temperature(&self, celsius: f64) {
        let path = "/machine/peripheral/thermometer";
        let value = (celsius * 1_000.0).round();
        self.ask(
            "qom-set",
            &json!({"path": path, "property": "temperature", "value": value as i64}),
        );
    }

    /// One command to the emulator itself.
    fn ask(&self, command: &str, arguments: &Value) {
        let stream = UnixStream::connect(self.dir.join("qmp")).expect("a board that is on");
        let mut lines = BufReader::new(&stream).lines();
        let mut hear = |wanted: &str| loop {
            // Events may come at any time.
            let line = lines.next().expect("an answer").expect("a line");
            let answer: Value = serde_json::from_str(&line).expect("JSON");
            assert!(answer["error"].is_null(), "{command} {arguments}: {answer}");
            if !answer[wanted].is_null() {
                return;
            }
        };
        let say = |what: &Value| writeln!(&stream, "{what}").expect("a command");
        hear("QMP");
        say(&json!({"execute": "qmp_capabilities"}));
        hear("return");
        say(&json!({"execute": command, "arguments": arguments}));
        hear("return");
    }

    /// What the device has logged, over all its starts.
    #[must_use]
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.dir.join("log")).unwrap_or_default())
            .into_owned()
    }

    /// Waits until it logs something that was not there at `from`, a length of the log.
    pub fn logs(&self, from: usize, text: &str, within: Duration) {
        wait_for(&format!("`{text}` in the device's log"), within, || {
            self.log().get(from..).and_then(|log| log.contains(text).then_some(()))
        });
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let text = self.log();
            let tail: Vec<&str> = text.lines().rev().take(60).collect();
            eprintln!("--- the end of the device's log");
            for line in tail.iter().rev() {
                eprintln!("{line}");
            }
        }
    }
}
