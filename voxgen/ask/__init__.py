"""Prompt → reply text."""
