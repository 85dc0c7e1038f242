//! The demo's page in a real browser. `tests/browser/run` installs one and runs these.

use msrpd_tests::{Browser, Program};

/// Starts the demo on free ports; gives the address of its page.
async fn demo() -> (Program, String) {
    let ports = ["--sip", "--msrp", "--admin"].map(|flag| [flag, "127.0.0.1:0"]);
    let arguments = [&["demo"], ports.concat().as_slice()].concat();
    let mut demo = Program::start("msrpd", &arguments);
    let is_page = |line: &str| line.contains("in a browser");
    let line = demo.expect_line("the page", is_page).await;
    let address = line.split_whitespace().find(|word| word.contains("//"));
    let address = address.expect("an address").to_owned();
    (demo, address)
}

/// Joins by the keyboard alone.
fn join(browser: &mut Browser, page: &str, name: &str) {
    browser.open(page);
    browser.wait("document.querySelector('#people').childElementCount >= 2");
    browser.press(&["Tab", "Tab"]);
    browser.evaluate("document.activeElement.select()");
    browser.type_text(name);
    browser.press(&["Enter"]);
    browser.wait("document.querySelector('#state').textContent.startsWith('Joined')");
}

// covers: MSRP-7977-4.1-01
#[tokio::test]
#[ignore = "needs Chromium: tests/browser/run"]
async fn page_joins_the_room_by_keyboard_and_is_answered() {
    let (demo, page) = demo().await;
    let mut browser = Browser::start("talk");
    browser.look_at(1280, "light");
    join(&mut browser, &page, "Zoë");
    browser.wait(
        "[...document.querySelectorAll('#people li')].some((l) => l.textContent.endsWith('(you)'))",
    );
    browser.type_text("good morning <b>all</b>");
    browser.press(&["Enter"]);
    for text in [
        "Zoë: good morning <b>all</b>",
        "Hello Zoë!",
        "ada: ",
        "grace: ",
    ] {
        let talk = "document.querySelector('#talk').textContent";
        browser.wait(&format!("{talk}.includes({text:?})"));
    }
    for line in ["sent SEND, ", "received 200 ", "received SEND, "] {
        let frames = "document.querySelector('#frames').textContent";
        browser.wait(&format!("{frames}.includes({line:?})"));
    }
    for chart in ["rate", "delay"] {
        let points = format!("document.querySelector('#{chart} .first').points");
        browser.wait(&format!("{points}.numberOfItems > 4"));
    }
    assert_eq!(browser.complaints(), [""; 0]);
    demo.signal("INT").await;
    browser.wait("document.querySelector('#state').textContent.includes('was closed')");
}

#[tokio::test]
#[ignore = "needs Chromium: tests/browser/run"]
async fn page_fits_a_phone_and_the_dark() {
    let (_demo, page) = demo().await;
    let mut browser = Browser::start("looks");
    browser.look_at(1280, "light");
    join(&mut browser, &page, "alice");
    browser.type_text("hello");
    browser.press(&["Enter"]);
    browser.wait("document.querySelector('#talk').textContent.includes('Hello alice!')");
    browser.wait("document.querySelector('#delay .first').points.numberOfItems > 6");
    for (width, scheme) in [
        (1280, "light"),
        (1280, "dark"),
        (360, "light"),
        (360, "dark"),
    ] {
        browser.look_at(width, scheme);
        let shown = browser.evaluate("document.documentElement.scrollWidth");
        assert!(
            shown.as_u64().is_some_and(|shown| shown <= width.into()),
            "{shown}"
        );
        let lowest = browser.evaluate(
            "Math.min(...[...document.querySelectorAll('button')].filter((b) => b.offsetParent)
                .map((b) => b.getBoundingClientRect().height))",
        );
        assert!(
            lowest.as_f64().is_some_and(|height| height >= 44.0),
            "{lowest}"
        );
        let contrast = browser.evaluate(CONTRAST);
        assert!(
            contrast.as_f64().is_some_and(|least| least >= 4.5),
            "{scheme}: {contrast}"
        );
        browser.picture(&format!("page-{width}-{scheme}"));
    }
    assert_eq!(browser.complaints(), [""; 0]);
}

