//! A headless Chromium, spoken to by WebDriver: one chromedriver for all tests, one browser for each.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;
use std::{env, fs, thread};

use fantoccini::wd::{Capabilities, WebDriverCompatibleCommand};
use fantoccini::{Client, ClientBuilder};
use hyper::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use url::{ParseError, Url};

/// How long a start, or a condition in a page, may take.
const DEADLINE: Duration = Duration::from_secs(60);
/// What the programs are called, where they differ.
const BROWSERS: [&str; 4] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
];
const DRIVER: &str = "chromedriver";

/// A program of this name on the search path.
fn program(name: &str) -> Option<PathBuf> {
    let folders = env::var_os("PATH")?;
    env::split_paths(&folders)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}

/// What is missing on this machine to open a page, with what would install it.
pub fn missing() -> Option<String> {
    let browser = BROWSERS.iter().find_map(|name| program(name));
    (browser.is_none() || program(DRIVER).is_none()).then(|| {
        "needs chromium and chromedriver (Debian: apt-get install chromium chromium-driver)"
            .to_owned()
    })
}

/// Has the kernel end a program when the thread that starts it is gone, be it by Ctrl-C or a kill; a browser ends with its chromedriver,
/// since both talk through pipes.
fn end_with_this_thread(command: &mut Command) {
    #[cfg(target_os = "linux")]
    // SAFETY: between fork and exec only this call is made, which takes numbers alone and allocates nothing.
    unsafe {
        command.pre_exec(
            || match libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0) {
                0 => Ok(()),
                _ => Err(std::io::Error::last_os_error()),
            },
        );
    }
    #[cfg(not(target_os = "linux"))]
    let _ = command;
}

/// A chromedriver with a process group of its own, which goes with it.
pub struct Driver {
    child: Child,
    port: u16,
}

impl Driver {
    /// Starts one on a free port.
    pub fn start() -> Self {
        let program = program(DRIVER).expect("it was looked for before");
        let mut command = Command::new(program);
        command
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0);
        end_with_this_thread(&mut command);
        let mut child = command.spawn().expect("chromedriver starts");
        let lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let (told, port) = mpsc::channel();
        // Goes on reading when the port is known, so that chromedriver can say what it wants.
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let port = line.split("started successfully on port ").nth(1);
                if let Some(port) = port.and_then(|port| port.trim_end_matches('.').parse().ok()) {
                    let _ = told.send(port);
                }
            }
        });
        let mut driver = Self { child, port: 0 };
        driver.port = port
            .recv_timeout(DEADLINE)
            .expect("chromedriver says its port");
        driver
    }

    /// The port that it listens on.
    pub const fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // It is not waited for yet, so the number still is its own.
        let group = nix::unistd::Pid::from_raw(self.child.id() as i32);
        let _ = nix::sys::signal::killpg(group, nix::sys::signal::Signal::SIGKILL);
        let _ = self.child.wait();
    }
}

/// What a window is like.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    /// Its width in CSS pixels.
    pub width: u32,
    /// Its height in CSS pixels.
    pub height: u32,
    /// How many pixels of the screen one of CSS is wide.
    pub ratio: u32,
    /// Whether it is one of a phone.
    pub phone: bool,
}

/// A window on a desk.
pub const DESKTOP: Window = Window {
    width: 1_400,
    height: 1_000,
    ratio: 1,
    phone: false,
};
/// A window of a phone.
pub const PHONE: Window = Window {
    width: 390,
    height: 844,
    ratio: 2,
    phone: true,
};

/// A browser with a fresh profile.
pub struct Browser {
    client: Client,
    _profile: TempDir,
}

