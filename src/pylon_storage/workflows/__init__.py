"""Durable workflows in the application's own database."""

from pylon_storage.workflows.store import JOB_NAME, SqlWorkflowStore

__all__ = ["JOB_NAME", "SqlWorkflowStore"]
