//! The commands of `docs/api.md` and `docs/first-calls.md`, as a reader types them.

use msrp_testkit::{Config, Daemon};
use tokio::process::Command;

/// What a client offers.
const OFFER: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\n\
                     m=message 2856 TCP/MSRP *\r\na=path:msrp://192.0.2.7:2856/s1;tcp\r\n\
                     a=accept-types:message/cpim text/plain\r\na=setup:active\r\n";

/// The blocks of a language, in their order.
fn blocks(document: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let behind = document.split(fence.as_str()).skip(1);
    let block = |text: &str| text.split("```").next().unwrap_or_default().to_owned();
    behind.map(block).collect()
}

/// The Python of the document that shows whether a request is genuine, on a request that is and on
/// one that was changed.
#[tokio::test]
async fn python_of_the_document_tells_a_genuine_webhook_from_another() {
    if Command::new("python3")
        .arg("--version")
        .output()
        .await
        .is_err()
    {
        eprintln!("python3 is not installed: its snippet is not run");
        return;
    }
    let document = include_str!("../../docs/api.md");
    let blocks = blocks(document, "python");
    let snippet = blocks.iter().find(|block| block.contains("is_ours"));
    // The published example of Standard Webhooks, at its time.
    let check = r#"
time.time = lambda: 1614265330
secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
headers = {"webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek", "webhook-timestamp": "1614265330",
           "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="}
assert is_ours(secret, headers, b'{"test": 2432232314}')
assert not is_ours(secret, headers, b'{"test": 2432232315}')
assert not is_ours("another secret of length", headers, b'{"test": 2432232314}')
time.time = lambda: 1614265330 + 600
assert not is_ours(secret, headers, b'{"test": 2432232314}')
"#;
    let script = format!(
        "{}\n{check}",
        snippet.expect("the document has the snippet")
    );
    let output = Command::new("python3").args(["-c", &script]).output();
    let output = output.await.expect("python3 runs");
    assert!(output.status.success(), "{output:?}");
}

/// The first call in Python, as a reader types it.
#[tokio::test]
async fn python_of_the_document_makes_a_room_and_gets_an_answer() {
    if Command::new("python3")
        .arg("--version")
        .output()
        .await
        .is_err()
    {
        eprintln!("python3 is not installed: its snippet is not run");
        return;
    }
    let document = include_str!("../../docs/api.md");
    let blocks = blocks(document, "python");
    let daemon = Daemon::start(Config::new()).await;
    daemon.write_file("offer.sdp", OFFER);
    let address = daemon.admin_addr().to_string();
    let script = blocks[0].replace("127.0.0.1:8655", &address);
    let mut command = Command::new("python3");
    command
        .args(["-c", &script])
        .current_dir(daemon.directory());
    let output = command.output().await.expect("python3 runs");
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("a=path:msrp://"));
}

#[tokio::test]
async fn commands_of_the_document_work_one_after_the_other() {
    let blocks = blocks(include_str!("../../docs/api.md"), "sh");
    assert!(blocks.len() >= 5);
    run_in_order(&Daemon::start(Config::new()).await, &blocks).await;
}

#[tokio::test]
async fn commands_of_the_first_calls_work_one_after_the_other() {
    let blocks = blocks(include_str!("../../docs/first-calls.md"), "sh");
    assert_eq!(blocks.len(), 2, "the room, and the call with curl");
    let daemon = Daemon::start(Config::new()).await;
    daemon.write_file("offer.sdp", OFFER);
    run_in_order(&daemon, &blocks).await;
}

async fn run_in_order(daemon: &Daemon, blocks: &[String]) {
    let address = daemon.admin_addr().to_string();
    for block in blocks {
        let script = block.replace("127.0.0.1:8655", &address);
        let mut command = Command::new("sh");
        command.args(["-e", "-c", &script]);
        command.current_dir(daemon.directory());
        let output = command.output().await.expect("sh runs");
        let (out, error) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        assert!(output.status.success(), "{script}\n{out}\n{error}");
    }
}
