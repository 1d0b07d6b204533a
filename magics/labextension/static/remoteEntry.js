// Cells that hold SQL (%%query, %%logs, %%data) are highlighted as SQL. Written by hand in the form that JupyterLab loads a
// prebuilt extension in (a container of webpack's module federation), so that it needs no bundler.
(() => {
  const SQL = /^\s*%%(query|logs|data)\b/
  const TYPE = 'text/x-sql'
  let shared

  // JupyterLab's own module: the token of the notebooks' tracker must be the one that it registered
  const notebookTracker = async () => {
    const versions = Object.values(shared['@jupyterlab/notebook'])
    return (await versions[0].get())().INotebookTracker
  }

  const watch = panel => {
    const ours = new Map() // cell model -> the type it had before it became SQL
    const look = model => {
      if (model.type !== 'code' || model.isDisposed) return
      const sql = SQL.test(model.sharedModel.getSource().slice(0, 200))
      if (sql && model.mimeType !== TYPE) {
        ours.set(model, model.mimeType)
        model.mimeType = TYPE
      } else if (!sql && ours.has(model)) {
        const before = ours.get(model)
        ours.delete(model)
        if (model.mimeType === TYPE) model.mimeType = before
      }
    }
    const seen = new WeakSet()
    const follow = () => {
      for (const { model } of panel.content.widgets) {
        if (!seen.has(model)) {
          seen.add(model)
          model.contentChanged.connect(() => look(model))
          model.mimeTypeChanged.connect(() => look(model)) // the kernel's language is set on all cells when it is known
        }
        look(model)
      }
    }
    panel.context.ready.then(() => {
      follow()
      panel.content.model.cells.changed.connect(() => queueMicrotask(follow))
      panel.content.modelContentChanged?.connect(follow)
    })
  }

  const plugin = async () => {
    const tracker = await notebookTracker()
    return {
      id: 'lowcode-kernel:highlighting',
      description: 'Highlights the SQL of %%query, %%logs and %%data cells.',
      autoStart: true,
      requires: [tracker],
      activate: (_, notebooks) => {
        notebooks.forEach(watch)
        notebooks.widgetAdded.connect((_, panel) => watch(panel))
      }
    }
  }

  window._JUPYTERLAB = window._JUPYTERLAB || {}
  window._JUPYTERLAB['lowcode-kernel'] = {
    init: scope => { shared = scope },
    get: async module => {
      if (module !== './extension') throw new Error(`lowcode-kernel has no module ${module}`)
      const found = await plugin()
      return () => ({ default: found, __esModule: true })
    }
  }
})()
