"""Flows as documents: building, checking, editing, drawing and keeping them."""
