//! The HTML page in a real headless Chromium: what it draws, says and asks for. Shows as ignored where Chromium is not installed.
//!
//! Pictures of the pages are kept in the folder `pages` of what is built, for people to look at.

#[path = "pages/browser.rs"]
mod browser;
#[path = "pages/samples.rs"]
mod samples;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use browser::{Browser, DESKTOP, Driver, PHONE, Window};
use leak_harness::compare;
use leak_harness::judge::lanes::Lanes;
use leak_harness::report::{Report, html};
use leak_harness::scenario::Verdict;
use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::{Value, json};
use tempfile::TempDir;

/// One test: what it is called, and what it does with the port of chromedriver.
type Case = (&'static str, fn(u16) -> Result<(), Failed>);

const CASES: [Case; 13] = [
    ("a_clean_run_is_shown", clean_run),
    ("a_leaking_run_is_shown", leaking_run),
    ("texts_stay_texts", texts_stay_texts),
    ("thousands_of_sessions_stay_usable", thousands),
    ("a_phone_shows_all_of_it", phone),
    ("time_can_be_zoomed", zoom),
    ("keys_reach_everything", keys),
    ("the_picture_follows_the_scheme", scheme),
    ("paper_shows_what_was_found", paper),
    ("a_comparison_shows_both_runs", comparison),
    ("a_comparison_fits_a_phone", comparison_on_a_phone),
    ("charts_tell_a_moment_and_zoom_together", charts),
    ("a_run_that_goes_on_is_not_judged", checkpoint),
];

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // A browser is several processes; two of them are enough for the small machines of a CI.
    arguments.test_threads = arguments.test_threads.or(Some(2));
    let missing = browser::missing();
    adopt_orphans();
    let driver = (missing.is_none() && !arguments.list).then(Driver::start);
    let port = driver.as_ref().map_or(0, Driver::port);
    let trials = CASES
        .iter()
        .map(|&(name, case)| {
            let trial = Trial::test(name, move || case(port));
            match &missing {
                Some(reason) => trial.with_kind(reason).with_ignored_flag(true),
                None => trial,
            }
        })
        .collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    drop(driver);
    end_orphans();
    conclusion.exit_code()
}

/// What a browser leaves behind becomes a child of the suite.
fn adopt_orphans() {
    #[cfg(target_os = "linux")]
    // SAFETY: the call takes numbers alone.
    unsafe {
        libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    }
}

/// Ends the browsers of tests that failed, now that their chromedriver is gone. A child that was not waited for keeps its number.
fn end_orphans() {
    #[cfg(target_os = "linux")]
    loop {
        let me = std::process::id();
        let list = format!("/proc/self/task/{me}/children");
        let children = fs::read_to_string(list).unwrap_or_default();
        let pids: Vec<i32> = children
            .split_whitespace()
            .filter_map(|pid| pid.parse().ok())
            .collect();
        if pids.is_empty() {
            return;
        }
        for pid in pids {
            let pid = nix::unistd::Pid::from_raw(pid);
            let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
            let _ = nix::sys::wait::waitpid(pid, None);
        }
    }
}

/// A page in a file of its own.
struct Page {
    folder: TempDir,
}

impl Page {
    fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::write(folder.path().join("report.html"), text).expect("it can be written");
        Self { folder }
    }

    fn of((report, lanes): &(Report, Lanes)) -> Self {
        Self::new(&html::render(report, lanes).expect("it is rendered"))
    }

    /// The page of a run of one of the smoke scenarios, as the program writes it.
    fn of_run(scenario: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let out = folder.path().join("out");
        let scenario = scenarios().join("smoke").join(scenario);
        let program = || {
            let mut program = Command::new(env!("CARGO_BIN_EXE_leak-harness"));
            program.arg("--quiet");
            program
        };
        let run = program()
            .arg("run")
            .arg(scenario)
            .arg("--out")
            .arg(&out)
            .output()
            .expect("the program starts");
        assert!(run.status.success(), "{run:?}");
        let report = program()
            .arg("report")
            .arg(&out)
            .args(["--format", "html"])
            .output()
            .expect("the program starts");
        assert!(report.status.success(), "{report:?}");
        Self::new(&String::from_utf8(report.stdout).expect("it is text"))
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("report.html")
    }

    fn size(&self) -> u64 {
        fs::metadata(self.path()).expect("it is there").len()
    }
}

