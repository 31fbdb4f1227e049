//! Every state × verb, and the stories behind the guards.
