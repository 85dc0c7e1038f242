//! The Prometheus protobuf format: `io.prometheus.client.MetricFamily`, each with its length before it.
//!
//! It alone carries native histograms. A server that wants them asks for it with `Accept`.

use msrp_control::metrics::{Histogram, Kind, Native, Sample};
use prost::Message;

use super::Families;

/// The media type of the format.
pub(in crate::admin) const CONTENT_TYPE: &str =
    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";

/// Whether an `Accept` field asks for this format before the text. Servers that want native
/// histograms name it first; a quality of zero refuses it.
pub(in crate::admin) fn is_wanted(accept: &str) -> bool {
    let quality = |range: &str| {
        let mut parameters = range.split(';').skip(1).filter_map(|p| p.split_once('='));
        let q = parameters.find(|(name, _)| name.trim().eq_ignore_ascii_case("q"));
        q.map_or(1.0, |(_, q)| q.trim().parse().unwrap_or(0.0))
    };
    let best = |is_it: fn(&str) -> bool| {
        let ranges = accept.split(',').filter(|range| is_it(range));
        ranges.map(quality).fold(0.0, f64::max)
    };
    let ours = best(|range| {
        let has = |what| {
            range
                .split(';')
                .any(|part| part.trim().eq_ignore_ascii_case(what))
        };
        has("application/vnd.google.protobuf")
            && has("proto=io.prometheus.client.MetricFamily")
            && has("encoding=delimited")
    });
    let text = best(|range| range.trim_start().starts_with("text/plain"));
    ours > 0.0 && ours >= text
}

/// Writes all samples and histograms.
pub(in crate::admin) fn render(samples: &[Sample], histograms: &[Histogram]) -> Vec<u8> {
    let mut octets = Vec::new();
    let families = Families::of(samples)
        .0
        .into_iter()
        .map(|(_, group)| family(&group));
    for family in families.chain(histograms.iter().map(histogram_family)) {
        // A vector takes whatever is written.
        let _ = family.encode_length_delimited(&mut octets);
    }
    octets
}

fn family(group: &[&Sample]) -> MetricFamily {
    let Some(first) = group.first() else {
        return MetricFamily::default();
    };
    let metric = group.iter().map(|sample| {
        let value = Value {
            value: value_of(sample),
        };
        let is_counter = matches!(sample.kind, Kind::Counter | Kind::CounterNs);
        Metric {
            label: sample.labels.iter().map(LabelPair::of).collect(),
            gauge: (!is_counter).then_some(value),
            counter: is_counter.then_some(value),
            histogram: None,
        }
    });
    MetricFamily {
        name: first.name.to_owned(),
        help: first.help.to_owned(),
        kind: match first.kind {
            Kind::Counter | Kind::CounterNs => COUNTER,
            Kind::Gauge | Kind::GaugeNs => GAUGE,
        },
        metric: metric.collect(),
    }
}

fn value_of(sample: &Sample) -> f64 {
    match sample.kind {
        Kind::Counter | Kind::Gauge => float(sample.value),
        Kind::CounterNs | Kind::GaugeNs => seconds(sample.value),
    }
}

fn histogram_family(histogram: &Histogram) -> MetricFamily {
    let mut cumulative_count = 0;
    let bucket = histogram.classic.iter().map(|(bound_ns, count)| {
        cumulative_count += count;
        Bucket {
            cumulative_count,
            upper_bound: seconds(*bound_ns),
        }
    });
    let native = &histogram.native;
    let (positive_span, positive_delta) = spans(native);
    let message = HistogramMessage {
        sample_count: histogram.count,
        sample_sum: seconds(histogram.sum_ns),
        bucket: bucket.collect(),
        schema: native.schema,
        zero_threshold: native.zero_threshold_s,
        zero_count: native.zero_count,
        positive_span,
        positive_delta,
    };
    MetricFamily {
        name: histogram.name.to_owned(),
        help: histogram.help.to_owned(),
        kind: HISTOGRAM,
        metric: vec![Metric {
            histogram: Some(message),
            ..Metric::default()
        }],
    }
}

/// Buckets with consecutive indices make a span; each bucket is told as the difference to the one
/// before.
fn spans(native: &Native) -> (Vec<Span>, Vec<i64>) {
    let mut spans: Vec<Span> = Vec::new();
    let mut deltas = Vec::with_capacity(native.buckets.len());
    let (mut next, mut before) = (0, 0);
    for (index, count) in &native.buckets {
        match spans.last_mut().filter(|_| *index == next) {
            Some(span) => span.length += 1,
            None => spans.push(Span {
                offset: index - next,
                length: 1,
            }),
        }
        next = index + 1;
        let count = i64::try_from(*count).unwrap_or(i64::MAX);
        deltas.push(count - before);
        before = count;
    }
    (spans, deltas)
}

/// As the format has it. Counts above 2^53 lose their last digits.
fn float(value: u64) -> f64 {
    value as f64
}

fn seconds(ns: u64) -> f64 {
    float(ns) / 1e9
}

#[derive(Clone, PartialEq, Message)]
struct MetricFamily {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    help: String,
    #[prost(int32, tag = "3")]
    kind: i32,
    #[prost(message, repeated, tag = "4")]
    metric: Vec<Metric>,
}

#[derive(Clone, PartialEq, Message)]
struct Metric {
    #[prost(message, repeated, tag = "1")]
    label: Vec<LabelPair>,
    #[prost(message, optional, tag = "2")]
    gauge: Option<Value>,
    #[prost(message, optional, tag = "3")]
    counter: Option<Value>,
    #[prost(message, optional, tag = "7")]
    histogram: Option<HistogramMessage>,
}

