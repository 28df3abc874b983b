"""Addresses of servers, as they may be shown."""

from urllib.parse import urlsplit

__all__ = ["shown_url"]


def shown_url(url: str) -> str:
    """The URL without its password."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "<unreadable URL>"
    query = "&".join(item for item in parts.query.split("&") if item and not item.startswith("password="))
    user = f"{parts.username}@" if parts.username else ""
    place = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{user}{place}{parts.path}" + (f"?{query}" if query else "")
