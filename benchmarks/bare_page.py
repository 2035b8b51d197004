"""The peer of the Overview: a Streamlit page with one Plotly bar chart and nothing else."""

import plotly.graph_objects as go
import streamlit as st

st.plotly_chart(go.Figure(go.Bar(x=list(range(30)), y=[day % 7 + 1 for day in range(30)])))
