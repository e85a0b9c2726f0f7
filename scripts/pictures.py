"""Draw docs/images/watch.svg from the stack that is up: `.venv/bin/python scripts/pictures.py`."""

import io
import os
import re
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console

from openbell import stack
from openbell.commands.watch import draw
from openbell.market import TOPICS, Markets
from openbell.settings import Settings
from openbell.venue import Venue
from wire.reader import Reader

IMAGE = Path(__file__).parent.parent / "docs" / "images" / "watch.svg"


def main() -> None:
    """Read the market, and save what `openbell watch` would show."""
    settings = Settings.from_mapping(os.environ)
    up = stack.running(settings)
    markets = Markets(up.venue)
    with Reader(up.bootstrap_servers, up.venue, TOPICS) as reader:
        for record in reader.to_end():
            markets.add(record)
    console = Console(record=True, width=100, file=io.StringIO(), force_terminal=True)
    console.print(draw(Venue(up.bootstrap_servers, up.venue, "replay", settings.account_shards), markets, live=False))
    no_foreign_fonts = re.sub(r"@font-face \{\{.*?\}\}\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    IMAGE.parent.mkdir(parents=True, exist_ok=True)
    IMAGE.write_text(console.export_svg(title="openbell watch", code_format=no_foreign_fonts))


if __name__ == "__main__":
    main()
