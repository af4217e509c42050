//! What operators see: logs, their redaction, and every metric.

pub mod logs;
pub mod metrics;
pub mod redact;
