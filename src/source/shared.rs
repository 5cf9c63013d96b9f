//! What JSON sources share: lenient fields, ids, times.