fn scenarios() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.with_file_name("scenarios")
}

/// Opens a page, carries a test out, and asserts that the page stayed quiet.
fn with(
    port: u16,
    window: Window,
    page: &Page,
    test: impl AsyncFnOnce(&Browser),
) -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let browser = Browser::open(port, window, &page.path()).await;
        test(&browser).await;
        browser.close_quietly().await;
    });
    Ok(())
}

/// The pixels of a part of a canvas, read from a copy: reading from the canvas itself would change how it is drawn.
const PIXELS: &str = "((canvas, x, y, width, height) => { const copy = new OffscreenCanvas(width, height).getContext('2d');
    copy.drawImage(canvas, x, y, width, height, 0, 0, width, height); return copy.getImageData(0, 0, width, height).data; })";

/// A chart of the page, by what follows `chart-` in its id: an object of the chart library.
fn chart(name: &str) -> String {
    format!("echarts.getInstanceByDom(document.getElementById('chart-{name}'))")
}

/// Where the curves of a chart are drawn, in the window.
fn plot_of(name: &str) -> String {
    let chart = chart(name);
    format!(
        "(() => {{ const place = document.getElementById('chart-{name}'); place.scrollIntoView({{behavior: 'instant', block: 'center'}});
           const box = place.getBoundingClientRect(); const grid = {chart}.getModel().getComponent('grid').coordinateSystem.getRect();
           return {{x: box.left + grid.x, y: box.top + grid.y, width: grid.width, height: grid.height}}; }})()"
    )
}

/// Asserts that each of these charts has a curve of some size where curves are drawn: axes, marks and the slider of the zoom do not count.
/// A curve that hardly moves is as flat as an axis; there the numbers that it is drawn from have to do.
async fn assert_charts(browser: &Browser, names: &[&str]) {
    for name in names {
        let drawn = browser
            .ask(&format!(
                "(plot => [...document.querySelectorAll('#chart-{name} path')].filter(path => {{
                   const box = path.getBoundingClientRect();
                   return box.width > 40 && box.height > 4 && box.top > plot.y - 2 && box.bottom < plot.y + plot.height + 2; }}).length)({})",
                plot_of(name)
            ))
            .await;
        let level = browser
            .ask(&format!(
                "(series => series.some(({{data}}) => {{
                   const values = data.map(point => (point.value ?? point)[1]).filter(Number.isFinite);
                   const most = Math.max(...values);
                   return values.length > 1 && most > 0 && Math.min(...values) > 0.8 * most; }}))({}.getOption().series)",
                chart(name)
            ))
            .await;
        assert!(
            drawn.as_u64() > Some(0) || level == true,
            "the chart of {name} is blank"
        );
    }
    browser.ask("scrollTo({top: 0, behavior: 'instant'})").await;
}

/// Points at a chart, at a part of its width, and gives what the tip says.
async fn tip_of(browser: &Browser, name: &str, part: f64) -> String {
    let plot = browser.ask(&plot_of(name)).await;
    browser.frames().await;
    let part_of = |name: &str| plot[name].as_f64().expect("it has a place");
    let x = part_of("x") + part_of("width") * part;
    browser
        .point(x, part_of("y") + part_of("height") / 2.0)
        .await;
    let tip = format!("document.querySelector('#chart-{name} .tip')");
    browser.until(&format!("{tip}?.textContent")).await;
    let said = browser.ask(&format!("{tip}.textContent")).await;
    said.as_str().expect("it is text").to_owned()
}

/// The charts of a report.
const CHARTS: [&str; 4] = ["children", "memory", "worker", "sessions"];

/// The names of the sessions, as the page holds them.
async fn sessions(browser: &Browser) -> Vec<String> {
    let names = browser
        .ask("JSON.parse(document.getElementById('lanes-data').textContent).sessions.name")
        .await;
    serde_json::from_value(names).expect("they are names")
}

