"""The child process that runs an app's Python functions, and what these functions are written with.

It speaks the frames of contract 07 §3-4, as the TypeScript child does: to the server there is one kind of child.
Nothing here is imported by the server; it starts ``python -m pylon_functions.python <folder>``.
"""
