//! The commands of `docs/api.md`, as a reader types them.

use msrp_testkit::{Config, Daemon};
use tokio::process::Command;

/// The blocks of a language, in their order.
fn blocks(document: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let behind = document.split(fence.as_str()).skip(1);
    let block = |text: &str| text.split("```").next().unwrap_or_default().to_owned();
    behind.map(block).collect()
}

#[tokio::test]
async fn commands_of_the_document_work_one_after_the_other() {
    let document = include_str!("../../docs/api.md");
    let blocks = blocks(document, "sh");
    assert!(blocks.len() >= 5);
    let daemon = Daemon::start(Config::new()).await;
    let address = daemon.admin_addr().to_string();
    for block in blocks {
        let script = block.replace("127.0.0.1:8655", &address);
        let mut command = Command::new("sh");
        command.args(["-e", "-c", &script]);
        command.current_dir(daemon.directory());
        let output = command.output().await.unwrap();
        let (out, error) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        assert!(output.status.success(), "{script}\n{out}\n{error}");
    }
}