/// The pids of the first process of each session.
async fn first_pids(browser: &Browser) -> Vec<u64> {
    let pids = browser
        .ask(
            "(() => { const data = JSON.parse(document.getElementById('lanes-data').textContent); let place = 0;
             return data.sessions.bars.map(count => { const pid = data.bars.pid[place]; place += count; return pid; }); })()",
        )
        .await;
    serde_json::from_value(pids).expect("they are pids")
}

/// Where a process of a session is drawn.
async fn place_of(browser: &Browser, session: &str) -> Value {
    browser
        .ask("document.getElementById('lanes-view').scrollIntoView({behavior: 'instant'})")
        .await;
    // Whatever follows a scroll has happened when the next frame has been drawn.
    browser.frames().await;
    let session = json!(session);
    browser
        .ask(&format!(
            "document.getElementById('lanes-view').placeOf({session}, 0)"
        ))
        .await
}

fn middle(place: &Value) -> (f64, f64) {
    let part = |name: &str| place[name].as_f64().expect("it has a place");
    (
        part("x") + part("width") / 2.0,
        part("y") + part("height") / 2.0,
    )
}

/// Waits for the tooltip to name a process, and gives all that it says.
async fn tooltip_of(browser: &Browser, pid: u64) -> String {
    browser
        .until(&format!(
            "(tip => !tip.hidden && tip.textContent.includes('pid {pid} '))(document.querySelector('.lanes-tip'))"
        ))
        .await;
    let said = browser
        .ask("document.querySelector('.lanes-tip').textContent")
        .await;
    said.as_str().expect("it is text").to_owned()
}

async fn text(browser: &Browser, selector: &str) -> String {
    let said = browser
        .ask(&format!("document.querySelector('{selector}').textContent"))
        .await;
    said.as_str().expect("it is text").to_owned()
}

fn clean_run(port: u16) -> Result<(), Failed> {
    with(
        port,
        DESKTOP,
        &Page::of_run("clean.toml"),
        async |browser| {
            assert_charts(browser, &CHARTS).await;
            let names = sessions(browser).await;
            assert_eq!(names.len(), 4, "{names:?}");
            let count = text(browser, ".lanes-count").await;
            assert!(
                count.contains("4 of 4 sessions shown") && count.contains("none outlives"),
                "{count}"
            );
            let group = text(browser, ".lanes-group").await;
            assert!(group.contains("With findings (0)"), "{group}");
            browser
                .ask("document.querySelectorAll('.lanes-group button')[1].click()")
                .await;
            let nothing = text(browser, ".lanes-nothing").await;
            assert_eq!(nothing, "Nothing was found in any session.");
            browser
                .ask("document.querySelectorAll('.lanes-group button')[0].click()")
                .await;
            browser.picture("clean").await;
        },
    )
}

fn leaking_run(port: u16) -> Result<(), Failed> {
    with(port, DESKTOP, &Page::of_run("leak.toml"), async |browser| {
        assert_charts(browser, &CHARTS).await;
        browser.picture("leak-top").await;
        let names = sessions(browser).await;
        let pids = first_pids(browser).await;
        assert_eq!(names.len(), 3, "{names:?}");
        let count = text(browser, ".lanes-count").await;
        assert!(count.contains("3 outlive what they served"), "{count}");
        for (name, pid) in names.iter().zip(pids) {
            let place = place_of(browser, name).await;
            assert_eq!(place["seen"], true, "{name}: {place}");
            let (x, y) = middle(&place);
            browser.point(x, y).await;
            let said = tooltip_of(browser, pid).await;
            assert!(
                said.contains("retained: outlives its session by") && said.contains("claude"),
                "{said}"
            );
        }
        browser.picture("leak-hovered").await;
        browser.point(5.0, 5.0).await;
        browser
            .until("document.querySelector('.lanes-tip').hidden")
            .await;
        browser.search(&names[1]).await;
        let found = browser
            .ask("document.getElementById('lanes-view').dataset.found")
            .await;
        assert_eq!(found, json!(names[1]));
        assert_eq!(place_of(browser, &names[1]).await["seen"], true);
        let table = text(browser, ".lanes-details").await;
        assert!(
            table.contains(&names[1]) && table.contains("retained"),
            "{table}"
        );
        browser.picture("leak-found").await;
    })
}

