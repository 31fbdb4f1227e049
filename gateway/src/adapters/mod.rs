//! Adapters: from a vendor's bytes to canonical events, one folder a vendor.
