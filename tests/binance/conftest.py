"""The fixtures that these tests share with those of the gateway."""

from tests.gateway.conftest import redis_url, venue

__all__ = ["redis_url", "venue"]