#[tokio::test]
#[ignore = "needs Chromium: tests/browser/run"]
async fn page_sends_a_burst_past_a_slow_reader_and_drains() {
    let (_demo, page) = demo().await;
    let mut browser = Browser::start("burst");
    browser.look_at(1280, "light");
    join(&mut browser, &page, "bob");
    let pressed = |id: &str, is: bool| {
        format!("document.querySelector('#{id}').getAttribute('aria-pressed') === '{is}'")
    };
    let click = |id: &str| format!("document.querySelector('#{id}').click()");
    browser.evaluate(&click("slow"));
    browser.wait(&pressed("slow", true));
    browser.wait("document.querySelector('#people').textContent.includes('slow-reader-')");
    browser.evaluate(&click("burst"));
    browser.wait(
        "document.querySelector('#outcome').textContent.startsWith('10,000 messages accepted')",
    );
    let count = |id: &str| {
        format!("Number(document.querySelector('#c-{id}').textContent.replace(/,/g, ''))")
    };
    browser.wait(&format!(
        "{} >= 10000 && {} >= 20000",
        count("messages"),
        count("copies")
    ));
    // The slow reader missed some of it, and only that one.
    browser.wait(&format!(
        "{} >= 1 && {} >= 1",
        count("failed"),
        count("behind")
    ));
    browser.picture("page-burst");
    browser.evaluate(&click("slow"));
    browser.wait(&pressed("slow", false));
    browser.wait("!document.querySelector('#people').textContent.includes('slow-reader-')");
    for (is, status) in [(true, 503), (false, 200)] {
        browser.evaluate(&click("drain"));
        browser.wait(&pressed("drain", is));
        let ready = browser.evaluate("fetch('readyz').then((answer) => answer.status)");
        assert_eq!(ready, status);
    }
    // The browser itself logs the 503 that was asked for.
    let complaints = browser.complaints().iter();
    let others = complaints.filter(|text| !text.contains("readyz"));
    assert_eq!(others.count(), 0, "{:?}", browser.complaints());
}

#[tokio::test]
#[ignore = "needs Chromium: tests/browser/run"]
async fn page_of_another_origin_opens_no_websocket() {
    let (_demo, page) = demo().await;
    let (_other, foreign) = demo().await;
    let mut browser = Browser::start("origin");
    browser.open(&page);
    let policy =
        browser.evaluate("fetch('/').then((a) => a.headers.get('content-security-policy'))");
    let own = policy
        .as_str()
        .and_then(|policy| policy.split([' ', ';']).find(|w| w.starts_with("ws://")));
    let own = own.expect("an address").to_owned();
    let open = |address: &str| {
        format!(
            "new Promise((done) => {{
                const socket = new WebSocket('{address}', 'msrp');
                socket.onopen = () => done('open');
                socket.onerror = () => done('error');
            }})"
        )
    };
    assert_eq!(browser.evaluate(&open(&own)), "open");
    // A page without a policy of its own, at another port: the node refuses it.
    browser.open(&format!("{foreign}/metrics"));
    assert_eq!(browser.evaluate(&open(&own)), "error");
}

/// The least contrast of text against what is behind it (WCAG 2, relative luminance).
const CONTRAST: &str = "(() => {
    const read = (text) => text.match(/[\\d.]+/g).map(Number);
    const light = (colour) => {
        const [r, g, b] = colour.map((v) => {
            const s = v / 255;
            return s <= 0.03928 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const behind = (element) => {
        for (let e = element; e; e = e.parentElement) {
            const c = read(getComputedStyle(e).backgroundColor);
            if (c.length === 3 || c[3] === 1) return c.slice(0, 3);
        }
        return [255, 255, 255];
    };
    let least = 21;
    for (const e of document.querySelectorAll('h1,h2,h3,p,button:not(:disabled),label,li,dt,dd,b,summary,a,figcaption,span')) {
        if (!e.offsetParent || !e.textContent.trim()) continue;
        const [a, b] = [light(read(getComputedStyle(e).color).slice(0, 3)), light(behind(e))];
        least = Math.min(least, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05));
    }
    return least;
})()";
