"""The data API of one app in OpenAPI 3.0.3: every route, every entity by name, every answer and status.

Anyone may read it, so it knows nothing of policies and secret fields. Pure: a manifest in, a document out.
"""

from pylon_router.openapi.document import openapi_document

__all__ = ["openapi_document"]
