"""Halfprice in the browser."""
