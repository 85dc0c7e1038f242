//! Who is owed an answer: the report rules of RFC 4975 s.7.1.3, 7.1.4 and 7.2.

use msrp_wire::{FailureReport, StatusCode};

/// Whether a SEND with this Failure-Report is answered with this status.
///
/// `yes` gets every response, `partial` only those that are not 200, `no` gets none.
///
/// # Spec
/// RFC 4975 s.7.1.4, s.7.2; AMB-72.
#[must_use]
pub fn is_response_due(failure_report: FailureReport, status: StatusCode) -> bool {
    match failure_report {
        FailureReport::Yes => true,
        FailureReport::Partial => status != StatusCode::OK,
        FailureReport::No => false,
    }
}

/// Whether the sender of a SEND with this Failure-Report is told of a failure by REPORT.
///
/// # Spec
/// RFC 4975 s.7.1.4.
#[must_use]
pub fn is_failure_report_due(failure_report: FailureReport) -> bool {
    match failure_report {
        FailureReport::Yes | FailureReport::Partial => true,
        FailureReport::No => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // covers: MSRP-4975-7.1.4-03, MSRP-4975-7.1.4-04, MSRP-4975-7.1.4-05, MSRP-4975-7.2-02
    #[test]
    fn response_due_follows_failure_report() {
        let table = [
            (FailureReport::Yes, StatusCode::OK, true),
            (FailureReport::Yes, StatusCode::FORBIDDEN, true),
            (FailureReport::Partial, StatusCode::OK, false),
            (FailureReport::Partial, StatusCode::FORBIDDEN, true),
            (FailureReport::No, StatusCode::OK, false),
            (FailureReport::No, StatusCode::FORBIDDEN, false),
        ];
        for (failure_report, status, due) in table {
            assert_eq!(
                is_response_due(failure_report, status),
                due,
                "{failure_report:?} {status:?}"
            );
        }
    }
}
