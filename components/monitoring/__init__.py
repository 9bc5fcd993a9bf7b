"""Monitoring: what is measured, the rules on it, the dashboards, and the software that does it."""
