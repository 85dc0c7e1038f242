//! Requests for nicknames.

use super::frame::Frame;
use super::peer::MsrpPeer;
use crate::ident::fresh;

/// A Use-Nickname value: the text in quotes, with quotes and backslashes escaped.
///
/// # Spec
/// RFC 7701 s.7.1.
fn quoted(nickname: &str) -> String {
    let escaped = nickname.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{escaped}\"")
}

impl MsrpPeer {
    /// A NICKNAME request with a fresh transaction id and this value of Use-Nickname, without that header field when
    /// there is none. Nothing is checked.
    pub fn nickname_request(&self, use_nickname: Option<&str>) -> Frame {
        let request = Frame::request("NICKNAME", &fresh("t"), self.remote_path(), self.uri());
        match use_nickname {
            Some(value) => request.with("Use-Nickname", value),
            None => request,
        }
    }

    /// Asks for a nickname, or gives the present one back when it is empty, and waits for the response, which must
    /// have this status.
    ///
    /// # Panics
    /// When the status differs, or no response comes before the deadline.
    pub async fn ask_nickname(&self, nickname: &str, status: u16) -> Frame {
        let request = self.nickname_request(Some(&quoted(nickname)));
        self.write(&request);
        self.expect_status(&request.tid, status).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_escapes_what_would_end_the_string() {
        assert_eq!(quoted("Alice the great"), "\"Alice the great\"");
        assert_eq!(quoted(""), "\"\"");
        assert_eq!(quoted(r#"a"b\"#), r#""a\"b\\""#);
    }
}
