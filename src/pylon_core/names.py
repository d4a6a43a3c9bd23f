"""What may be the name of a job, a schedule, a queue, a workflow, an event. Pure.

One rule at every door, so that what one takes, each engine can keep and every log line can show.
"""

NAME_CHARS_MAX = 200


def name_problem(text: str) -> str | None:
    """Why a text is no name, as the end of a sentence that begins with what it is for; ``None``: it is one."""
    if not 0 < len(text) <= NAME_CHARS_MAX:
        return f"has between 1 and {NAME_CHARS_MAX} characters"
    if any(character < " " or character == "\x7f" for character in text):
        return "has no control characters"
    return None
