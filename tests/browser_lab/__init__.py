"""What a person sees in JupyterLab, in a real one with Chromium."""
