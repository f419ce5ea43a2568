"""
The audit trail of the client's settings, which lives in `http_util.secret_audit`.

Spec: SEC-06
"""

from http_util.secret_audit import SecretAudit, SecretReading

__all__ = ["SecretAudit", "SecretReading"]
