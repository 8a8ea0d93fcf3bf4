"""The node types: one file each, a thin joint between the runtime and the algorithms."""
