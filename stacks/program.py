"""The platform program: blueprint -> components -> outputs.

`pulumi up` runs it through stacks/__main__.py, the `ziggurat` command through Pulumi's Automation API,
and `ziggurat plan` in process. Configuration (namespace `ziggurat`):

    blueprint    path of the blueprint file, relative to Pulumi.yaml
    rootSecret   secret; base64 of 32 random bytes, from which every credential is derived
    kubeconfig   optional; overrides the blueprint's `cluster.kubeconfig`
    context      optional; overrides the blueprint's `cluster.context`
"""
