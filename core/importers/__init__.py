"""Readers of requests that were recorded elsewhere."""
