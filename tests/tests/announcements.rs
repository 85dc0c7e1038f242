//! Messages of the server to users, asked for over HTTP.

use msrp_testkit::{Config, Daemon, SipPeer, http};
use msrpd_tests::{ALICE, BOB, WAYS};
use serde_json::{Value, json};

const ANNOUNCEMENTS: &str = "/v1/announcements";

async fn post(daemon: &Daemon, path: &str, body: &Value) -> (u16, Value) {
    let headers = [
        ("Content-Type", "application/json"),
        ("Idempotency-Key", "notice"),
    ];
    // Only what is asked twice has the key.
    let headers = if body["body"] == "once" {
        &headers[..]
    } else {
        &headers[..1]
    };
    let body = body.to_string();
    let answer = http::send(daemon.admin_addr(), "POST", path, headers, Some(&body)).await;
    let document = serde_json::from_str(&answer.body).unwrap_or(Value::Null);
    (answer.status, document)
}

/// The bodies of so many messages and whom they reach, in any order; every one is the server's own.
async fn messages(proxy: &SipPeer, count: usize) -> Vec<(String, String, String)> {
    let mut all = Vec::new();
    for _ in 0..count {
        let message = proxy.expect_request("MESSAGE").await;
        message.respond(200, "OK").await;
        let request = message.request();
        let asserted = request.asserted_uris();
        assert!(
            asserted.iter().all(|uri| uri.contains("localhost")),
            "{asserted:?}"
        );
        let service = request.header("Accept-Contact").unwrap_or_default();
        assert!(
            service.contains("+g.oma.sip-im.system-message"),
            "{service}"
        );
        let server = request.header("Server").unwrap_or_default();
        assert!(server.starts_with("IM-serv/OMA1.0"), "{server}");
        let content_type = request.header("Content-Type").unwrap_or_default();
        all.push((
            request.request_uri().to_owned(),
            content_type.to_owned(),
            request.text().to_owned(),
        ));
    }
    all.sort();
    all
}

// covers: SYS-5.4-01, SYS-5.4-02, SYS-5.4-04, SYS-5.4-05, SYS-5.4-06, SYS-5.4-08
#[tokio::test]
async fn announcement_reaches_each_user_once_in_the_servers_name() {
    for way in WAYS {
        let proxy = way.proxy().await;
        let config = Config::new().outbound_proxy(&proxy.proxy_uri());
        let daemon = way.start(config).await;
        let notice = json!({ "to": [ALICE, BOB, ALICE], "body": "once" });
        let accepted = (202, json!({ "recipients_count": 2 }));
        assert_eq!(post(&daemon, ANNOUNCEMENTS, &notice).await, accepted);
        assert_eq!(post(&daemon, ANNOUNCEMENTS, &notice).await, accepted);
        let plain = "text/plain;charset=UTF-8";
        let of = |user: &str| (user.to_owned(), plain.to_owned(), "once".to_owned());
        assert_eq!(messages(&proxy, 2).await, [of(ALICE), of(BOB)]);
        let other = json!({ "to": [BOB], "body": "<p>noon</p>", "content_type": "text/html" });
        let (status, _) = post(&daemon, ANNOUNCEMENTS, &other).await;
        assert_eq!(status, 202);
        let (user, content_type, body) = messages(&proxy, 1).await.remove(0);
        assert_eq!(
            (user.as_str(), content_type.as_str(), body.as_str()),
            (BOB, "text/html", "<p>noon</p>")
        );
        proxy.assert_no_request_left();
    }
}

// covers: SYS-5.4-03
#[tokio::test]
async fn announcement_that_is_to_be_answered_names_a_page() {
    let way = WAYS[1];
    let proxy = way.proxy().await;
    let daemon = way
        .start(Config::new().outbound_proxy(&proxy.proxy_uri()))
        .await;
    let page = "https://www.example.com/terms.html";
    let notice = json!({ "to": [ALICE], "document": page, "wants_answer": true });
    let (status, _) = post(&daemon, ANNOUNCEMENTS, &notice).await;
    assert_eq!(status, 202);
    let (_, content_type, _) = messages(&proxy, 1).await.remove(0);
    let wanted = format!("message/external-body; access-type=\"URL\"; URL=\"{page}\"");
    assert_eq!(content_type, wanted);
    let answers = format!("{ANNOUNCEMENTS}/answers");
    for (user, wanted) in [(ALICE, 204), (BOB, 204), ("nobody at all", 400)] {
        let (status, problem) = post(&daemon, &answers, &json!({ "user": user })).await;
        assert_eq!(status, wanted, "{user}: {problem}");
    }
}

#[tokio::test]
async fn announcement_that_cannot_be_sent_is_refused_with_the_reason_and_reaches_nobody() {
    let way = WAYS[1];
    let proxy = way.proxy().await;
    let config = Config::new().outbound_proxy(&proxy.proxy_uri());
    let daemon = way
        .start(config.set("limits", "pager_recipients_max", 2))
        .await;
    let long = "x".repeat(1301);
    let page = "https://www.example.com/";
    let cases = [
        (
            json!({ "to": [], "body": "x" }),
            400,
            "malformed_address",
            400,
        ),
        (
            json!({ "to": ["bob smith"], "body": "x" }),
            400,
            "malformed_address",
            400,
        ),
        (json!({ "to": [BOB] }), 400, "malformed_content", 400),
        (
            json!({ "to": [BOB], "body": "x", "document": page }),
            400,
            "malformed_content",
            400,
        ),
        (
            json!({ "to": [BOB], "body": long }),
            400,
            "malformed_content",
            400,
        ),
        (
            json!({ "to": [BOB], "body": "x", "wants_answer": true }),
            400,
            "malformed_content",
            400,
        ),
        (
            json!({ "to": [BOB], "body": "x", "content_type": "x" }),
            400,
            "malformed_content",
            400,
        ),
        (
            json!({ "to": [BOB], "document": "ftp://x/" }),
            400,
            "malformed_content",
            400,
        ),
        (
            json!({ "to": [BOB], "body": "x", "other": 1 }),
            400,
            "malformed_json",
            400,
        ),
        (
            json!({ "to": [ALICE, BOB, "sip:c@x.example"], "body": "x" }),
            503,
            "limit",
            503,
        ),
    ];
    for (request, status, code, sip_status) in cases {
        let (got, problem) = post(&daemon, ANNOUNCEMENTS, &request).await;
        assert_eq!(
            (got, &problem["code"]),
            (status, &json!(code)),
            "{request}: {problem}"
        );
        assert_eq!(problem["sip_status"], sip_status, "{request}: {problem}");
    }
    let notice = json!({ "to": [BOB], "body": "the first that is right" });
    assert_eq!(post(&daemon, ANNOUNCEMENTS, &notice).await.0, 202);
    assert_eq!(messages(&proxy, 1).await[0].2, "the first that is right");
    proxy.assert_no_request_left();
}
