"""The Jupyter kernel "Low-code": IPython with the magics loaded, and the kernel specification that JupyterLab's
launcher shows.

`kernel.json` names `python`, which Jupyter replaces by the interpreter that it runs on itself: the specification lies
in the environment whose server finds it, so that is the one where this package is installed.
"""
