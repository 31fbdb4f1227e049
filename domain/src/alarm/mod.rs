//! Alarms: one rule's condition on one subject, with the states of ISA-18.2.
