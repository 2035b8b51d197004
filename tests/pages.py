"""Pages opened without a browser, and what is written on them."""

from __future__ import annotations

from pathlib import Path

from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Metric
from streamlit.util import calc_hash

APP = str(Path(__file__).parents[1] / "dashboard" / "app.py")


def open_page(page: str = "overview", **address: str) -> AppTest:
    """The app as a browser opens it with that address, on the home that the environment names."""
    app = AppTest.from_file(APP, default_timeout=30)
    app.query_params.update(address)
    # Streamlit's own `switch_page` only knows pages that are files; a page is known by the hash of its address.
    app._page_hash = calc_hash("" if page == "overview" else page)
    return app.run()


def metric(app: AppTest, label: str) -> Metric:
    return next(metric for metric in app.metric if metric.label == label)


def prose(app: AppTest) -> str:
    """Everything written on the page outside metrics and tables."""
    elements = [*app.title, *app.header, *app.markdown, *app.caption, *app.warning, *app.error, *app.code]
    return "\n".join(str(element.value) for element in elements)
