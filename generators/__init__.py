"""Application in, bundle out: the optimizer's passes, and one module for each generated layer.

    generate(optimize(app).application, history) -> Bundle

Pure but for the formatter, which is a process. `layers` holds a module for each layer, `templates` its texts, `passes`
the optimizer. The generated code is
ordinary: Starlette, msgspec, asyncpg and static SQL in the back, ES modules in front, Alembic for the database. It
never imports this platform.
"""
