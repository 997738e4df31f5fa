//! Chromium, driven by its WebDriver as the W3C has it: what is clicked must be seen, and what is typed goes through keys.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use outdial_jobs::providers::http_client;
use reqwest::Method;
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::support::world::{soon, until_some};

/// Browsers that run at once: each takes a core.
static ROOM: Semaphore = Semaphore::const_new(2);

/// As WebDriver names elements.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Keys that are no characters, as WebDriver writes them.
pub(crate) mod keys {
    pub(crate) const ENTER: &str = "\u{e007}";
    pub(crate) const TAB: &str = "\u{e004}";
    pub(crate) const ESCAPE: &str = "\u{e00c}";
    pub(crate) const DOWN: &str = "\u{e015}";
    /// Held for the rest of what is typed at once.
    pub(crate) const CONTROL: &str = "\u{e009}";
}

/// What a screen is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Screen {
    Desk,
    Dark,
    Phone,
}

impl Screen {
    fn size(self) -> (u32, u32) {
        match self {
            Self::Desk | Self::Dark => (1280, 800),
            Self::Phone => (390, 844),
        }
    }
}

/// A browser with one window. It ends with whoever drops it, with all of its processes.
pub(crate) struct Chromium {
    driver: Child,
    session: String,
    base: String,
    _room: SemaphorePermit<'static>,
}

