"""The proof of the optimizer: random applications, with and without it, give the same answers, rows, errors and events
on the same PostgreSQL data and requests.
"""
