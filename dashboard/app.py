"""The entry point that Streamlit runs for every visit."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from core.errors import HalfpriceError
from dashboard import nav, queries
from dashboard.formats import md

STATIC = Path(__file__).parent / "static"
FOLLOW_S = 5
"""How often an open page looks for new records."""


def main() -> None:
    """Draw the page that was asked for on what the ledger holds now."""
    page = nav.pages()
    st.set_page_config(page_title=f"{page.title} · Halfprice", page_icon=STATIC / "icon.svg", layout="wide")
    st.logo(STATIC / "logo.svg", icon_image=STATIC / "icon.svg", size="large")
    st.sidebar.caption("Only what you launch leaves this computer.")
    seen = None
    try:
        seen = queries.sync()
        page.run()
    except HalfpriceError as error:
        st.error(md(str(error)), title="This cannot be shown")
    _follow(seen)


@st.fragment(run_every=FOLLOW_S)
def _follow(seen: str | None) -> None:
    """Draw the whole page again once the ledger has changed, or has become readable again."""
    try:
        now = queries.sync()
    except HalfpriceError:
        return  # what is on screen still holds, or says so itself
    if now != seen:
        st.rerun()


if __name__ == "__main__":
    main()
