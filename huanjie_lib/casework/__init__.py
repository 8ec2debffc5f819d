"""The closed loop as pure functions: events and states of cases, alerts, ledgers of audits and conflicts."""
