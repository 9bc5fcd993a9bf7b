"""Blueprints with the two kinds of issuer, and with none."""

HEAD = """
apiVersion: ziggurat/v1
name: acme
phase: starter
teams:
  vision: {groups: [ml-vision]}
  pricing: {groups: ["CN=pricing,OU=ml"]}
tracking: {host: mlflow.acme.dev}
"""
EMBEDDED = f"""{HEAD}
auth:
  mode: embedded
  host: login.acme.dev
  adminGroups: [ml-platform]
  users:
    ann@acme.dev: {{groups: [ml-vision]}}
"""
BROUGHT = f"""{HEAD}
auth:
  mode: oidc
  issuer: https://login.acme.dev/realms/acme
  clientSecret: {{secretName: oidc-client}}
  adminGroups: [ml-platform]
"""
