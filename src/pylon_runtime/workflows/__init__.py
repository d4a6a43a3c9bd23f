"""Durable workflows: the state machine, the engine that drives it, the runners that execute passes."""