#[derive(Clone, PartialEq, Message)]
struct LabelPair {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

impl LabelPair {
    fn of((name, value): &(&'static str, String)) -> Self {
        Self {
            name: (*name).to_owned(),
            value: value.clone(),
        }
    }
}

/// The messages `Gauge` and `Counter`, which begin alike.
#[derive(Clone, Copy, PartialEq, Message)]
struct Value {
    #[prost(double, tag = "1")]
    value: f64,
}

#[derive(Clone, PartialEq, Message)]
struct HistogramMessage {
    #[prost(uint64, tag = "1")]
    sample_count: u64,
    #[prost(double, tag = "2")]
    sample_sum: f64,
    #[prost(message, repeated, tag = "3")]
    bucket: Vec<Bucket>,
    #[prost(sint32, tag = "5")]
    schema: i32,
    #[prost(double, tag = "6")]
    zero_threshold: f64,
    #[prost(uint64, tag = "7")]
    zero_count: u64,
    #[prost(message, repeated, tag = "12")]
    positive_span: Vec<Span>,
    #[prost(sint64, repeated, tag = "13")]
    positive_delta: Vec<i64>,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct Bucket {
    #[prost(uint64, tag = "1")]
    cumulative_count: u64,
    #[prost(double, tag = "2")]
    upper_bound: f64,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct Span {
    #[prost(sint32, tag = "1")]
    offset: i32,
    #[prost(uint32, tag = "2")]
    length: u32,
}

/// The numbers of `MetricType`.
const COUNTER: i32 = 0;
const GAUGE: i32 = 1;
const HISTOGRAM: i32 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protobuf_is_given_to_whoever_asks_for_it_first() {
        let native = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;\
            encoding=delimited;q=0.6,application/openmetrics-text;version=1.0.0;q=0.5,\
            text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        assert!(is_wanted(native));
        let text = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.4,\
            application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.3";
        assert!(!is_wanted(text));
        for no in [
            "",
            "*/*",
            "text/plain",
            "application/vnd.google.protobuf",
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0",
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=text",
        ] {
            assert!(!is_wanted(no), "{no}");
        }
    }

    #[test]
    fn protobuf_native_histogram_is_told_in_spans_and_differences() {
        let native = Native {
            schema: 3,
            zero_threshold_s: 0.5,
            zero_count: 1,
            buckets: vec![(-4, 5), (-3, 2), (0, 2), (1, 7)],
        };
        let (spans, deltas) = spans(&native);
        let spans: Vec<_> = spans.iter().map(|s| (s.offset, s.length)).collect();
        assert_eq!(spans, [(-4, 2), (2, 2)]);
        assert_eq!(deltas, [5, -3, 0, 5]);
    }

    #[test]
    fn protobuf_exposition_holds_families_with_their_length() {
        let sample = |kind, value| Sample {
            name: "a",
            help: "A.",
            kind,
            labels: vec![("l", "x".to_owned())],
            value,
        };
        let octets = render(&[sample(Kind::Counter, 1)], &[]);
        // Written by hand from the definition of the messages.
        let expected = b"\x23\x0a\x01a\x12\x02A.\x22\x1a\x0a\x06\x0a\x01l\x12\x01x\x1a\x09\x09\0\0\0\0\0\0\xf0\x3f";
        let mut expected = expected.to_vec();
        expected[0] = u8::try_from(expected.len() - 1).unwrap();
        let inner = expected.iter().position(|b| *b == 0x22).unwrap() + 1;
        expected[inner] = u8::try_from(expected.len() - inner - 1).unwrap();
        assert_eq!(octets, expected);
        let family = MetricFamily::decode_length_delimited(&octets[..]).unwrap();
        assert_eq!(family.metric[0].counter.unwrap().value, 1.0);
        let seconds = render(&[sample(Kind::GaugeNs, 1_500_000_000)], &[]);
        let family = MetricFamily::decode_length_delimited(&seconds[..]).unwrap();
        assert_eq!(
            (family.kind, family.metric[0].gauge.unwrap().value),
            (GAUGE, 1.5)
        );
    }

    #[test]
    fn protobuf_histogram_has_both_kinds_of_buckets() {
        let histogram = Histogram {
            name: "h",
            help: "H.",
            count: 7,
            sum_ns: 2_000_000_000,
            classic: vec![(500_000_000, 4), (1_000_000_000, 2)],
            native: Native {
                schema: 3,
                zero_threshold_s: 0.25,
                zero_count: 1,
                buckets: vec![(0, 6)],
            },
        };
        let octets = render(&[], &[histogram]);
        let family = MetricFamily::decode_length_delimited(&octets[..]).unwrap();
        let read = family.metric[0].histogram.as_ref().unwrap();
        let buckets: Vec<_> = read
            .bucket
            .iter()
            .map(|b| (b.upper_bound, b.cumulative_count))
            .collect();
        assert_eq!(buckets, [(0.5, 4), (1.0, 6)]);
        assert_eq!((read.sample_count, read.sample_sum), (7, 2.0));
        assert_eq!(
            (read.schema, read.zero_threshold, read.zero_count),
            (3, 0.25, 1)
        );
        assert_eq!(
            (read.positive_span.len(), &read.positive_delta[..]),
            (1, &[6][..])
        );
    }
}
