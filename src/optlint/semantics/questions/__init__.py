"""What rules ask of a run: one module a question, over what was followed; no rule's words and no messages.

A question is a function from a ``Run`` to facts; rules ask it with ``run.ask``, which answers each question once.
"""
