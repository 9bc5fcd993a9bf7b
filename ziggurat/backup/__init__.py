"""Backups of a running platform: made, listed, verified and restored by Jobs on its cluster.

`jobs.py` makes a Job from a CronJob of the platform and follows it, `repository.py` works on the backups,
`restoring.py` puts one back.
"""
