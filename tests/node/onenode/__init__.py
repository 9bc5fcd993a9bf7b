"""A real one-node Kubernetes on this machine, from package registries alone: docs/testing.md, layer 4."""
