"""Backups of a running platform: made, listed, verified and restored by Jobs on its cluster.

`repository.py` works on the backups by Jobs that ziggurat/jobs.py makes of the platform's CronJobs,
`restoring.py` puts one back.
"""
