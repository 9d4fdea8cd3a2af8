"""Figures of the project, measured."""