fn texts_stay_texts(port: u16) -> Result<(), Failed> {
    let page = Page::of(&samples::hostile());
    with(port, DESKTOP, &page, async |browser| {
        let wanted = samples::HOSTILE[0];
        browser.search(wanted).await;
        let found = browser
            .ask("document.getElementById('lanes-view').dataset.found")
            .await;
        assert_eq!(found, json!(wanted));
        let (x, y) = middle(&place_of(browser, wanted).await);
        browser.point(x, y).await;
        let said = tooltip_of(browser, 30).await;
        assert!(said.contains(&format!("claude {wanted}")), "{said}");
        browser.picture("hostile").await;
        // Everything is opened, so that every text of it comes into the page.
        for name in sessions(browser).await {
            browser.search(&name).await;
            let details = text(browser, ".lanes-details").await;
            assert!(details.contains(&name), "{name}: {details}");
        }
        browser
            .ask("document.querySelectorAll('details').forEach(fold => { fold.open = true; })")
            .await;
        let count = text(browser, ".lanes-count").await;
        assert!(count.contains("found"), "{count}");
        browser.search("").await;
        let count = text(browser, ".lanes-count").await;
        assert!(
            count.contains("Left out, because there are too many: 3 sessions, 7 processes."),
            "{count}"
        );
        let elements = browser
            .ask(
                "[...document.querySelectorAll('body *')].filter(element =>
                   ['IMG', 'IFRAME', 'OBJECT', 'EMBED', 'B-'].includes(element.tagName) || element.hasAttribute('onload')
                   || element.hasAttribute('onerror') || (element.tagName === 'A' && /^javascript:/i.test(element.href)))
                 .map(element => element.outerHTML)",
            )
            .await;
        assert_eq!(elements, json!([]), "elements that nobody wrote");
        let scripts = browser.ask("document.scripts.length").await;
        assert_eq!(scripts, written_scripts(&page), "scripts that nobody wrote");
        let controlling = browser
            .ask("/[\\u0000-\\u0008\\u001b\\u007f\\u202e\\u2028]/.test(document.body.innerText)")
            .await;
        assert_eq!(controlling, false, "characters that control something");
    })
}

/// How many scripts the page has when nobody adds any: as many as that of a report without hostile texts.
fn written_scripts(_: &Page) -> u64 {
    let (report, lanes) = samples::many(1);
    let page = html::render(&report, &lanes).expect("it is rendered");
    let names: BTreeSet<usize> = page.match_indices("<script").map(|(at, _)| at).collect();
    // The library's own text may name the tag; it is counted by the page's end tags alone, which no text of a script may hold.
    names.len().min(page.matches("</script>").count()) as u64
}

