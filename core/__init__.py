"""The part of Halfprice that knows tokens, prices, routes and time."""

__version__ = "0.1.0"
