//! How much a call carried out.

use tripline_cloudtrail::Record;

/// The bytes that left with the answer, as S3's data events tell; written as a number, a float or a
/// text.
pub fn bytes_out(record: &Record<'_>) -> Option<u64> {
    let text = record.additional()?.get_text("bytesTransferredOut")?;
    let text = text.as_written();
    text.parse().ok().or_else(|| {
        let float: f64 = text.parse().ok()?;
        // Saturates; nobody sends 16 exabytes.
        (float >= 0.0).then_some(float as u64)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_ways_to_write_a_number_are_read() {
        let bytes = |written: &str| {
            let text = format!(
                r#"{{"eventTime":"2026-11-20T10:00:00Z","eventSource":"s3.amazonaws.com","eventName":"GetObject",
                "additionalEventData":{{"bytesTransferredOut":{written}}}}}"#
            );
            bytes_out(&Record::parse(&text).unwrap())
        };
        assert_eq!(bytes("243"), Some(243));
        assert_eq!(bytes("243.0"), Some(243));
        assert_eq!(bytes("1e9"), Some(1_000_000_000));
        assert_eq!(bytes("\"17\""), Some(17));
        for none in ["-1", "null", "\"x\"", "{}", "NaN"] {
            assert_eq!(bytes(none), None, "{none}");
        }
    }
}