fn thousands(port: u16) -> Result<(), Failed> {
    let sample = samples::many(5_000);
    let page = Page::of(&sample);
    let whole = page.size();
    let text_of_page = fs::read_to_string(page.path())?;
    let data = text_of_page
        .split("id=\"lanes-data\">")
        .nth(1)
        .and_then(|rest| rest.split("</script>").next())
        .ok_or("the page holds no lanes")?;
    assert!(whole < 5_000_000, "the page has {whole} bytes");
    assert!(
        data.len() < 1_500_000,
        "the lanes have {} bytes",
        data.len()
    );
    println!("page: {whole} bytes, of which lanes: {}", data.len());
    with(port, DESKTOP, &page, async |browser| {
        assert_charts(browser, &CHARTS).await;
        // By the page's own clock, from the start of the navigation to the end of the last script. A machine that is busy with other
        // things makes it longer and nothing makes it shorter, so that being fast enough once in ten times is enough.
        let (mut drawn, mut lanes) = (f64::MAX, f64::MAX);
        for _ in 0..10 {
            browser.open_page(&page.path()).await;
            let entry = browser
                .ask("performance.getEntriesByName('lanes')[0].toJSON()")
                .await;
            let part = |name: &str| entry[name].as_f64().expect("it was measured");
            drawn = drawn.min(part("startTime") + part("duration"));
            lanes = lanes.min(part("duration"));
            if drawn < 2_000.0 && lanes < 300.0 {
                break;
            }
        }
        let scrolled = browser
            .ask(
                "(() => { const view = document.getElementById('lanes-view'); const scroller = view.querySelector('.lanes-scroller');
                 const took = []; for (let step = 0; step < 40; step += 1) { scroller.scrollTop = step * 2500;
                 const from = performance.now(); view.redraw(); took.push(performance.now() - from); }
                 scroller.scrollTop = 0; return took.sort((left, right) => left - right)[20]; })()",
            )
            .await;
        println!(
            "drawn after {drawn} ms, lanes in {lanes} ms, half of the frames of scrolling within {scrolled} ms"
        );
        // What is promised is two seconds on an ordinary machine; this one may be slower, and have much else to do.
        assert!(drawn < 10_000.0, "drawn after {drawn} ms");
        assert!(lanes < 1_500.0, "the lanes took {lanes} ms");
        assert!(
            scrolled.as_f64() < Some(250.0),
            "a frame of scrolling takes {scrolled} ms"
        );
        browser.picture("thousands").await;
        let group = text(browser, ".lanes-group").await;
        assert!(group.contains("With findings (10)"), "{group}");
        // A pid far down, as the user's `ps` shows it.
        let wanted = &sample.1.sessions[4_321];
        let host_pid = wanted.bars[0].host_pid.unwrap_or_default();
        let before = place_of(browser, &wanted.session).await;
        assert_eq!(before["seen"], false, "{before}");
        browser.search(&host_pid.to_string()).await;
        let place = place_of(browser, &wanted.session).await;
        assert_eq!(place["seen"], true, "{place}");
        let (x, y) = middle(&place);
        browser.point(x, y).await;
        let said = tooltip_of(browser, u64::from(wanted.bars[0].process.pid)).await;
        assert!(said.contains(&wanted.bars[0].command), "{said}");
        browser.picture("thousands-found").await;
    })
}

fn phone(port: u16) -> Result<(), Failed> {
    for (name, sample) in [
        ("hostile", samples::hostile()),
        ("thousands", samples::many(5_000)),
    ] {
        with(port, PHONE, &Page::of(&sample), async |browser| {
            let width = browser.ask("document.documentElement.scrollWidth").await;
            assert_eq!(width, 390, "{name}: the page scrolls sideways");
            browser.picture(&format!("phone-{name}-top")).await;
            let leaking = sample
                .1
                .sessions
                .iter()
                .position(|lane| lane.bars[0].fate.is_leak());
            let lane = leaking.expect("one leaks");
            let session = &sessions(browser).await[lane];
            browser.search(session).await;
            let (x, y) = middle(&place_of(browser, session).await);
            browser.tap(x, y).await;
            let pid = sample.1.sessions[lane].bars[0].process.pid;
            tooltip_of(browser, u64::from(pid)).await;
            let beside = browser
                .ask("(box => box.left < 0 || box.right > innerWidth)(document.querySelector('.lanes-tip').getBoundingClientRect())")
                .await;
            assert_eq!(beside, false, "{name}: the tooltip leaves the window");
            let width = browser.ask("document.documentElement.scrollWidth").await;
            assert_eq!(width, 390, "{name}: the page scrolls sideways with a table");
            browser.picture(&format!("phone-{name}")).await;
        })?;
    }
    Ok(())
}