impl Browser {
    /// Opens a window on a page and waits until the page says that it has drawn everything.
    pub async fn open(port: u16, window: Window, page: &Path) -> Self {
        let profile = tempfile::tempdir().expect("a temporary folder");
        let binary = BROWSERS.iter().find_map(|name| program(name));
        let arguments = vec![
            "--headless=new".to_owned(),
            "--remote-debugging-pipe".to_owned(),
            // What scrolls smoothly is somewhere else when it is looked at.
            "--force-prefers-reduced-motion".to_owned(),
            // It refuses to work for root, and cannot in many a container; the pages are our own.
            "--no-sandbox".to_owned(),
            "--disable-gpu".to_owned(),
            "--disable-quic".to_owned(),
            "--no-first-run".to_owned(),
            "--disable-background-networking".to_owned(),
            "--disable-component-update".to_owned(),
            "--disable-sync".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            "--hide-scrollbars".to_owned(),
            format!("--window-size={},{}", window.width, window.height),
            format!("--user-data-dir={}", profile.path().display()),
        ];
        let Value::Object(capabilities) = json!({
            "goog:chromeOptions": {"binary": binary, "args": arguments},
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
            "timeouts": {"script": DEADLINE.as_millis() as u64 + 5_000},
            "unhandledPromptBehavior": "ignore",
        }) else {
            unreachable!("the literal above is an object");
        };
        let capabilities: Capabilities = capabilities.into_iter().collect();
        let client = ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new())
            .capabilities(capabilities)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .expect("the browser starts");
        let browser = Self {
            client,
            _profile: profile,
        };
        browser
            .devtools(
                "Emulation.setDeviceMetricsOverride",
                json!({
                    "width": window.width, "height": window.height, "deviceScaleFactor": window.ratio, "mobile": window.phone,
                }),
            )
            .await;
        browser.open_page(page).await;
        browser
    }

    /// Opens a page, again where it is open, and waits until it says that it has drawn everything.
    pub async fn open_page(&self, page: &Path) {
        let page = Url::from_file_path(page).expect("the path is absolute");
        self.client.goto(page.as_str()).await.expect("it opens");
        self.until(
            // The page of a comparison has no lanes.
            "document.documentElement.dataset.charts === 'drawn'
             && (document.documentElement.dataset.lanes === 'drawn' || !document.getElementById('lanes'))",
        )
        .await;
    }

    /// What an expression of the page comes to.
    pub async fn ask(&self, expression: &str) -> Value {
        let script = format!("return ({expression});");
        let answer = self.client.execute(&script, Vec::new()).await;
        answer.unwrap_or_else(|error| panic!("{expression}: {error}"))
    }

    /// Waits until an expression of the page is true; looks with every frame.
    pub async fn until(&self, condition: &str) {
        let script = format!(
            "const done = arguments[0]; const last = performance.now() + {};
             const look = () => {{
               if ({condition}) done(true); else if (performance.now() > last) done(false); else requestAnimationFrame(look);
             }};
             look();",
            DEADLINE.as_millis()
        );
        let met = self.client.execute_async(&script, Vec::new()).await;
        let met = met.unwrap_or_else(|error| panic!("{condition}: {error}"));
        assert_eq!(met, true, "waited in vain for: {condition}");
    }

    /// A command of the browser's own protocol.
    pub async fn devtools(&self, command: &str, arguments: Value) -> Value {
        let body = json!({"cmd": command, "params": arguments});
        let answer = self.client.issue_cmd(Own("goog/cdp/execute", body)).await;
        answer.unwrap_or_else(|error| panic!("{command}: {error}"))
    }

    /// Moves the mouse to a place of the window.
    pub async fn point(&self, x: f64, y: f64) {
        self.devtools(
            "Input.dispatchMouseEvent",
            json!({"type": "mouseMoved", "x": x, "y": y}),
        )
        .await;
    }

    /// Presses the mouse at one place, moves it, and lets it go at another.
    pub async fn drag(&self, from: (f64, f64), to: (f64, f64)) {
        for (kind, (x, y), buttons) in [
            ("mouseMoved", from, 0),
            ("mousePressed", from, 1),
            ("mouseMoved", to, 1),
            ("mouseReleased", to, 0),
        ] {
            self.devtools(
                "Input.dispatchMouseEvent",
                json!({
                    "type": kind, "x": x, "y": y, "button": if kind == "mouseMoved" { "none" } else { "left" },
                    "buttons": buttons, "clickCount": 1,
                }),
            )
            .await;
        }
    }

    /// Touches a place of the window with a finger.
    pub async fn tap(&self, x: f64, y: f64) {
        for (kind, points) in [
            ("touchStart", json!([{"x": x, "y": y}])),
            ("touchEnd", json!([])),
        ] {
            self.devtools(
                "Input.dispatchTouchEvent",
                json!({"type": kind, "touchPoints": points}),
            )
            .await;
        }
    }

    /// Presses a key, as `KeyboardEvent.key` names it.
    pub async fn press(&self, key: &str) {
        for kind in ["keyDown", "keyUp"] {
            self.devtools(
                "Input.dispatchKeyEvent",
                json!({"type": kind, "key": key, "code": key}),
            )
            .await;
        }
    }

    /// Types into the search field, in place of what stood there.
    pub async fn search(&self, text: &str) {
        let text = json!(text);
        self.ask(&format!(
            "(() => {{ const field = document.getElementById('lanes-search'); field.focus(); field.value = {text};
               field.dispatchEvent(new Event('input', {{bubbles: true}})); }})()"
        ))
        .await;
    }

    /// Waits for two frames: one may have been under way.
    pub async fn frames(&self) {
        let script = "requestAnimationFrame(() => requestAnimationFrame(arguments[0]))";
        let frames = self.client.execute_async(script, Vec::new()).await;
        frames.expect("frames are drawn");
    }

    /// Keeps a picture of the window beside what was built, for people to look at.
    pub async fn picture(&self, name: &str) {
        self.frames().await;
        let picture = self.client.screenshot().await.expect("a screenshot");
        let folder = pictures();
        fs::create_dir_all(&folder).expect("the folder of what is built");
        fs::write(folder.join(format!("{name}.png")), picture).expect("it can be written");
    }

    /// Asserts that the page said nothing, asked nobody, and opened no dialog; ends the browser.
    pub async fn close_quietly(self) {
        let dialog = self.client.get_alert_text().await;
        assert!(dialog.is_err(), "a dialog is open: {dialog:?}");
        let said = self.log("browser").await;
        assert!(said.is_empty(), "the console is not empty: {said:#?}");
        let asked: Vec<String> = self
            .log("performance")
            .await
            .iter()
            .filter_map(|entry| {
                let event: Value = serde_json::from_str(entry["message"].as_str()?).ok()?;
                let event = &event["message"];
                let is_request = event["method"] == "Network.requestWillBeSent"
                    || event["method"] == "Network.webSocketCreated";
                let params = &event["params"];
                let url = params["request"]["url"].as_str().or(params["url"].as_str());
                let url = url.unwrap_or_default();
                // The browser's own first page, which no page from a file can ask for.
                (is_request && !url.starts_with("chrome://")).then(|| url.to_owned())
            })
            .collect();
        assert!(
            asked.iter().any(|url| url.starts_with("file:///")),
            "the log of requests lacks the page itself: {asked:?}"
        );
        let out: Vec<_> = asked
            .iter()
            .filter(|url| !url.starts_with("file:///") && !url.starts_with("data:"))
            .collect();
        assert!(out.is_empty(), "the page asked for {out:?}");
        self.client.close().await.expect("it closes");
    }

    async fn log(&self, kind: &str) -> Vec<Value> {
        let answer = self
            .client
            .issue_cmd(Own("se/log", json!({"type": kind})))
            .await;
        match answer.expect("the log can be read") {
            Value::Array(entries) => entries,
            other => panic!("the log is no list: {other}"),
        }
    }
}

/// Where screenshots are kept.
fn pictures() -> PathBuf {
    // The programs under test lie in a folder for the profile, below the one for all that is built.
    let program = Path::new(env!("CARGO_BIN_EXE_leak-harness"));
    let built = program.ancestors().nth(2).unwrap_or(program);
    built.join("pages")
}

/// A command that only chromedriver has: its path below the session, and its body.
#[derive(Debug)]
struct Own(&'static str, Value);

impl WebDriverCompatibleCommand for Own {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, ParseError> {
        let session = session.unwrap_or_default();
        base.join(&format!("session/{session}/{}", self.0))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.1.to_string()))
    }
}
