"""Coverage-guided fuzzing of every parser with atheris, by hand: `make fuzz`. The suite has a seeded slice of its own
(`tests/test_language_fuzz.py`).
"""