fn zoom(port: u16) -> Result<(), Failed> {
    let sample = samples::many(200);
    with(port, DESKTOP, &Page::of(&sample), async |browser| {
        let session = &sample.1.sessions[100].session;
        browser.search(session).await;
        let before = place_of(browser, session).await;
        let (x, y) = middle(&before);
        browser.drag((x - 30.0, y), (x + 30.0, y)).await;
        browser
            .until("!document.querySelector('.lanes-reset').hidden")
            .await;
        let after = place_of(browser, session).await;
        assert!(
            after["width"].as_f64() > before["width"].as_f64().map(|width| width * 5.0),
            "{before} became {after}"
        );
        browser.picture("zoomed").await;
        browser
            .ask("document.querySelector('.lanes-reset').click()")
            .await;
        assert_eq!(place_of(browser, session).await["width"], before["width"]);
        // The rows in view are some of many, and their time a part of the run's.
        browser
            .ask("document.querySelector('.lanes-fit').click()")
            .await;
        browser
            .until("!document.querySelector('.lanes-reset').hidden")
            .await;
        let fitted = place_of(browser, session).await;
        assert!(
            fitted["width"].as_f64() > before["width"].as_f64().map(|width| width * 2.0)
                && fitted["seen"] == true,
            "{before} became {fitted}"
        );
        browser.picture("fitted").await;
        browser
            .ask("document.querySelector('.lanes-reset').click()")
            .await;
        let (x, y) = middle(&before);
        browser
            .devtools(
                "Input.dispatchMouseEvent",
                json!({"type": "mouseWheel", "x": x, "y": y, "deltaX": 0, "deltaY": -300, "modifiers": 2}),
            )
            .await;
        browser
            .until("!document.querySelector('.lanes-reset').hidden")
            .await;
        let after = place_of(browser, session).await;
        assert!(
            after["width"].as_f64() > before["width"].as_f64(),
            "{after}"
        );
    })
}

fn keys(port: u16) -> Result<(), Failed> {
    let sample = samples::hostile();
    with(port, DESKTOP, &Page::of(&sample), async |browser| {
        let names = sessions(browser).await;
        browser
            .ask("document.querySelector('.lanes-scroller').focus()")
            .await;
        for name in &names {
            browser.press("ArrowDown").await;
            let heard = text(browser, "[aria-live]").await;
            assert!(heard.contains(name), "{heard}");
        }
        browser.press("ArrowRight").await;
        let said = tooltip_of(browser, 35).await;
        let heard = text(browser, "[aria-live]").await;
        assert!(
            heard.contains("pid 35") && said.contains("survivor"),
            "{heard}"
        );
        browser.press("Enter").await;
        let focused = browser.ask("document.activeElement.textContent").await;
        assert_eq!(focused, format!("Session {}", names[5]));
        // The fold at the end opens by Enter as well, and its processes are reached.
        browser
            .ask("document.querySelector('.lanes-scroller').focus()")
            .await;
        browser.press("ArrowDown").await;
        let heard = text(browser, "[aria-live]").await;
        assert!(heard.contains("6 processes of no session"), "{heard}");
        browser.press("Enter").await;
        browser.press("ArrowDown").await;
        let heard = text(browser, "[aria-live]").await;
        assert!(heard.contains("probe 90"), "{heard}");
        browser.picture("keys").await;
    })
}

fn scheme(port: u16) -> Result<(), Failed> {
    let sample = samples::hostile();
    with(port, DESKTOP, &Page::of(&sample), async |browser| {
        let session = samples::HOSTILE[0];
        let mut seen = BTreeSet::new();
        for scheme in ["light", "dark"] {
            browser
                .devtools(
                    "Emulation.setEmulatedMedia",
                    json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]}),
                )
                .await;
            // Redrawn by the page itself: the pixel of what outlives its session has the colour that the page now gives it.
            let place = place_of(browser, session).await;
            let pixel = format!("(() => {{ const view = document.getElementById('lanes-view'); const canvas = view.querySelector('canvas');
                const place = view.place; const box = canvas.getBoundingClientRect();
                const pixel = {PIXELS}(canvas, place.x + place.width * 0.8 - box.left, place.y + 4 - box.top, 1, 1);
                return `rgb(${{pixel[0]}}, ${{pixel[1]}}, ${{pixel[2]}})`; }})()");
            let colour = "(() => { const probe = document.createElement('i'); probe.style.color = 'var(--over)';
                document.body.append(probe); const colour = getComputedStyle(probe).color; probe.remove(); return colour; })()";
            browser
                .ask(&format!(
                    "document.getElementById('lanes-view').place = {place}"
                ))
                .await;
            browser.until(&format!("{pixel} === {colour}")).await;
            seen.insert(browser.ask(&pixel).await.to_string());
            browser.picture(&format!("scheme-{scheme}")).await;
        }
        assert_eq!(seen.len(), 2, "both schemes draw alike: {seen:?}");
    })
}

