"""Makes HTML: whole pages, and the partials that pages are made of and that websockets push."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from gateway import figures, filters, words
from gateway.alerts import form as alert_form
from gateway.analytics import studies

TEMPLATES: Final = Path(__file__).parent.parent / "templates"


class Renderer:
    """Renders templates. What is put into them is escaped, and a name that is not given is an error, not a blank."""

    def __init__(self, folder: Path = TEMPLATES) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(folder),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.tests.update(words.TESTS | figures.TESTS)
        self._environment.filters.update(filters.FILTERS | words.FILTERS | figures.FILTERS | alert_form.FILTERS)
        self._environment.globals.update(
            lines=studies.LINES,
            panes=studies.PANES,
            rules=studies.RULES,
            book_measures=studies.BOOK,
            outputs=studies.OUTPUTS,
            warm_up=studies.warm_up,
            conditions=alert_form.CONDITIONS,
            span_choices=alert_form.SPAN_CHOICES,
        )

    def page(self, name: str, **context: Any) -> str:
        """Return a whole page."""
        return self._environment.get_template(f"pages/{name}.html").render(context)

    def partial(self, name: str, **context: Any) -> str:
        """Return one element, whose id is the partial's name."""
        return self._environment.get_template(f"partials/{name}.html").render(context)
