//! The Prometheus text format, version 0.0.4.

pub(super) mod protobuf;

use std::fmt::Write as _;

use msrp_control::metrics::{Histogram, Kind, Sample};

/// The media type of the text.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Writes the samples, those of one metric together with its description once above them, in the
/// order in which the metrics appear first.
pub(super) fn render(samples: &[Sample], histograms: &[Histogram]) -> String {
    let mut text = String::new();
    for (name, group) in Families::of(samples).0 {
        head(&mut text, name, group.first().copied());
        for sample in group {
            line(&mut text, sample);
        }
    }
    for histogram in histograms {
        write_histogram(&mut text, histogram);
    }
    text
}

/// The samples of each metric.
struct Families<'a>(Vec<(&'static str, Vec<&'a Sample>)>);

impl<'a> Families<'a> {
    fn of(samples: &'a [Sample]) -> Self {
        let mut groups: Vec<(&'static str, Vec<&Sample>)> = Vec::new();
        for sample in samples {
            match groups.iter_mut().find(|(name, _)| *name == sample.name) {
                Some((_, group)) => group.push(sample),
                None => groups.push((sample.name, vec![sample])),
            }
        }
        Self(groups)
    }
}

/// The classic buckets; the native ones have no form in text.
fn write_histogram(text: &mut String, histogram: &Histogram) {
    let Histogram { name, help, .. } = histogram;
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} histogram");
    let mut below = 0;
    for (bound_ns, count) in &histogram.classic {
        below += count;
        let bound = *bound_ns as f64 / NS_PER_S as f64;
        let _ = writeln!(text, "{name}_bucket{{le=\"{bound}\"}} {below}");
    }
    let (count, sum_ns) = (histogram.count, histogram.sum_ns);
    let (seconds, rest) = (sum_ns / NS_PER_S, sum_ns % NS_PER_S);
    let _ = writeln!(text, "{name}_bucket{{le=\"+Inf\"}} {count}");
    let _ = writeln!(text, "{name}_sum {seconds}.{rest:09}\n{name}_count {count}");
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
        assert_eq!(render(&samples, &[]), expected);
    }

    #[test]
    fn exposition_time_is_in_seconds_and_buckets_add_up() {
        let histogram = Histogram {
            name: "h_seconds",
            help: "H.",
            count: 7,
            sum_ns: 1_500_000_000,
            classic: vec![(250_000, 4), (1_000_000_000, 2)],
            native: msrp_control::metrics::Native {
                schema: 3,
                zero_threshold_s: 1e-6,
                zero_count: 0,
                buckets: Vec::new(),
            },
        };
        let busy = Sample {
            kind: Kind::CounterNs,
            ..sample("b_seconds_total", Vec::new(), 2_000_000_001)
        };
        let expected = "# HELP b_seconds_total Things, count.\n\
                        # TYPE b_seconds_total counter\n\
                        b_seconds_total 2.000000001\n\
                        # HELP h_seconds H.\n\
                        # TYPE h_seconds histogram\n\
                        h_seconds_bucket{le=\"0.00025\"} 4\n\
                        h_seconds_bucket{le=\"1\"} 6\n\
                        h_seconds_bucket{le=\"+Inf\"} 7\n\
                        h_seconds_sum 1.500000000\n\
                        h_seconds_count 7\n";
        assert_eq!(render(&[busy], &[histogram]), expected);
    }

    #[test]
    fn exposition_label_value_is_escaped() {
        let text = render(&[sample("a", vec![("l", "q\"b\\n\n".to_owned())], 1)], &[]);
        assert!(text.ends_with("a{l=\"q\\\"b\\\\n\\n\"} 1\n"), "{text}");
    }
}
