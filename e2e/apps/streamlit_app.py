"""A Streamlit app: who it is, a widget, an upload, a download.

    streamlit run streamlit_app.py --server.baseUrlPath lab/streamlit
"""

from __future__ import annotations

import streamlit as st

st.title("Lab book")
st.write(f"Signed in as {st.context.headers.get('X-Forwarded-Email')}")

name = st.text_input("Name")
if st.button("Greet"):
    st.write(f"Hello {name}!")

file = st.file_uploader("Any file")
if file is not None:
    st.write(f"{file.name}: {len(file.getvalue())} bytes")

st.download_button("Download", "a report\n" * 1000, file_name="report.txt")
