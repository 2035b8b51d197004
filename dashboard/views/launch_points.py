"""The five points before adopting batches, each ticked by what was done or seen."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard import adoption, components
from dashboard.formats import md


def card(known: adoption.Known) -> DeltaGenerator:
    """Draw the points in a card, which is returned."""
    drawn = st.container(border=True, height="stretch", key="points")
    with drawn:
        components.card_head("Before you adopt batches")
        st.caption("Halfprice's own five points, from documented behaviour of the API. Ticked: what was done or seen.")
        st.markdown(text(known))
    return drawn


def text(known: adoption.Known) -> str:
    """The five points with their facts, as a list."""
    lines = []
    for number, point in enumerate(adoption.points(known), start=1):
        lines.append(f"{number}. **{md(point.title)}**")
        for fact in point.facts:
            mark = ":material/check_circle:" if fact.holds else ":material/radio_button_unchecked: Open:"
            lines.append(f"    - {mark} {md(fact.text)}")
    return "\n".join(lines)
