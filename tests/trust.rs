//! Receivers whose certificate a town's own authority signed, with real servers: believed by
//! `ca_file`, or because the system is told of that authority; else not spoken to.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use standpipe::provision::authority::{Authority, CertificateSubject, Validity};
use standpipe_tests::broker::Broker;
use standpipe_tests::client::Client;
use standpipe_tests::gateway::Gateway;
use standpipe_tests::process::{Process, free_port, server};
use standpipe_tests::{now, town, wait_for};

/// How long a page may take.
const SOON: Duration = Duration::from_secs(20);
/// Takes every POST over TLS and writes down its body; to every GET it says that it is ready.
const HTTPS: &str = "import http.server, ssl, sys
class End(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b'{\"ready\":true,\"reasons\":[],\"warnings\":[]}'
        self.send_response(200); self.send_header('content-length', str(len(body)))
        self.end_headers(); self.wfile.write(body)
    def do_POST(self):
        body = self.rfile.read(int(self.headers['content-length']))
        name = self.path.split('?')[0].replace('/api/v2/', '/influx-')
        with open(sys.argv[4] + name, 'ab') as out: out.write(body + b'\\n')
        self.send_response(204); self.end_headers()
end = http.server.ThreadingHTTPServer(('127.0.0.1', int(sys.argv[1])), End)
tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain(sys.argv[2], sys.argv[3])
end.socket = tls.wrap_socket(end.socket, server_side=True, do_handshake_on_connect=False)
end.serve_forever()
";

/// The servers of a town with an authority of its own.
struct Servers {
    dir: tempfile::TempDir,
    https: u16,
    smtps: u16,
    starttls: u16,
    _running: Vec<Process>,
}

impl Servers {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name).display().to_string();
        let authority = Authority::open(&dir.path().join("authority"), now()).unwrap();
        std::fs::write(at("ca.pem"), &authority.certificate).unwrap();
        let names = ["127.0.0.1".to_owned(), "localhost".to_owned()];
        let made =
            authority.issue(&CertificateSubject::Broker(&names), Validity::days(now(), 9)).unwrap();
        std::fs::write(at("cert"), made.certificate).unwrap();
        std::fs::write(at("key"), made.key).unwrap();
        let ports @ [https, smtps, starttls] = [(); 3].map(|()| free_port());
        std::fs::create_dir(at("posted")).unwrap();
        let mut web = Command::new("/usr/bin/python3");
        web.args(["-c", HTTPS, &https.to_string(), &at("cert"), &at("key"), &at("posted")]);
        let mail = |port: u16, [cert, key]: [&str; 2], letters: &str| {
            let mut command = Command::new(server("aiosmtpd"));
            command.args(["-n", "-l", &format!("127.0.0.1:{port}")]);
            command.args([cert, &at("cert"), key, &at("key")]);
            command.args(["-c", "aiosmtpd.handlers.Mailbox", &at(letters)]);
            command
        };
        let mut implicit = mail(smtps, ["--smtpscert", "--smtpskey"], "implicit");
        let mut upgraded = mail(starttls, ["--tlscert", "--tlskey"], "upgraded");
        let running = vec![
            Process::start(&mut web, &dir.path().join("web.log")),
            Process::start(&mut implicit, &dir.path().join("smtps.log")),
            Process::start(&mut upgraded, &dir.path().join("starttls.log")),
        ];
        for port in ports {
            wait_for("a server", SOON, || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
        }
        Self { dir, https, smtps, starttls, _running: running }
    }

    /// `[[webhook]]` of each of them, called NAME-web, NAME-implicit and NAME-upgraded.
    fn sections(&self, name: &str, more: &str) -> String {
        let Self { https, smtps, starttls, .. } = self;
        let mail = "format = 'mail'\nfrom = 'a@town.example'\nto = ['duty@town.example']";
        format!(
            "[[webhook]]\nname = '{name}-web'\nurl = 'https://127.0.0.1:{https}/{name}'\n{more}\n\
             [[webhook]]\nname = '{name}-implicit'\nurl = 'smtps://127.0.0.1:{smtps}'\n{mail}\n{more}\n\
             [[webhook]]\nname = '{name}-upgraded'\nurl = 'smtp://localhost:{starttls}'\n{mail}\n{more}\n"
        )
    }

    fn authority(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    fn posted(&self, name: &str) -> bool {
        self.dir.path().join("posted").join(name).is_file()
    }

    /// Letters that a mail server took.
    fn letters(&self, server: &str) -> usize {
        std::fs::read_dir(self.dir.path().join(server).join("new")).map_or(0, Iterator::count)
    }
}

/// A gateway that pages these, and a fire.
fn burn(dir: &Path, broker: &Broker, webhooks: &str) -> Gateway {
    let files = (town::stations(1), town::devices(1, 1, 900));
    let gateway = Gateway::start(dir, &broker.url(), (&files.0, &files.1), webhooks);
    let fire = r#"{"condition":"smoke","active":true}"#;
    Client::connect(broker.port, "fire").publish("standpipe/v1/t-1/S-1/alarm", fire);
    gateway
}

/// The trail of the fire has it that a receiver took its page.
fn delivered(gateway: &Gateway, receiver: &str) -> bool {
    let fire = gateway.incident("the fire", SOON, |incident| incident["class"] == "fire");
    let id = fire["id"].as_str().unwrap();
    let trail = gateway.get(&format!("incidents/{id}"))["trail"].to_string();
    trail.split('{').any(|hop| hop.contains("\"delivered\"") && hop.contains(receiver))
}

#[test]
fn a_private_authority_is_believed_by_its_file_and_by_nobody_else() {
    let servers = Servers::start();
    let dir = tempfile::tempdir().unwrap();
    let broker = Broker::start(dir.path());
    let ca_file = format!("ca_file = '{}'", servers.authority().display());
    // Another's authority is no better than none; it would be believed if the file were added to others.
    let stranger = Authority::open(&dir.path().join("stranger"), now()).unwrap();
    std::fs::write(dir.path().join("stranger.pem"), stranger.certificate).unwrap();
    let other = format!("ca_file = '{}'", dir.path().join("stranger.pem").display());
    let webhooks = servers.sections("known", &ca_file)
        + &servers.sections("unknown", "")
        + &servers.sections("other", &other);
    let gateway = burn(dir.path(), &broker, &webhooks);
    for receiver in ["known-web", "known-implicit", "known-upgraded"] {
        wait_for(receiver, SOON, || delivered(&gateway, receiver).then_some(()));
    }
    assert!(servers.posted("known"));
    assert_eq!((servers.letters("implicit"), servers.letters("upgraded")), (1, 1));
    wait_for("the others to fail", SOON, || {
        let said = gateway.printed();
        let fails = |name: &str| {
            said.lines().any(|line| line.contains(&format!("webhook {name}: takes no pages")))
        };
        let all =
            ["unknown-web", "unknown-implicit", "other-web", "other-implicit", "other-upgraded"];
        all.into_iter().all(fails).then_some(())
    });
    assert!(gateway.printed().contains("UnknownIssuer"), "{}", gateway.printed());
    assert!(!servers.posted("unknown") && !servers.posted("other"));
    assert_eq!((servers.letters("implicit"), servers.letters("upgraded")), (1, 1));
}

#[test]
fn what_the_system_trusts_is_trusted() {
    let servers = Servers::start();
    let dir = tempfile::tempdir().unwrap();
    let broker = Broker::start(dir.path());
    std::fs::create_dir_all(dir.path().join("gateway")).unwrap();
    let variable = format!("SSL_CERT_FILE={}\n", servers.authority().display());
    std::fs::write(dir.path().join("gateway/environment"), variable).unwrap();
    let gateway = burn(dir.path(), &broker, &servers.sections("usual", ""));
    for receiver in ["usual-web", "usual-implicit"] {
        wait_for(receiver, SOON, || delivered(&gateway, receiver).then_some(()));
    }
    assert!(servers.posted("usual"));
    assert_eq!(servers.letters("implicit"), 1);
}

/// `standpipe check --ready` at the town's own server: done, or what it said.
fn ready(servers: &Servers, environment: &[(&str, String)], more: &[&str]) -> Result<(), String> {
    let mut command = Command::new(standpipe_tests::gateway::program());
    let url = format!("https://127.0.0.1:{}", servers.https);
    command.args(["check", "--ready", "--url", &url]).args(more).env_remove("SSL_CERT_FILE");
    let done = command.envs(environment.iter().map(|(key, value)| (*key, value))).output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    if done.status.success() { Ok(()) } else { Err(said) }
}

#[test]
fn commands_believe_whom_webhooks_believe() {
    let servers = Servers::start();
    let authority = servers.authority().display().to_string();
    let stranger = Authority::open(&servers.dir.path().join("stranger"), now()).unwrap();
    let other = servers.dir.path().join("stranger.pem").display().to_string();
    std::fs::write(&other, stranger.certificate).unwrap();
    assert_eq!(ready(&servers, &[], &["--ca-file", &authority]), Ok(()));
    assert_eq!(ready(&servers, &[("SSL_CERT_FILE", authority.clone())], &[]), Ok(()));
    for (environment, more) in [
        (vec![], vec![]),
        (vec![], vec!["--ca-file", &*other]),
        (vec![("SSL_CERT_FILE", authority.clone())], vec!["--ca-file", &*other]),
    ] {
        let said = ready(&servers, &environment, &more);
        assert!(said.is_err(), "{environment:?} {more:?}");
    }
    let none = ready(&servers, &[], &["--ca-file", "/dev/null"]).unwrap_err();
    assert!(none.contains("--ca-file = /dev/null: cannot be read (it is a device"), "{none}");
}

#[test]
fn influxdb_is_believed_as_webhooks_are() {
    use standpipe_config::trust::Authorities;
    use standpipe_series::influx::{Influx, InfluxSettings};

    let servers = Servers::start();
    let pem = std::fs::read(servers.authority()).unwrap();
    let write = |trust: Option<Authorities>| {
        let settings = InfluxSettings {
            url: format!("https://127.0.0.1:{}", servers.https).into(),
            org: "o".into(),
            token: "t".into(),
            bucket: "b".into(),
            trust,
        };
        let influx = Influx::new(&settings).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let precision = influxdb2::api::write::TimestampPrecision::Milliseconds;
        let written =
            runtime.block_on(influx.write_lines("m v=1 1764000000000\n", precision, now()));
        written.map(|_| ()).map_err(|bad| bad.to_string())
    };
    let unknown = write(None).unwrap_err();
    assert!(unknown.contains("UnknownIssuer"), "{unknown}");
    assert!(!servers.posted("influx-write"));
    assert_eq!(write(Authorities::only(&pem).ok()), Ok(()));
    assert!(servers.posted("influx-write"));
}
