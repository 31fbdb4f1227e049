//! Fan-out: canonical events to whoever may subscribe, through the router of rumqttd. Never counted as delivery.
