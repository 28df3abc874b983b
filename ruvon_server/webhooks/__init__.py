"""Webhooks: events of workflows, sent to servers of others, signed as Standard Webhooks 1.0 says.

What a receiver needs is here and imports neither a web framework nor an engine: `verify`, and its errors. What the server
does is in the modules beside: which endpoints there are, what happened, what is to be sent, and the sending.
"""

from ruvon_server.webhooks._signature import (
    VerifiedWebhook,
    WebhookSecretError,
    WebhookVerificationError,
    sign,
    verify,
)

__all__ = ["VerifiedWebhook", "WebhookSecretError", "WebhookVerificationError", "sign", "verify"]
