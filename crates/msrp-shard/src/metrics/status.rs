//! Which cell counts a status.

use msrp_wire::StatusCode;

use super::Cell;

impl Cell {
    /// Of a response that we send.
    pub(crate) fn of_response_sent(status: StatusCode) -> Self {
        match status.value() {
            200 => Self::ResponsesOk,
            400 => Self::ResponsesBadRequest,
            403 => Self::ResponsesForbidden,
            404 => Self::ResponsesNotFound,
            413 => Self::ResponsesStop,
            415 => Self::ResponsesType,
            424 => Self::ResponsesNicknameMalformed,
            425 => Self::ResponsesNicknameTaken,
            428 => Self::ResponsesNoPrivate,
            481 => Self::ResponsesNoSession,
            501 => Self::ResponsesMethod,
            506 => Self::ResponsesElsewhere,
            _ => Self::ResponsesOther,
        }
    }

    /// Of a response that came.
    pub(crate) fn of_response_received(status: StatusCode) -> Self {
        match status.value() {
            200 => Self::ReceivedOk,
            400 => Self::ReceivedBadRequest,
            403 => Self::ReceivedForbidden,
            408 => Self::ReceivedTimeout,
            413 => Self::ReceivedStop,
            415 => Self::ReceivedType,
            423 => Self::ReceivedRange,
            481 => Self::ReceivedNoSession,
            501 => Self::ReceivedMethod,
            506 => Self::ReceivedElsewhere,
            _ => Self::ReceivedOther,
        }
    }

    /// Of a REPORT that came.
    pub(crate) fn of_report_received(status: StatusCode) -> Self {
        match status.value() {
            200 => Self::ReportOk,
            403 => Self::ReportForbidden,
            408 => Self::ReportTimeout,
            413 => Self::ReportStop,
            415 => Self::ReportType,
            481 => Self::ReportNoSession,
            _ => Self::ReportOther,
        }
    }

    /// Of a REPORT that we send.
    pub(crate) fn of_report_sent(status: StatusCode) -> Self {
        match status.value() {
            200 => Self::ReportsSentOk,
            403 => Self::ReportsSentForbidden,
            408 => Self::ReportsSentTimeout,
            413 => Self::ReportsSentStop,
            415 => Self::ReportsSentType,
            _ => Self::ReportsSentOther,
        }
    }
}