fn paper(port: u16) -> Result<(), Failed> {
    let sample = samples::many(300);
    with(port, DESKTOP, &Page::of(&sample), async |browser| {
        let tall = "document.querySelector('.lanes-scroller').clientHeight";
        let before = browser.ask(tall).await;
        browser
            .devtools(
                "Emulation.setEmulatedMedia",
                json!({"media": "print", "features": [{"name": "prefers-color-scheme", "value": "dark"}]}),
            )
            .await;
        // One lane leaks, so that the picture becomes as low as one lane.
        browser.until(&format!("{tall} < 120")).await;
        let colours = browser
            .ask(&format!(
                "(canvas => new Set(new Uint32Array({PIXELS}(canvas, 0, 0, canvas.width, canvas.height).buffer)).size)
                 (document.querySelector('.lanes-scroller canvas'))"
            ))
            .await;
        assert!(
            colours.as_u64() > Some(10),
            "the picture for paper is blank"
        );
        browser
            .ask("document.getElementById('lanes').scrollIntoView({behavior: 'instant'})")
            .await;
        browser.picture("paper").await;
        browser
            .devtools("Emulation.setEmulatedMedia", json!({"media": ""}))
            .await;
        browser.until(&format!("{tall} === {before}")).await;
    })
}

/// The page of two runs whose samples share no moment.
fn compared() -> Page {
    let ((a, _), (mut b, _)) = (samples::many(200), samples::hostile());
    b.elapsed_ms += 60_000;
    for point in &mut b.series {
        point.t_ms += 137;
        point.children += 40;
    }
    let comparison = compare::compare(("before", &a), ("after", &b), 0);
    Page::new(&compare::html::render(&comparison, &a, &b).expect("it is rendered"))
}

/// What the size of the letters of an element is, in CSS pixels.
async fn size_of_letters(browser: &Browser, selector: &str) -> f64 {
    let size = browser
        .ask(&format!(
            "parseFloat(getComputedStyle(document.querySelector('{selector}')).fontSize)"
        ))
        .await;
    size.as_f64().expect("it is a number")
}

fn comparison(port: u16) -> Result<(), Failed> {
    with(port, DESKTOP, &compared(), async |browser| {
        assert_charts(browser, &["children", "memory", "worker"]).await;
        let sentence = size_of_letters(browser, "h1 .sentence").await;
        assert!(sentence > 28.0, "the verdict is {sentence} px");
        let sign = browser
            .ask("document.querySelector('h1 .sign').getBoundingClientRect().width")
            .await;
        assert!(sign.as_f64() > Some(20.0), "{sign}");
        browser.picture("compared-top").await;
        // Anywhere, both runs are told, though neither has a sample where the other has one.
        for part in [0.2, 0.5, 0.8] {
            let said = tip_of(browser, "children", part).await;
            assert!(
                said.contains("A (dashed)") && said.contains("B5") | said.contains("B6"),
                "{said}"
            );
        }
        browser.picture("compared-hovered").await;
        // Beyond the end of A only B is told.
        let said = tip_of(browser, "children", 0.99).await;
        assert!(said.contains('B') && !said.contains("A (dashed)"), "{said}");
        let elements = browser
            .ask("[...document.querySelectorAll('body *')].filter(element => ['IMG', 'IFRAME', 'B-'].includes(element.tagName)).length")
            .await;
        assert_eq!(elements, 0, "elements that nobody wrote");
    })
}

