//! Reading the text that `/metrics` gives.

/// The lines of an exposition in the Prometheus text format.
pub(super) struct Exposition<'a>(&'a str);

impl<'a> Exposition<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self(text)
    }

    /// The sum of all values of a metric; `None` when there is none.
    pub(super) fn sum(&self, name: &str) -> Option<u64> {
        let mut values = self.values(name).peekable();
        values.peek()?;
        Some(values.fold(0, |sum, (_, value)| sum.saturating_add(value)))
    }

    /// The sum of the values of a metric whose labels hold this text; 0 when there is none.
    pub(super) fn sum_with(&self, name: &str, label: &str) -> u64 {
        self.values(name)
            .filter(|(labels, _)| labels.contains(label))
            .fold(0, |sum, (_, value)| sum.saturating_add(value))
    }

    /// The labels as they are written, and the value, of each sample of a metric. Fractions are cut.
    pub(super) fn values(&self, name: &str) -> impl Iterator<Item = (&'a str, u64)> {
        self.0.lines().filter_map(move |line| {
            let rest = line.strip_prefix(name)?;
            if !rest.starts_with(['{', ' ']) {
                return None;
            }
            let (labels, value) = rest.rsplit_once(' ')?;
            let whole = value.split('.').next()?;
            Some((labels, whole.parse().ok()?))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exposition_values_of_one_metric_are_added() {
        let text = "# TYPE a counter\na{l=\"x y\"} 1\na{l=\"z\"} 2\na_total 9\nb 7\nc 1.5\n";
        let text = Exposition::new(text);
        assert_eq!(text.sum("a"), Some(3));
        assert_eq!(text.sum("b"), Some(7));
        assert_eq!(text.sum("c"), Some(1));
        assert_eq!(text.sum("d"), None);
        assert_eq!(text.sum_with("a", "l=\"z\""), 2);
    }
}
