//! Histories with every anomaly, and without any.
