"""Synthetic requests and batches of an imaginary indie developer."""
