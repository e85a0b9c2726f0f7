"""Reads the listing file: the one that is installed, or one of the operator's own."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from exchange.listing_file import InvalidListing, Listing, StockDetails, decode_listings
from openbell.errors import SettingError

__all__ = ["Listing", "StockDetails", "load"]


def load(path: Path | None = None) -> dict[str, Listing]:
    """Return the listings of a file, by symbol; without a path, of the sample file that is installed.

    Raises:
        SettingError: if it cannot be read, or is no listing file; says which symbol and field is wrong.
    """
    source = files("exchange") / "data" / "listings.toml" if path is None else path
    try:
        return decode_listings(source.read_text(encoding="utf-8"))
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise SettingError(f"listing file {source}: {reason}") from error
    except InvalidListing as error:
        raise SettingError(f"listing file {source}: {error}") from error
