//! A real Chromium, driven as a person would drive it: looks, clicks, presses keys.

use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use base64::Engine as _;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::process::{Process, free_port, server};
use crate::wait_for;

/// How long anything on a page may take, unless a test says less.
const PATIENCE: Duration = Duration::from_secs(10);

/// A window, in CSS pixels.
#[derive(Clone, Copy, Debug)]
pub enum Window {
    /// 360 × 780, touched with a thumb.
    Phone,
    /// 1280 × 900.
    Desk,
    /// 1920 × 1080, seen from across the room.
    Wall,
}

/// Whether a page is shown light or dark.
#[derive(Clone, Copy, Debug)]
pub enum Light {
    /// Dark letters on a light ground.
    Day,
    /// Light letters on a dark ground.
    Night,
}

/// An open browser; closed when dropped.
pub struct Browser {
    runtime: Runtime,
    client: Client,
    driver: String,
    _process: Process,
}

impl Browser {
    /// Starts one whose files are in `dir`.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start(dir: &Path) -> Self {
        let (port, dir) = (free_port(), dir.join("browser"));
        std::fs::create_dir_all(&dir).expect("a folder");
        let mut command = Command::new(server("chromedriver"));
        command.arg(format!("--port={port}")).env("HOME", &dir);
        let process = Process::start(&mut command, &dir.join("log"));
        wait_for("chromedriver", Duration::from_secs(20), || {
            TcpStream::connect(("127.0.0.1", port)).ok()
        });
        let driver = format!("http://127.0.0.1:{port}");
        let chromium = server("chromium");
        let options = json!({"binary": chromium, "args": [
            "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            "--hide-scrollbars", "--lang=en", "--no-proxy-server", "--disable-extensions",
            format!("--user-data-dir={}", dir.join("profile").display()),
        ]});
        let mut wanted = serde_json::Map::new();
        wanted.insert("goog:chromeOptions".to_owned(), options);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime");
        let client = runtime.block_on(async {
            let connector = HttpConnector::new();
            let mut builder = ClientBuilder::new(connector);
            builder.capabilities(wanted).connect(&driver).await
        });
        let client = client.unwrap_or_else(|bad| panic!("no browser: {bad}"));
        let browser = Self { runtime, client, driver, _process: process };
        browser.window(Window::Desk);
        browser
    }

    /// Opens an address.
    ///
    /// # Panics
    /// When the browser does not.
    pub fn go(&self, url: &str) {
        self.runtime.block_on(self.client.goto(url)).unwrap_or_else(|bad| panic!("{url}: {bad}"));
    }

    /// Where it is.
    ///
    /// # Panics
    /// When the browser does not say.
    #[must_use]
    pub fn at(&self) -> String {
        self.runtime.block_on(self.client.current_url()).expect("an address").to_string()
    }

    /// What a script gives back (`return …`).
    ///
    /// # Panics
    /// When it fails.
    #[must_use]
    pub fn eval(&self, script: &str) -> Value {
        let done = self.runtime.block_on(self.client.execute(script, vec![]));
        done.unwrap_or_else(|bad| panic!("{script}: {bad}"))
    }

    /// What a script hands to its last argument.
    ///
    /// # Panics
    /// When it fails.
    #[must_use]
    pub fn eval_async(&self, script: &str) -> Value {
        let done = self.runtime.block_on(self.client.execute_async(script, vec![]));
        done.unwrap_or_else(|bad| panic!("{script}: {bad}"))
    }

    /// The text a person sees of the first element that a selector finds; none: not there.
    #[must_use]
    pub fn sees(&self, selector: &str) -> Option<String> {
        let script = format!(
            "const shown = [...document.querySelectorAll({})].find((e) => e.checkVisibility \
             ? e.checkVisibility() : e.offsetParent); return shown ? shown.innerText : null;",
            json!(selector)
        );
        self.eval(&script).as_str().map(str::to_owned)
    }

    /// Waits until something can be seen, and gives back its text.
    ///
    /// # Panics
    /// When it can't in time; the page is printed.
    pub fn wait(&self, selector: &str, within: Duration) -> String {
        self.wait_text(selector, "", within)
    }

    /// Waits until something can be seen that says `text`.
    ///
    /// # Panics
    /// When it can't in time.
    pub fn wait_text(&self, selector: &str, text: &str, within: Duration) -> String {
        wait_for(&format!("`{selector}` with `{text}`"), within, || {
            self.sees(selector).filter(|shown| shown.contains(text))
        })
    }

    /// Waits until something can be seen no more.
    ///
    /// # Panics
    /// When it still can.
    pub fn wait_gone(&self, selector: &str, within: Duration) {
        wait_for(&format!("`{selector}` to go"), within, || {
            self.sees(selector).is_none().then_some(())
        });
    }

    /// Clicks on the first element that a selector finds, once it is there.
    ///
    /// # Panics
    /// When it can't be clicked.
    pub fn click(&self, selector: &str) {
        // A live page may put another element in its place between the look and the click.
        wait_for(&format!("`{selector}` to be clicked"), PATIENCE, || {
            let done = self
                .runtime
                .block_on(async { self.client.find(Locator::Css(selector)).await?.click().await });
            done.ok()
        });
    }

    /// Types into a field.
    ///
    /// # Panics
    /// When it can't.
    pub fn fill(&self, selector: &str, text: &str) {
        let done = self.runtime.block_on(async {
            let field = self.client.find(Locator::Css(selector)).await?;
            field.clear().await?;
            field.send_keys(text).await
        });
        done.unwrap_or_else(|bad| panic!("{selector}: {bad}"));
    }

    /// Presses keys, wherever the focus is.
    ///
    /// # Panics
    /// When it can't.
    pub fn press(&self, keys: &str) {
        let done = self
            .runtime
            .block_on(async { self.client.active_element().await?.send_keys(keys).await });
        done.unwrap_or_else(|bad| panic!("{keys}: {bad}"));
    }

    /// Makes the window so large.
    pub fn window(&self, window: Window) {
        let (width, height, mobile) = match window {
            Window::Phone => (360, 780, true),
            Window::Desk => (1280, 900, false),
            Window::Wall => (1920, 1080, false),
        };
        let _ = self.devtools(
            "Emulation.setDeviceMetricsOverride",
            &json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile}),
        );
    }

    /// Shows pages light or dark.
    pub fn light(&self, light: Light) {
        let value = match light {
            Light::Day => "light",
            Light::Night => "dark",
        };
        let features = json!([{"name": "prefers-color-scheme", "value": value}]);
        let _ = self.devtools("Emulation.setEmulatedMedia", &json!({"features": features}));
    }

    /// A picture of what is shown.
    ///
    /// # Panics
    /// When there is none.
    pub fn picture(&self, file: &Path) {
        let png = self.runtime.block_on(self.client.screenshot()).expect("a picture");
        std::fs::write(file, png).expect("a file");
    }

    /// The page as it is printed on A4: a PDF, and how many sheets it has.
    ///
    /// # Panics
    /// When it can't be printed.
    #[must_use]
    pub fn printed(&self) -> (Vec<u8>, usize) {
        let a4 = json!({"paperWidth": 8.27, "paperHeight": 11.69, "preferCSSPageSize": true});
        let answer = self.devtools("Page.printToPDF", &a4);
        let text = answer["data"].as_str().expect("a document");
        let pdf = base64::engine::general_purpose::STANDARD.decode(text).expect("base64");
        let sheets = String::from_utf8_lossy(&pdf).matches("/Type /Page\n").count();
        (pdf, sheets)
    }

    /// What the page holds, garbage collected: bytes of its scripts' heap, nodes, listeners.
    ///
    /// # Panics
    /// When the browser does not say.
    #[must_use]
    pub fn holds(&self) -> [f64; 3] {
        let nothing = json!({});
        for command in
            ["HeapProfiler.collectGarbage", "HeapProfiler.collectGarbage", "Performance.enable"]
        {
            let _ = self.devtools(command, &nothing);
        }
        let metrics = self.devtools("Performance.getMetrics", &nothing);
        let all = metrics["metrics"].as_array().expect("metrics");
        ["JSHeapUsedSize", "Nodes", "JSEventListeners"].map(|name| {
            let found = all.iter().find(|metric| metric["name"] == name);
            found.and_then(|metric| metric["value"].as_f64()).expect(name)
        })
    }

    /// Asks the browser for what WebDriver has no word for; its answer.
    ///
    /// # Panics
    /// When it refuses.
    pub fn devtools(&self, command: &str, params: &Value) -> Value {
        let session = self.runtime.block_on(self.client.session_id()).expect("a session");
        let session = session.expect("a session");
        let url = format!("{}/session/{session}/goog/cdp/execute", self.driver);
        let (status, mut answer) =
            crate::http::post(&url, "", &json!({"cmd": command, "params": params}));
        assert_eq!(status, 200, "{command}: {answer}");
        answer["value"].take()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.runtime.block_on(self.client.clone().close());
    }
}
