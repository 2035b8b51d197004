"""The pages and how they are reached."""

from __future__ import annotations

import streamlit as st

from dashboard.views import batches, launch, overview, workloads


def pages() -> st.Page:
    """Draw the navigation; the page that was asked for."""
    return st.navigation(
        [
            st.Page(overview.page, title="Overview", icon=":material/monitoring:", url_path="overview", default=True),
            st.Page(batches.page, title="Batches", icon=":material/timer:", url_path="batches"),
            st.Page(workloads.page, title="Workloads", icon=":material/checklist:", url_path="workloads"),
            st.Page(launch.page, title="Launch", icon=":material/send:", url_path="launch"),
        ]
    )
