"""The tour as a person takes it: in JupyterLab, in the application that it deploys, and headless."""
