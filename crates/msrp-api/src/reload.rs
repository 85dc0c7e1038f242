//! Reading the configuration and what it names anew.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;

use crate::{Api, Problem, limits};

/// Reads everything anew that can be read anew, or says in one sentence why nothing was. It may
/// block: it is called where that is allowed.
pub type Reload = Box<dyn Fn() -> Result<Reloaded, String> + Send + Sync>;

/// What came of a reload that was not refused.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Reloaded {
    /// Whether the configuration file says something that is in force only after a restart.
    pub needs_restart: bool,
    /// What could not be used and stays as it was, one sentence each: group documents stand each for
    /// itself.
    pub warnings: Vec<String>,
}

/// The same as SIGHUP, with an answer.
pub(crate) async fn reload(State(api): State<Arc<Api>>) -> Result<Json<Reloaded>, Problem> {
    let work = tokio::task::spawn_blocking(move || api.reload.get().map(|reload| reload()));
    match work.await {
        Ok(Some(Ok(reloaded))) => Ok(Json(reloaded)),
        Ok(Some(Err(reason))) => {
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            Err(Problem::new(status, "reload_refused", 500, reason))
        }
        Ok(None) => {
            let detail = "This node has nothing to read anew, or is still starting.";
            let status = StatusCode::SERVICE_UNAVAILABLE;
            let problem = Problem::new(status, "unavailable", 503, detail);
            Err(problem.retry_after(limits::RETRY_AFTER_UNAVAILABLE_S))
        }
        Err(_) => {
            let detail = "The reload broke off; the log says where.";
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            Err(Problem::new(status, "reload_failed", 500, detail))
        }
    }
}
