//! Ids of what the caller gave none.

use axum::http::StatusCode;
use rand_core::{OsRng, TryRngCore as _};

use crate::problem::Problem;

/// An id that nobody guesses: the prefix, and 64 random bits. `what` it is of, for the caller.
///
/// # Errors
/// 503 when the operating system gives no random numbers.
pub(crate) fn random_id(prefix: &str, what: &str) -> Result<String, Problem> {
    let random = OsRng.try_next_u64().map_err(|_| {
        let detail = format!("The operating system gives no random numbers; choose a {what} id.");
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", 503, detail)
    })?;
    Ok(format!("{prefix}-{random:016x}"))
}
