//! The state: alarms, incidents, tasks, users, audit; every change is one transaction with its feed row.
