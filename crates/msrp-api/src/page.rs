//! One page of a list.

use serde::Deserialize;

use crate::Problem;
use crate::limits::{PAGE_DEFAULT, PAGE_MAX};

/// Which part of a list is wanted.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PageQuery {
    /// Only entries behind this one.
    pub(crate) after: Option<String>,
    limit: Option<usize>,
}

impl PageQuery {
    /// How many entries the answer may have.
    pub(crate) fn limit(&self) -> Result<usize, Problem> {
        match self.limit.unwrap_or(PAGE_DEFAULT) {
            limit @ 1..=PAGE_MAX => Ok(limit),
            limit => {
                let detail = format!("limit is {limit}; ask for 1 to {PAGE_MAX} entries.");
                Err(Problem::bad("malformed_query", detail))
            }
        }
    }
}

/// Cuts a list of one entry more than was asked for, and tells behind which entry the next page
/// starts.
pub(crate) fn cut<T, K>(entries: &mut Vec<T>, limit: usize, id: impl Fn(&T) -> K) -> Option<K> {
    let has_more = entries.len() > limit;
    entries.truncate(limit);
    entries.last().filter(|_| has_more).map(id)
}
