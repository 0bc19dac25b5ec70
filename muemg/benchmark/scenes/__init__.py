"""Scenes as data: scenarios of the simulator."""
