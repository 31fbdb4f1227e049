//! Incidents: the work that the station does, and the machine that says what may happen to it.
