//! URI lists.

/// An `application/resource-lists+xml` document with one entry per URI.
///
/// # Spec
/// RFC 5366 s.6; RFC 4826.
pub fn resource_list(uris: &[&str]) -> String {
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n");
    text.push_str("<resource-lists xmlns=\"urn:ietf:params:xml:ns:resource-lists\"\r\n");
    text.push_str("    xmlns:cp=\"urn:ietf:params:xml:ns:copycontrol\">\r\n  <list>\r\n");
    for uri in uris {
        let uri = uri
            .replace('&', "&amp;")
            .replace('"', "&quot;")
            .replace('<', "&lt;");
        text.push_str(&format!(
            "    <entry uri=\"{uri}\" cp:copyControl=\"to\"/>\r\n"
        ));
    }
    text.push_str("  </list>\r\n</resource-lists>\r\n");
    text
}

/// The `uri` attributes of the entries of a document. Finds attributes, does not check XML.
pub fn resource_list_uris(xml: &str) -> Vec<String> {
    let entries = xml.split('<').filter_map(|element| {
        let name = element.split([' ', '\t', '\r', '\n', '/', '>']).next()?;
        (name.rsplit(':').next() == Some("entry")).then_some(element)
    });
    let uris = entries.filter_map(|entry| {
        let (_, rest) = entry.split_once("uri=")?;
        rest.get(1..)?.split(rest.get(..1)?).next()
    });
    uris.map(|uri| {
        uri.replace("&lt;", "<")
            .replace("&quot;", "\"")
            .replace("&amp;", "&")
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resource_list_gives_its_uris_back() {
        let uris = ["sip:a@example.com", "sip:b@example.com?x=1&y=2"];
        assert_eq!(resource_list_uris(&resource_list(&uris)), uris);
    }
}
