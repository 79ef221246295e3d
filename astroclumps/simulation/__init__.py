"""Clumps in simulations: snapshots and their readers, the finder in three dimensions, the tracker through time."""
