"""The kernel's process."""

from __future__ import annotations

from typing import Any

from ipykernel.kernelapp import IPKernelApp
from traitlets import List, Unicode

_NO_LIMIT = 0


class LowcodeKernelApp(IPKernelApp):
    """IPython's kernel with the extension loaded, and without a limit on what waits to be sent to the front-end.

    A graph of a thousand elements is three thousand messages at once. ZeroMQ throws away what exceeds a socket's high-
    water mark (1,000 messages), without a word, and the front-end then shows half a graph.
    """

    default_extensions = List(Unicode(), ["storemagic", "lowcode_kernel"])  # IPython's own, and ours

    def init_iopub(self, context: Any) -> None:
        """Open the socket with no high-water mark: it has to be set before the socket is bound, so the context gives
        it to the sockets it makes.
        """
        import zmq

        before = context.sockopts.get(zmq.SNDHWM)
        context.setsockopt(zmq.SNDHWM, _NO_LIMIT)
        try:
            super().init_iopub(context)  # type: ignore[no-untyped-call]
        finally:
            if before is None:
                context.sockopts.pop(zmq.SNDHWM, None)
            else:
                context.setsockopt(zmq.SNDHWM, before)

    def init_extensions(self) -> None:
        """Load the extensions. `%load_ext lowcode_kernel`, with which a notebook begins that other kernels run too, is
        then no mistake to be told: it loads the extension again, which does nothing.
        """
        super().init_extensions()  # type: ignore[no-untyped-call]
        if self.shell is not None:
            self.shell.extension_manager.loaded.discard("lowcode_kernel")
