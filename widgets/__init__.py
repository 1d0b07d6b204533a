"""Views of records for the notebook: one function each, a record in, an object out that Jupyter can show.

Every view has three forms, and each is complete without the others:

    text/plain   for a terminal, a log and a headless run
    text/html    for a saved notebook: static, escaped, coloured by JupyterLab's own variables, and still readable where
    an untrusted notebook's
                 styles and scripts are taken away (drawings are `<img>`, tables are tables)
    live         where a front-end answers: the graph that is clicked, the deployment that advances

A view knows the records of `lowcode_kernel` and those of `records`, and nothing of farms, databases or sessions: data
and callbacks come in. `graph_view` is the only door to ipycytoscape, `controls` to ipywidgets, `highlighting` to
Pygments; none of them is imported before a view needs it.
"""
