"""A small stand-in for Pulumi's Kubernetes resource plugin: the provider protocol over a real API server.

It is used by the sandbox where the official plugin cannot be had; docs/stand-in.md says what it is and
what it is not. It imports nothing of the rest of the project, and of Pulumi only the protocol's messages.
"""