impl Drop for Chromium {
    fn drop(&mut self) {
        let group = self.driver.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        if let Some(group) = group {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// Nobody has so many of the ports that a driver tries, one after the other.
const STARTS: u32 = 8;

/// A driver, and the port that it has. It takes a free one of IPv6 and then the same of IPv4, and ends if somebody has that
/// one: `None`.
async fn driver() -> Option<(Child, String)> {
    let started = Command::new("chromedriver")
        .args(["--port=0", "--log-level=SEVERE"])
        .stdout(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn();
    let mut driver = started.expect("chromedriver starts: apt-get install chromium chromium-driver");
    let mut lines = BufReader::new(driver.stdout.take().expect("it is piped")).lines();
    loop {
        let line = soon("chromedriver's port", lines.next_line()).await.expect("it can be read")?;
        if let Some((_, port)) = line.split_once("started successfully on port ") {
            return Some((driver, port.trim_end_matches('.').to_owned()));
        }
    }
}

impl Chromium {
    /// Starts one that shows pages of `base`.
    pub(crate) async fn start(base: &str, screen: Screen) -> Self {
        let room = ROOM.acquire().await.expect("nobody closes it");
        let mut started = None;
        for _ in 0..STARTS {
            started = driver().await;
            if started.is_some() {
                break;
            }
        }
        let (driver, port) = started.expect("it says its port");
        let driver_at = format!("http://127.0.0.1:{port}/session");
        let (width, height) = screen.size();
        // Chromium's sandbox wants rights that root in a container does not have; it shows our own pages alone.
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
        ];
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "goog:chromeOptions": { "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL" },
            "unhandledPromptBehavior": "ignore",
        } } });
        let made = ask(Method::POST, &driver_at, &wanted).await.expect("a session");
        let session = format!("{driver_at}/{}", made["sessionId"].as_str().expect("its id"));
        let browser = Self { driver, session, base: base.trim_end_matches('/').to_owned(), _room: room };
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": screen == Screen::Phone });
        browser.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
        let scheme = if screen == Screen::Dark { "dark" } else { "light" };
        let scheme = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        browser.devtools("Emulation.setEmulatedMedia", scheme).await;
        browser
    }

    async fn post(&self, what: &str, body: Value) -> Result<Value, String> {
        ask(Method::POST, &format!("{}/{what}", self.session), &body).await
    }

    async fn get(&self, what: &str) -> Result<Value, String> {
        ask(Method::GET, &format!("{}/{what}", self.session), &Value::Null).await
    }

    /// A command of the browser's own protocol.
    async fn devtools(&self, command: &str, params: Value) -> Value {
        self.post("goog/cdp/execute", json!({ "cmd": command, "params": params })).await.expect("it is done")
    }

    /// Opens a page.
    pub(crate) async fn open(&self, path: &str) {
        self.post("url", json!({ "url": format!("{}{path}", self.base) })).await.expect("it opens");
    }

    /// The address of the page without its server.
    pub(crate) async fn path(&self) -> String {
        let url = self.get("url").await.expect("an address");
        url.as_str().expect("text").strip_prefix(&self.base).unwrap_or_default().to_owned()
    }

    /// Runs a script in the page, and gives what it returns.
    pub(crate) async fn script(&self, script: &str, arguments: Value) -> Value {
        self.post("execute/sync", json!({ "script": script, "args": arguments })).await.expect("it runs")
    }

    /// The same of a script that calls its last argument once it is done.
    pub(crate) async fn slow_script(&self, script: &str, arguments: Value) -> Value {
        self.post("execute/async", json!({ "script": script, "args": arguments })).await.expect("it runs")
    }

    async fn element(&self, path: &str) -> Result<String, String> {
        let using = if path.starts_with("//") { "xpath" } else { "css selector" };
        let found = self.post("element", json!({ "using": using, "value": path })).await?;
        found[ELEMENT].as_str().map(str::to_owned).ok_or_else(|| format!("{found}"))
    }

    /// Clicks where `path`, of CSS or XPath, is seen, once it is.
    pub(crate) async fn click(&self, path: &str) {
        until_some(&format!("{path} to be clicked"), async || {
            let element = self.element(path).await?;
            self.post(&format!("element/{element}/click"), json!({})).await
        })
        .await;
    }

    /// Clicks the button or link with this text.
    pub(crate) async fn press(&self, text: &str) {
        self.click(&format!(
            "//main//*[self::button or self::a or self::summary][normalize-space()='{text}']"
        ))
        .await;
    }

    /// Types into a field, once it is seen; a file's path into a field for files chooses it.
    pub(crate) async fn write(&self, path: &str, text: &str) {
        until_some(&format!("{path} to be written to"), async || {
            let element = self.element(path).await?;
            if !path.contains("type=file") {
                self.post(&format!("element/{element}/clear"), json!({})).await.ok();
            }
            self.post(&format!("element/{element}/value"), json!({ "text": text })).await
        })
        .await;
    }

    /// Chooses an option of a select.
    pub(crate) async fn choose(&self, select: &str, value: &str) {
        self.click(&format!("{select} option[value='{value}']")).await;
    }

    /// Types wherever the focus is.
    pub(crate) async fn keys(&self, text: &str) {
        let mut actions = vec![];
        let mut held = vec![];
        for key in text.chars().map(String::from) {
            actions.push(json!({ "type": "keyDown", "value": key }));
            if key == keys::CONTROL {
                held.push(key);
            } else {
                actions.push(json!({ "type": "keyUp", "value": key }));
            }
        }
        actions.extend(held.iter().map(|key| json!({ "type": "keyUp", "value": key })));
        let keys = json!({ "actions": [{ "type": "key", "id": "keys", "actions": actions }] });
        self.post("actions", keys).await.expect("they are typed");
    }

    /// Presses Tab until the focus is on an element that has this text, or whose label has.
    pub(crate) async fn tab_to(&self, text: &str) {
        const FOCUS: &str = "const it = document.activeElement; return [it.labels?.[0]?.innerText, it.innerText, it.value].join('|')";
        for _ in 0..200 {
            let on = self.script(FOCUS, json!([])).await;
            if on.as_str().is_some_and(|on| on.split('|').any(|known| known.trim().starts_with(text))) {
                return;
            }
            self.keys(keys::TAB).await;
        }
        panic!("no Tab leads to `{text}`");
    }

    /// Says yes to the question that the page asks.
    pub(crate) async fn confirm(&self) {
        until_some("a question", async || self.post("alert/accept", json!({})).await).await;
    }

    /// The text of all that is seen of the page.
    pub(crate) async fn text(&self) -> String {
        let text = self.script("return document.body?.innerText ?? ''", json!([])).await;
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until the page shows this.
    pub(crate) async fn shows(&self, text: &str) {
        until_some(&format!("`{text}` to be shown"), async || {
            let seen = self.text().await;
            if seen.contains(text) { Ok(()) } else { Err(seen) }
        })
        .await;
    }

    /// Waits until the page with this address is there.
    pub(crate) async fn arrives(&self, path: impl Fn(&str) -> bool) -> String {
        until_some("a page", async || {
            let at = self.path().await;
            if path(&at) { Ok(at) } else { Err(at) }
        })
        .await
    }

    /// What the browser complained of since it was asked last: failing scripts, what the policy forbids, what was not found.
    pub(crate) async fn complaints(&self) -> Vec<String> {
        let log = self.post("se/log", json!({ "type": "browser" })).await.expect("a log");
        let lines = log.as_array().into_iter().flatten();
        let serious = lines.filter(|line| line["level"] == "SEVERE" || line["level"] == "WARNING");
        serious.map(|line| line["message"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Keeps a picture of the page from top to bottom.
    pub(crate) async fn picture(&self, file: &Path) {
        let size = self
            .script("return [innerWidth, Math.min(document.documentElement.scrollHeight, 1400)]", json!([]))
            .await;
        let clip = json!({ "x": 0, "y": 0, "width": size[0], "height": size[1], "scale": 1 });
        let shot = json!({ "captureBeyondViewport": true, "clip": clip });
        let shot = self.devtools("Page.captureScreenshot", shot).await;
        let png = BASE64_STANDARD.decode(shot["data"].as_str().expect("a picture")).expect("base64");
        std::fs::write(file, png).expect("it is written");
    }

    /// Ends it, and asserts that it complained of nothing.
    pub(crate) async fn end(self) {
        let complaints = self.complaints().await;
        assert!(complaints.is_empty(), "the browser complains: {complaints:#?}");
        let _ = ask(Method::DELETE, &self.session, &Value::Null).await;
    }
}

async fn ask(method: Method, url: &str, body: &Value) -> Result<Value, String> {
    let mut request = http_client().expect("a client").request(method, url).timeout(Duration::from_secs(60));
    if !body.is_null() {
        request = request.json(body);
    }
    let response = request.send().await.map_err(|error| error.to_string())?;
    let ok = response.status().is_success();
    let mut answer: Value = response.json().await.map_err(|error| error.to_string())?;
    match ok {
        true => Ok(answer["value"].take()),
        false => Err(answer["value"]["message"].as_str().unwrap_or_default().to_owned()),
    }
}
