"""Part of the Low-code Kernel."""
