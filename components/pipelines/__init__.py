"""Kubeflow Pipelines: an engine in the platform's namespace, whose runs execute in the teams' namespaces."""