fn comparison_on_a_phone(port: u16) -> Result<(), Failed> {
    with(port, PHONE, &compared(), async |browser| {
        let width = browser.ask("document.documentElement.scrollWidth").await;
        assert_eq!(width, 390, "the page scrolls sideways");
        browser.picture("phone-compared-top").await;
        browser
            .ask("document.getElementById('figures').scrollIntoView({behavior: 'instant'})")
            .await;
        let beside = browser
            .ask(
                "[...document.querySelectorAll('.sums thead th:nth-child(-n + 3), .sums tbody tr:not(.group) > :nth-child(-n + 3)')]
                   .filter(cell => cell.getBoundingClientRect().right > innerWidth).map(cell => cell.textContent)",
            )
            .await;
        assert_eq!(beside, json!([]), "figures beside the window");
        browser.picture("phone-compared").await;
    })
}

fn charts(port: u16) -> Result<(), Failed> {
    let sample = samples::many(500);
    with(port, DESKTOP, &Page::of(&sample), async |browser| {
        let said = tip_of(browser, "children", 0.5).await;
        for word in ["10 min", "within their time", "retained", "alive"] {
            assert!(said.contains(word), "{word} in {said}");
        }
        let said = tip_of(browser, "worker", 0.5).await;
        assert!(said.contains("worker’s RSS"), "{said}");
        browser.picture("chart-hovered").await;
        let reach = |name: &str| {
            let chart = chart(name);
            format!("(zoom => Math.round(zoom.end - zoom.start))({chart}.getOption().dataZoom[0])")
        };
        let click = |how: &str| format!("document.querySelector('[data-zoom={how}]').click()");
        browser.ask(&click("in")).await;
        browser.ask(&click("in")).await;
        // The other charts follow in a later turn of the page.
        for name in CHARTS {
            browser.until(&format!("{} === 25", reach(name))).await;
        }
        let shown = text(browser, "#zoom-shown").await;
        assert_eq!(shown, "7 min 30 s to 12 min 30 s");
        let said = tip_of(browser, "children", 0.01).await;
        assert!(said.starts_with("7 min 3"), "{said}");
        browser.ask(&click("forth")).await;
        let shown = text(browser, "#zoom-shown").await;
        assert_eq!(shown, "10 min to 15 min");
        assert_charts(browser, &CHARTS).await;
        browser.picture("chart-zoomed").await;
        browser.ask(&click("all")).await;
        browser
            .until(&format!("{} === 100", reach("sessions")))
            .await;
        assert_eq!(text(browser, "#zoom-shown").await, "");
    })
}

fn checkpoint(port: u16) -> Result<(), Failed> {
    for (verdict, tone, words, facts) in [
        (
            Verdict::Inconclusive,
            "so_far",
            "So far, and the run goes on",
            "Nothing against the worker",
        ),
        (
            Verdict::Fail,
            "fail",
            "Fail so far, and the run goes on",
            "2 of 400 processes outlived their time",
        ),
    ] {
        let (mut report, lanes) = samples::many(200);
        report.checkpoint = true;
        report.cut_off = false;
        report.verdict = verdict;
        report.as_expected = false;
        report.unexpected = vec!["the verdict is not what was expected".to_owned()];
        report.roles.primary.spawned = 400;
        if verdict == Verdict::Fail {
            report.roles.primary.retained = 2;
        }
        with(
            port,
            DESKTOP,
            &Page::of(&(report, lanes)),
            async |browser| {
                let said = text(browser, "h1").await;
                assert!(said.contains(words) && said.contains(facts), "{said}");
                let top = text(browser, "#verdict").await;
                for never in ["expected", "fail,", "Cut off"] {
                    assert!(!top.contains(never), "{never} in {top}");
                }
                let shown = browser
                    .ask("document.documentElement.dataset.verdict")
                    .await;
                assert_eq!(shown, tone);
                browser.picture(&format!("checkpoint-{tone}")).await;
            },
        )?;
    }
    let (mut report, lanes) = samples::many(200);
    report.cut_off = true;
    with(
        port,
        DESKTOP,
        &Page::of(&(report, lanes)),
        async |browser| {
            assert_eq!(text(browser, "h1 .pill").await, "Cut off");
        },
    )
}
