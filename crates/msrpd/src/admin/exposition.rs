//! The Prometheus text format, version 0.0.4.

use std::fmt::Write as _;

use msrp_control::metrics::{Kind, Sample};

/// The media type of the text.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Writes the samples, those of one metric together with its description once above them, in the
/// order in which the metrics appear first.
pub(super) fn render(samples: &[Sample]) -> String {
    let mut groups: Vec<(&'static str, Vec<&Sample>)> = Vec::new();
    for sample in samples {
        match groups.iter_mut().find(|(name, _)| *name == sample.name) {
            Some((_, group)) => group.push(sample),
            None => groups.push((sample.name, vec![sample])),
        }
    }
    let mut text = String::new();
    for (name, group) in groups {
        head(&mut text, name, group.first().copied());
        for sample in group {
            line(&mut text, sample);
        }
    }
    text
}

fn head(text: &mut String, name: &str, sample: Option<&Sample>) {
    let Some(sample) = sample else { return };
    let help = sample.help.replace('\\', "\\\\").replace('\n', "\\n");
    let kind = sample.kind.as_str();
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

fn line(text: &mut String, sample: &Sample) {
    text.push_str(sample.name);
    for (index, (name, value)) in sample.labels.iter().enumerate() {
        text.push(if index == 0 { '{' } else { ',' });
        let value = value
            .replace('\\', "\\\\")
            .replace('"', "\\\"")
            .replace('\n', "\\n");
        let _ = write!(text, "{name}=\"{value}\"");
    }
    if !sample.labels.is_empty() {
        text.push('}');
    }
    let _ = match sample.kind {
        Kind::Counter | Kind::Gauge => writeln!(text, " {}", sample.value),
        Kind::CounterNs | Kind::GaugeNs => {
            let (seconds, rest) = (sample.value / NS_PER_S, sample.value % NS_PER_S);
            writeln!(text, " {seconds}.{rest:09}")
        }
    };
}

const NS_PER_S: u64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(name: &'static str, labels: Vec<(&'static str, String)>, value: u64) -> Sample {
        Sample {
            name,
            help: "Things, count.",
            kind: Kind::Counter,
            labels,
            value,
        }
    }

    #[test]
    fn exposition_metric_is_described_once() {
        let samples = [
            sample("a_total", vec![("kind", "x".to_owned())], 1),
            sample("b_total", Vec::new(), 2),
            sample(
                "a_total",
                vec![("kind", "y".to_owned()), ("shard", "0".to_owned())],
                u64::MAX,
            ),
        ];
        let expected = "# HELP a_total Things, count.\n\
                        # TYPE a_total counter\n\
                        a_total{kind=\"x\"} 1\n\
                        a_total{kind=\"y\",shard=\"0\"} 18446744073709551615\n\
                        # HELP b_total Things, count.\n\
                        # TYPE b_total counter\n\
                        b_total 2\n";
        assert_eq!(render(&samples), expected);
    }

    #[test]
    fn exposition_label_value_is_escaped() {
        let text = render(&[sample("a", vec![("l", "q\"b\\n\n".to_owned())], 1)]);
        assert!(text.ends_with("a{l=\"q\\\"b\\\\n\\n\"} 1\n"), "{text}");
    }
}
